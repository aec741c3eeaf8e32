"""Follow a run until it ends: its progress, what its tasks write, and Ctrl-C, which asks it to stop."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lightflow.cli.errors import RunNotSucceeded
from lightflow.cli.live import View, view
from lightflow.cli.logprinter import prefixed
from lightflow.cli.render.documents import run_document
from lightflow.cli.render.progress import Progress
from lightflow.cli.render.runs import summary, waiting_lines
from lightflow.cli.result import write_json
from lightflow.cli.session import Session
from lightflow.cli.streams import Happened, Streams
from lightflow.core.errors import RequestFailed
from lightflow.runtime.loglines import LogLines, Writer
from lightflow.runtime.reopening import OUTAGE

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

SILENCE = 3.0
"""Seconds without news after which a run in which nothing runs is asked what it waits for."""


def follow_to_end(client: "ControlClient", run_id: str, session: Session, *, show: bool = True) -> None:
    """Follow a run, tell how it ended, and end the command with exit code 1 unless it succeeded.

    Without `show` only the end is told.
    """
    run = Follower(client, run_id).follow(session) if show else wait(client, run_id)
    if session.json:
        write_json(run_document(run))
    else:
        click.echo(("\n" if show else "") + summary(run, datetime.now(UTC)))
    if run.state != "succeeded":
        raise RunNotSucceeded


def wait(client: "ControlClient", run_id: str) -> "pb.Run":
    """The run, once it is final. Ctrl-C ends the waiting, not the run; what it waits for in vain is told on stderr."""
    unserved = Unserved(client, run_id)
    with Streams(run=lambda: iter([client.wait_run(run_id)])) as streams:
        for happened in streams.read(quiet_after=SILENCE):
            if happened.kind == "quiet":
                for line in unserved.news():
                    click.echo(line, err=True)
            elif happened.kind == "interrupted":
                click.echo(f"Run {run_id} goes on; `lightflowctl stop {run_id}` stops it.", err=True)
                raise RunNotSucceeded
    return client.get_run(run_id)


class Unserved:
    """What a run waits for because nobody serves a queue; asked while nothing happens, told once."""

    def __init__(self, client: "ControlClient", run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._told: set[str] = set()

    def news(self) -> list[str]:
        """A line for each thing that waits and was not told of."""
        try:
            found = waiting_lines(self._client.get_run(self._run_id))
        except (*OUTAGE, RequestFailed):
            return []  # the streams are told of an outage too, and know how long to bear it
        fresh = [line for line in found if line not in self._told]
        self._told.update(fresh)
        return fresh


class Follower:
    """One run that is followed."""

    def __init__(self, client: "ControlClient", run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._progress = Progress()
        self._lines = LogLines()
        self._unserved = Unserved(client, run_id)
        self._interrupts = 0

    def follow(self, session: Session) -> "pb.Run":
        """Show the run until it is final; the answer is the whole of it."""
        streams = Streams(
            run=lambda: self._client.watch_run(self._run_id),
            logs=lambda: self._client.stream_logs(self._run_id, follow=True),
        )
        color = click.get_current_context().color
        with streams, view(self._progress, to_stderr=session.json, color=color) as shown:
            for happened in streams.read(quiet_after=SILENCE):
                self._take(happened, shown)
            for writer, line in self._lines.close():
                shown.say(self._prefixed(writer, line))
        return self._client.get_run(self._run_id)

    def _take(self, happened: Happened, shown: View) -> None:
        if happened.kind == "interrupted":
            self._interrupted(shown)
        elif happened.kind == "quiet":
            if not self._progress.runs_something:
                for line in self._unserved.news():
                    shown.say(line)
        elif happened.kind == "reopened":
            if happened.stream == "logs":
                self._lines.replay()
        elif happened.stream == "run":
            shown.progress(self._progress.update(happened.value))
        else:
            self._written(happened.value, shown)

    def _written(self, piece: "pb.StreamLogsResponse", shown: View) -> None:
        writer = Writer(piece.dag, piece.task, piece.attempt)
        lines = [self._prefixed(writer, line) for line in self._lines.feed(writer, piece.text)]
        if lines:
            shown.say("\n".join(lines))  # at once: a live view is drawn anew each time

    def _prefixed(self, writer: Writer, line: str) -> str:
        return prefixed(writer, line, full=self._progress.is_ambiguous(writer.task))

    def _interrupted(self, shown: View) -> None:
        if self._interrupts == 2:
            raise click.Abort
        now = self._interrupts == 1
        try:
            self._client.stop_run(self._run_id, now=now)
        except OUTAGE as error:
            shown.say(str(error))
            return
        self._interrupts += 1
        if now:
            shown.say("Killing what still runs in 10 s. Ctrl-C once more leaves without waiting.")
        else:
            shown.say("Stopping: running tasks may finish, nothing new starts. Ctrl-C once more kills them.")
