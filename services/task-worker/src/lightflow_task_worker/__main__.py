"""`python -m lightflow_task_worker`."""

from lightflow.runtime.process import run_service
from lightflow_task_worker.wiring import serve

if __name__ == "__main__":
    run_service("task-worker", serve)
