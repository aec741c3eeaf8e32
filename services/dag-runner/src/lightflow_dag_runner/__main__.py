"""`python -m lightflow_dag_runner`."""

from lightflow.runtime.process import run_service
from lightflow_dag_runner.wiring import serve

if __name__ == "__main__":
    run_service("dag-runner", serve)
