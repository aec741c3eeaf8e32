"""Where exceptions become one or two lines on stderr and an exit code. Nothing else in the command lines does that."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import click

DEBUG = "LIGHTFLOW_DEBUG"
"""Environment variable: when set, the traceback of an error is shown before its message."""


class ExitCode(IntEnum):
    """What a command line ends with."""

    SUCCESS = 0
    FAILED = 1  # the run did not succeed, or what was asked could not be done
    WRONG_INPUT = 2
    NO_SYSTEM = 3  # nothing that could do it can be reached


class WrongInput(click.ClickException):
    """What was typed names something that is not there; the message says what is."""

    exit_code = ExitCode.WRONG_INPUT


class RunNotSucceeded(click.exceptions.Exit):
    """Ends the command because the run it waited for failed, was aborted or stopped; all is said by then."""

    def __init__(self) -> None:
        super().__init__(ExitCode.FAILED)


def run_guarded(body: Callable[[], Any], color: bool | None = None) -> int:
    """Call `body`; tell on stderr what went wrong, if anything. Answers with the exit code.

    `color` is False where colours are unwanted; None lets the place that is written to decide.
    """
    try:
        code = body()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.ctx.get_help())
        return ExitCode.SUCCESS
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell, and flushing at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.FAILED
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get(DEBUG):
            sys.excepthook(type(error), error, error.__traceback__)
        text, code = explain(error)
        click.echo(text.replace("Error:", click.style("Error:", fg="red"), 1), err=True, color=color)
    return code if isinstance(code, int) else ExitCode.SUCCESS


def explain(error: BaseException) -> tuple[str, ExitCode]:
    """What to tell of an error, and the exit code it ends the command with."""
    if isinstance(error, click.exceptions.Abort | KeyboardInterrupt | EOFError):
        return "Interrupted.", ExitCode.FAILED
    if isinstance(error, click.UsageError):
        return _usage(error), ExitCode.WRONG_INPUT
    if isinstance(error, click.ClickException):
        return f"Error: {error.format_message()}", ExitCode(error.exit_code)
    if isinstance(error, OSError) and error.filename is not None:
        return f"Error: {error.filename}: {error.strerror}", ExitCode.WRONG_INPUT
    from lightflow.core.errors import LightflowException

    if isinstance(error, LightflowException):
        return f"Error: {error}", _code_of(error)
    hint = f"this is a mistake in Lightflow; {DEBUG}=1 shows where"
    return f"Error: {type(error).__name__}: {error}\n({hint})", ExitCode.FAILED


def _usage(error: click.UsageError) -> str:
    text = f"Error: {error.format_message()}"
    if error.ctx is None or "\n" in text:
        return text
    return f"{text}\n`{error.ctx.command_path} --help` shows what it takes."


def _code_of(error: Exception) -> ExitCode:
    """By class: what the person typed or wrote is wrong, nothing can be reached, or it just did not work."""
    from lightflow.core import errors as known
    from lightflow.local.stack.errors import StackOptionInvalid

    wrong_input = (
        known.ConfigLoadError,
        known.ConfigOverwriteError,
        known.ConfigNotDefinedError,
        known.ConfigFieldError,
        known.WorkflowArgumentError,
        known.WorkflowImportError,
        known.WorkflowDefinitionError,
        known.DirectedAcyclicGraphInvalid,
        known.DirectedAcyclicGraphUndefined,
        known.DagNameUnknown,
        known.DataStoreKeyInvalid,
        known.DataStoreNotAList,
        known.DataTooLarge,
        known.InvalidRequest,
        known.RunUnknown,
        known.RunAmbiguous,
        known.TaskUnknown,
        known.TaskAmbiguous,
        known.WorkerUnknown,
        known.WorkerArgumentInvalid,
        known.WorkerNameTaken,
        StackOptionInvalid,
    )
    no_system = (known.NoControlService, known.NoWorkerAvailable, known.ServiceUnavailable, known.StackError)
    if isinstance(error, wrong_input):
        return ExitCode.WRONG_INPUT
    return ExitCode.NO_SYSTEM if isinstance(error, no_system) else ExitCode.FAILED
