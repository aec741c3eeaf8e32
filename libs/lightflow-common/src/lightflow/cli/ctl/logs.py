"""`lightflowctl logs`."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from lightflow.cli import completing
from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb

TASK = "Only of this task (NAME or DAG:n/NAME)."


@click.command("logs")
@click.argument("run", metavar="RUN", shell_complete=completing.runs)
@click.option("-t", "--task", default="", metavar="NAME", help=TASK, shell_complete=completing.tasks)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@session_options
@pass_session
def command(session: Session, run: str, task: str, follow: bool) -> None:
    """Print what the tasks of a run wrote; each line begins with the task's name, unless --task names one.

    \b
    lightflowctl logs 65f1a0
    lightflowctl logs 65f1a0 --task fetch -f
    """
    from lightflow.cli.finding import find_run
    from lightflow.cli.logprinter import LogPrinter
    from lightflow.cli.streams import Streams

    with session.connect() as client:
        found = find_run(client, run)
        printer = LogPrinter(json=session.json, bare=bool(task), ambiguous=ambiguous(found))
        with Streams(logs=lambda: client.stream_logs(found.run_id, task=task, follow=follow)) as streams:
            for happened in streams.read():
                if happened.kind == "interrupted":
                    break
                if happened.kind == "reopened":
                    printer.lines.replay()
                else:
                    printer.take(happened.value)
        printer.close()


def ambiguous(run: "pb.Run") -> frozenset[str]:
    """The names that tasks of several DAG runs have."""
    counted = Counter(task.name for dag in run.dags for task in dag.tasks)
    return frozenset(name for name, number in counted.items() if number > 1)
