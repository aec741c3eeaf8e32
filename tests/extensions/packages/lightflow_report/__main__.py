"""Run by `lightflow ext report`."""

import argparse

from lightflow.config import Config
from lightflow.version import __version__
from lightflow.workers import list_workers
from lightflow.workflows import list_workflows


def main(args):
    """Main entry point of the extension."""
    parser = argparse.ArgumentParser(prog="lightflow ext report")
    parser.add_argument("--title", default="Report")
    options = parser.parse_args(args)

    config = Config.from_file(None)
    print(f"{options.title} of Lightflow {__version__} for {config.extensions['report']['reader']}")
    print("workflows:", *[workflow.name for workflow in list_workflows(config)])
    print("queues:", *[queue.name for worker in list_workers(config) for queue in worker.queues])
