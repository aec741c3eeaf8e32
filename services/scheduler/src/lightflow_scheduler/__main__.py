"""`python -m lightflow_scheduler`."""

from lightflow.runtime.process import run_service
from lightflow_scheduler.wiring import serve

if __name__ == "__main__":
    run_service("scheduler", serve)
