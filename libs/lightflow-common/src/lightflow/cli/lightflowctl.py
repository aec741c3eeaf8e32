"""`lightflowctl`: run workflows, and look after a system. Each subcommand is a module in `lightflow.cli.ctl`."""

import click

from lightflow import __version__
from lightflow.cli.group import LazyGroup
from lightflow.cli.session import session_options

_CTL = "lightflow.cli.ctl"

SECTIONS = {
    "Run workflows": {
        "run": (f"{_CTL}.run", "Run a workflow and watch it until it ends."),
        "start": (f"{_CTL}.start", "Start a workflow and print the id of the run."),
        "stop": (f"{_CTL}.stop", "Stop runs."),
    },
    "See what goes on": {
        "status": (f"{_CTL}.status", "List the runs, or show one in detail."),
        "watch": (f"{_CTL}.watch", "Print events as they happen."),
        "logs": (f"{_CTL}.logs", "Print what the tasks of a run wrote."),
        "data": (f"{_CTL}.data", "Read and change the data store of a run."),
        "workers": (f"{_CTL}.workers", "List the living workers."),
    },
    "Workflows": {
        "list": (f"{_CTL}.list", "List the workflows."),
        "show": (f"{_CTL}.show", "Show the graph and the parameters of a workflow."),
        "deploy": (f"{_CTL}.deploy", "Keep a version of a workflow for later starts."),
        "undeploy": (f"{_CTL}.undeploy", "Load a workflow afresh at every start again."),
    },
    "The system itself": {
        "up": (f"{_CTL}.up", "Start a system on this machine."),
        "down": (f"{_CTL}.down", "Stop the system."),
        "prune": (f"{_CTL}.prune", "Remove what runs left that ended long ago."),
        "ps": (f"{_CTL}.ps", "List the processes of the system."),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the run or the request failed, 2 wrong input, 3 no system can be reached.",
)
@session_options
@click.version_option(__version__, prog_name="lightflowctl")
def main() -> None:
    """Run Lightflow workflows.

    \b
    lightflowctl run simple              run one, here and now
    lightflowctl up --detach             start a system in the background
    lightflowctl start flow.py days=3    start a run on it
    lightflowctl status                  see how it goes
    """
