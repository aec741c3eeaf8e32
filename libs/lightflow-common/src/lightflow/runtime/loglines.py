"""What tasks wrote, from the pieces in which it travels to whole lines. Pure: fed with pieces, asked for lines."""

import re
from typing import NamedTuple

LONGEST_LINE = 64 * 1024
"""Bytes; what is longer without an end is given out in pieces."""

_END = re.compile(rb"\r?\n")


class Writer(NamedTuple):
    """An attempt of a task."""

    dag: str
    task: str
    attempt: int


class LogLines:
    """Puts the pieces of many attempts together, each by itself.

    After `replay()` the pieces start again from the first; those that were taken before are left out.
    """

    def __init__(self) -> None:
        self._rest: dict[Writer, bytes] = {}
        self._taken: dict[Writer, int] = {}
        self._skip: dict[Writer, int] = {}

    def feed(self, writer: Writer, piece: bytes) -> list[str]:
        """The lines that this piece completes, without their ends."""
        known = min(self._skip.get(writer, 0), len(piece))
        if known:
            self._skip[writer] -= known
            piece = piece[known:]
        self._taken[writer] = self._taken.get(writer, 0) + len(piece)
        *lines, rest = _END.split(self._rest.pop(writer, b"") + piece)
        while len(rest) > LONGEST_LINE:
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        if rest:
            self._rest[writer] = rest
        return [line.decode(errors="replace") for line in lines]

    def replay(self) -> None:
        """The stream was cut and starts again from the beginning."""
        self._skip = dict(self._taken)

    def close(self) -> list[tuple[Writer, str]]:
        """What is left without an end of line."""
        left = [(writer, rest.decode(errors="replace")) for writer, rest in self._rest.items()]
        self._rest.clear()
        return left
