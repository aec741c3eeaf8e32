"""What `run`, `start`, `show` and `deploy` share: naming a workflow, handing over a file, starting a run."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lightflow.cli import completing
from lightflow.cli.errors import WrongInput
from lightflow.cli.parsing import parse_arguments
from lightflow.cli.sources import File, Named, find_source

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is asked for."""

    source: Named | File
    arguments: dict[str, str]
    queue: str
    keep_data: bool

    @classmethod
    def of(cls, workflow: str, arguments: tuple[str, ...], queue: str, keep_data: bool) -> "Start":
        """From what was typed; refuses it with what to type instead."""
        return cls(find_source(workflow), parse_arguments(arguments), queue, keep_data)

    def send(self, client: "ControlClient", libraries: list[Path]) -> "pb.Run":
        """Start the run; the answer comes once the workflow has loaded and its arguments are checked."""
        from lightflow.core.ids import new_id

        with said(self.source):
            name, upload = handed_over(client, self.source, libraries)
            answer = client.start_run(
                name, upload=upload, text=self.arguments, key=new_id(), queue=self.queue, keep_data=self.keep_data
            )
        for line in misnamed(answer, self.arguments):
            click.echo(line, err=True)
        return answer.run


def misnamed(answer: "pb.StartRunResponse", given: Collection[str]) -> list[str]:
    """A note for each argument that no option names although one that was not given is called nearly so."""
    from lightflow.core.nearest import nearest

    options = [name for name in answer.run.arguments.fields if name not in given]
    near = [(name, nearest(name, options)) for name in answer.unnamed]
    return [
        f"Note: {name!r} is no option of {answer.run.workflow} and is stored as given; was {meant!r} meant?"
        for name, meant in near
        if meant
    ]


def start_options(command: Command) -> Command:
    """Arguments and options of commands that start a run."""
    for decorate in (
        click.option("-k", "--keep-data", is_flag=True, help="Keep the run's data store after its end."),
        click.option("-q", "--queue", default="", metavar="NAME", help="Queue of the run  [default: workflow]."),
        click.argument("arguments", metavar="[NAME=VALUE]...", nargs=-1),
        click.argument("workflow", metavar="NAME|FILE", shell_complete=completing.workflows),
    ):
        command = decorate(command)
    return command


def handed_over(client: "ControlClient", source: Named | File, libraries: list[Path]) -> tuple[str, str]:
    """How a request names the workflow, as (name, upload); a file is uploaded, with the helpers that it imports."""
    if isinstance(source, Named):
        return source.name, ""
    from lightflow.runtime.sources import gather

    return "", client.upload_workflow(source.name, gather(source.path, libraries))


@contextmanager
def said(source: Named | File) -> Iterator[None]:
    """Errors in terms of what was typed: an unknown name that is a file here, an uploaded file by its own path."""
    from lightflow.core.errors import WorkflowUnknown
    from lightflow.runtime.sources import said_of

    try:
        with said_of(source.path if isinstance(source, File) else None):
            yield
    except WorkflowUnknown as error:
        if isinstance(source, Named) and Path(f"{source.name}.py").is_file():
            raise WrongInput(f"{error}\nA file of that name is here: write {source.name}.py") from None
        raise
