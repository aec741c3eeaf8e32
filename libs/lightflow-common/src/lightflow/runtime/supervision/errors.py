# ruff: noqa: N818 - named like the rest of the family
"""What can go wrong with a supervised process."""

from dataclasses import dataclass

from lightflow.core.errors import StackError


@dataclass(eq=False, repr=False)
class ProcessNotReady(StackError):
    """A process does not come up; `log` is the file that tells why, where it has one, `tail` the end of it."""

    process: str
    reason: str
    log: str = ""
    tail: str = ""
    template = "The system did not start: {self.process} {self.reason}{self.place}{self.ending}"

    @property
    def place(self) -> str:
        return f"; its log is {self.log}" if self.log else ""

    @property
    def ending(self) -> str:
        return f" and ends with\n{self.tail}" if self.tail else ""
