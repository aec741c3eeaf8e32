"""`lightflowctl stop`."""

from typing import TYPE_CHECKING

import click

from lightflow.cli import completing
from lightflow.cli.asking import confirm, yes_option
from lightflow.cli.completing import LIVE
from lightflow.cli.finding import find_run
from lightflow.cli.session import Session, pass_session, session_options

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

TASK = "Stop only the DAG run that this task is in (NAME or DAG:n/NAME)."


@click.command("stop")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=completing.live_runs)
@click.option("-t", "--task", metavar="NAME", help=TASK, shell_complete=completing.tasks)
@click.option("--now", is_flag=True, help="Kill what still runs after a grace of 10 s.")
@yes_option
@session_options
@pass_session
def command(session: Session, runs: tuple[str, ...], task: str | None, now: bool, yes: bool) -> None:
    """Stop runs: running tasks may finish, nothing new starts. Without RUN all runs are stopped.

    With --task only the DAG run of that task is stopped; the rest of the run goes on.

    \b
    lightflowctl stop 65f1a0
    lightflowctl stop 65f1a0 --now
    lightflowctl stop 65f1a0 --task fetch
    """
    if task is not None and len(runs) != 1:
        raise click.UsageError("--task needs the one RUN that the task is in")
    if task is not None and now:
        raise click.UsageError("--now is for whole runs; leave out --task")
    with session.connect() as client:
        if task is not None:
            run = find_run(client, runs[0])
            dag = dag_of(run, task)
            client.stop_dag(run.run_id, dag)
            _tell(session, [client.get_run(run.run_id)], f"DAG run {dag} of run {run.run_id} is stopping.")
            return
        ids = [find_run(client, text).run_id for text in runs] if runs else _all(client, yes)
        stopped = [client.stop_run(run_id, now=now) for run_id in ids]
        _tell(session, stopped, *map(told, stopped))
        if not ids and not session.json:
            click.echo("No run is going on.")


def told(run: "pb.Run") -> str:
    """What became of a run that was asked to stop."""
    how = f"is {run.state}" if run.state in (*LIVE, "stopped") else f"had ended before: {run.state}"
    return f"Run {run.run_id} of {run.workflow} {how}."


def dag_of(run: "pb.Run", task: str) -> str:
    """The name of the DAG run that a task is in."""
    from lightflow.core.errors import TaskAmbiguous, TaskUnknown

    dag_name, _, name = task.rpartition("/")
    found = [dag.name for dag in run.dags if dag_name in ("", dag.name) and any(t.name == name for t in dag.tasks)]
    if not found:
        raise TaskUnknown(task, run.run_id, tuple(t.name for dag in run.dags for t in dag.tasks))
    if len(found) > 1:
        raise TaskAmbiguous(name, tuple(f"{dag}/{name}" for dag in found))
    return found[0]


def _all(client: "ControlClient", yes: bool) -> list[str]:
    from lightflow.cli.render.runs import counted

    found = list(client.list_runs(states=LIVE))
    if found:
        confirm(f"Stop {counted(found)}?", yes)
    return [run.run_id for run in found]


def _tell(session: Session, runs: list["pb.Run"], *lines: str) -> None:
    if session.json:
        from lightflow.cli.render.documents import run_document
        from lightflow.cli.result import write_json

        write_json([run_document(run) for run in runs])
        return
    for line in lines:
        click.echo(line)
