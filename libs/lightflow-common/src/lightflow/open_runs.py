"""Runs that a client holds and has not seen end: who waits for one of them is told of the ends of others, too."""

from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from lightflow.core.states import FINAL

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

AT_ONCE = 100
"""Runs that are asked about along with the one that is waited for, the oldest ones."""


@dataclass(slots=True, weakref_slot=True)
class Known:
    """What was last heard of a run, by any thread."""

    message: "pb.Run"
    _lock: Lock = field(default_factory=Lock)

    def hear(self, message: "pb.Run") -> None:
        """Take this for what the run is now, unless it is known to have ended: the answer is older then."""
        with self._lock:
            if not self.is_final:
                self.message = message

    @property
    def is_final(self) -> bool:
        """Whether it has ended, which nothing changes."""
        return self.message.state in FINAL


class OpenRuns:
    """The open runs of a client that somebody still holds."""

    def __init__(self, control: "ControlClient") -> None:
        self._control = control
        self._runs: WeakValueDictionary[str, Known] = WeakValueDictionary()
        self._lock = Lock()

    def add(self, run: Known) -> None:
        """Ask about this one, too, from now on."""
        with self._lock:
            self._runs[run.message.run_id] = run

    def wait(self, run: Known, patience: float | None) -> None:
        """Hear of a run when it is final, or as it is after so many seconds."""
        run_id = run.message.run_id
        with self._lock:
            others = list(islice((other for other in self._runs if other != run_id), AT_ONCE))
        answer = self._control.wait_run(run_id, patience, others)
        run.hear(answer.run)
        with self._lock:
            for ended in (*answer.ended, *([answer.run] if run.is_final else [])):
                if (known := self._runs.pop(ended.run_id, None)) is not None:
                    known.hear(ended)
