"""What the shell completes: workflows, runs, tasks, workers and extensions, as far as a system answers at once.

Completing says nothing when it cannot help: a shell asks while somebody types.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from lightflow.cli.session import Session

if TYPE_CHECKING:
    from lightflow.runtime.rpc.client import ControlClient

LIVE = ("pending", "running", "stopping")

_SECONDS = 1.0
_MOST = 50

Pair = tuple[str, str]
"""A word that fits, and what is said of it."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(words: Callable[["ControlClient", click.Context], Iterator[Pair]]) -> Completer:
    """A completer of click that asks the system for words."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from lightflow.core.errors import LightflowException

        try:
            with (ctx.find_object(Session) or Session()).connect(timeout=_SECONDS) as client:
                fitting = (pair for pair in words(client, ctx) if pair[0].startswith(incomplete))
                return [CompletionItem(word, help=text or None) for word, text in islice(fitting, _MOST)]
        except LightflowException:
            return []  # no system, or one that is slow to answer: nothing to suggest

    return complete


def _workflows(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    from lightflow.cli.render.documents import first_line

    for workflow in client.list_workflows(timeout=_SECONDS):
        yield workflow.name, first_line(workflow.docstring)


def _runs(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    for run in islice(client.list_runs(), 500):
        yield run.run_id, f"{run.workflow}, {run.state}"


def _live_runs(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    for run in client.list_runs(states=LIVE):
        yield run.run_id, f"{run.workflow}, {run.state}"


def _live_names(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    runs = list(client.list_runs(states=LIVE))
    yield from dict.fromkeys((run.workflow, "its runs") for run in runs)
    yield from ((run.run_id, f"{run.workflow}, {run.state}") for run in runs)


def _tasks(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    # An option without its value ends the parsing: what stood before it is in `args`, not in `params`.
    for run in ctx.args[:1]:
        tasks = [task for dag in client.get_run(run).dags for task in dag.tasks]
        yield from {task.name: task.state for task in tasks}.items()


def _workers(client: "ControlClient", ctx: click.Context) -> Iterator[Pair]:
    # Without their hosts, because shells break words at the @.
    yield from {worker.name.partition("@")[0]: "" for worker in client.list_workers()}.items()


_named_workflows = _completer(_workflows)
runs = _completer(_runs)
live_runs = _completer(_live_runs)
live_names = _completer(_live_names)
tasks = _completer(_tasks)
workers = _completer(_workers)


def workflows(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, and the names of the system's workflows."""
    files = [CompletionItem(incomplete, type="file")]
    is_path = "/" in incomplete or incomplete.startswith((".", "~"))
    return files if is_path else files + _named_workflows(ctx, param, incomplete)


def extensions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The installed extensions."""
    from lightflow.cli.flow.ext import installed

    return [name for name in installed() if name.startswith(incomplete)]
