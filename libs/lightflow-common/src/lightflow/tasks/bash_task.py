"""A task that runs a command in a shell."""

from collections.abc import Callable
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Any

from lightflow.models import (
    Action,
    BaseTask,
    DataStoreDocument,
    MultiTaskData,
    TaskContext,
    TaskParameters,
    TaskSignal,
)
from lightflow.models.calling import call
from lightflow.tasks.command import Command
from lightflow.tasks.lines import Lines
from lightflow.tasks.process import Reader, ShellProcess, Stop

Callback = Callable[..., Any] | None


class BashTask(BaseTask):
    """Runs `command` in a shell, in a process group of its own.

    - `command`: text for the shell.
    - `cwd`, `env`: folder and environment (a dict); those of the worker unless given.
    - `user`, `group`: numeric ids; the group is set first.
    - `stdin`: text or bytes that the command reads.
    - `refresh_time`: seconds between two looks for a stop, where one cannot be waited for.
    - `capture_stdout`, `capture_stderr`: keep the output for `callback_end`.
    - `callback_process(pid, data, store, signal, context)`: called when the process has started.
    - `callback_stdout`, `callback_stderr`, `(line, data, store, signal, context)`: called for each line as it
      appears, a text with its newline.
    - `callback_end(returncode, stdout_file, stderr_file, data, store, signal, context)`: called at the end; the files
      are binary, at position 0, and None when not captured.
    - `options`: the arguments of `BaseTask`.

    Every value but the callbacks may be a callable `(data, store)` that yields it. A return code other than 0 does not
    fail the task: `callback_end` decides. What a callback raises ends the process and takes its usual effect. A stop or
    timeout ends the process group; `callback_end` still runs.
    """

    def __init__(
        self,
        name: str,
        command: Any,
        cwd: Any = None,
        env: Any = None,
        user: Any = None,
        group: Any = None,
        stdin: Any = None,
        refresh_time: Any = 0.1,
        capture_stdout: Any = False,
        capture_stderr: Any = False,
        callback_process: Callback = None,
        callback_end: Callback = None,
        callback_stdout: Callback = None,
        callback_stderr: Callback = None,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.params = TaskParameters(
            command=command,
            cwd=cwd,
            env=env,
            user=user,
            group=group,
            stdin=stdin,
            refresh_time=refresh_time,
            capture_stdout=capture_stdout,
            capture_stderr=capture_stderr,
        )
        self._callback_process = callback_process
        self._callback_end = callback_end
        self._callback_stdout = callback_stdout
        self._callback_stderr = callback_stderr

    def run(
        self, data: MultiTaskData, store: DataStoreDocument, signal: TaskSignal, context: TaskContext
    ) -> Action | None:
        """Run the command to its end, however it comes."""
        surroundings = (data, store, signal, context)
        params = self.params.eval(data, store)
        command = Command(params.command, params.cwd, params.env, params.user, params.group, params.stdin)
        stop = Stop(signal.stop_descriptor(), lambda: signal.is_stopped, max(0.01, params.refresh_time))
        with ExitStack() as stack:
            stdout = stack.enter_context(TemporaryFile()) if params.capture_stdout else None
            stderr = stack.enter_context(TemporaryFile()) if params.capture_stderr else None
            read_stdout = _reader(self._callback_stdout, stdout, surroundings)
            read_stderr = _reader(self._callback_stderr, stderr, surroundings)
            with ShellProcess(command, read_stdout, read_stderr) as process:
                if self._callback_process is not None:
                    call(self._callback_process, process.pid, *surroundings)
                returncode = process.pump(stop)
            for file in filter(None, (stdout, stderr)):
                file.seek(0)
            if self._callback_end is not None:
                call(self._callback_end, returncode, stdout, stderr, *surroundings)
        return Action(data)


def _reader(callback: Callback, file: IO[bytes] | None, surroundings: tuple[Any, ...]) -> Reader | None:
    """What takes the chunks of a stream, None when nobody wants them."""
    if callback is None and file is None:
        return None
    lines = Lines()

    def read(chunk: bytes) -> None:
        if file is not None:
            file.write(chunk)
        if callback is not None:
            for line in lines.feed(chunk) if chunk else lines.end():
                call(callback, line, *surroundings)

    return read
