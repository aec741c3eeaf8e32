import threading

import pytest

from lightflow.core.outcomes import Ending, ErrorInfo, Outcome
from lightflow.runtime.loglines import Writer
from lightflow_task_worker.echo import MOST_WAITING, Echo, Terminal


def test_what_a_task_writes_is_shown_line_by_line_with_its_name_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    echo = Echo(terminal, Writer("main:1", "first", 2))
    for piece in (b"one\ntw", b"o\nthree"):
        echo.write(piece)
    echo.close(Outcome(Ending.ERROR, ErrorInfo("ValueError", "no luck", "Traceback\n  here")))
    terminal.close()
    label = "main:1/first (attempt 2) | "
    shown = ["one", "two", "three", "Traceback", "  here", "(error: ValueError: no luck)"]
    assert capsys.readouterr().out == "".join(f"{label}{line}\n" for line in shown)


class Held:
    """A terminal that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.text = ""

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        self.free.wait()
        self.text += text

    def flush(self) -> None:
        pass


def test_a_terminal_that_is_held_does_not_hold_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held()
    monkeypatch.setattr("sys.stdout", held)
    terminal = Terminal()
    for _ in range(2 * MOST_WAITING):
        terminal.show("x")
    held.free.set()
    while "left out" not in held.text:
        terminal.show("y")
    terminal.close()
    assert held.text.count("x") <= MOST_WAITING + 1
