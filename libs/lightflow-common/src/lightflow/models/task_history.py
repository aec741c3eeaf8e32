"""The names of the tasks that a dataset came through, so that long histories cost little.

The histories of the tasks of one layer differ in their last name only, and that of a task from its predecessor's by one
more. So the names travel as texts, those far back compressed and never touched again; names are made of them for
whoever asks, and of many datasets that are merged each text is looked through once.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

SEPARATOR = "\n"

CHUNK = 256
"""Names in a compressed text."""

Names = list[str]


class Packed(NamedTuple):
    """A history as it travels: compressed texts of CHUNK names, a text of up to as many, and the last name."""

    chunks: tuple[bytes, ...]
    before: str
    last: str

    def names(self) -> Names:
        """The names, oldest first."""
        return [*_names_in(self.texts()), self.last]

    def texts(self) -> list[bytes | str]:
        """The texts of all names but the last."""
        return [*self.chunks, self.before]


History = Names | Packed


def packed(history: History) -> History:
    """The history as it travels; a list where its names cannot be told apart in a text."""
    if isinstance(history, Packed):
        return history
    if len(history) < 2 or not all(map(_fits, history)):
        return list(history)
    *before, last = history
    texts = [SEPARATOR.join(before[at : at + CHUNK]) for at in range(0, len(before), CHUNK)]
    return Packed(tuple(map(_compressed, texts[:-1])), texts[-1], last)


def extended(history: History, names: Names) -> History:
    """The history with more names; a list is extended itself."""
    if not isinstance(history, Packed):
        history.extend(names)
        return history
    tail = [*_names_in([history.before]), history.last, *names]
    more = packed(tail)
    if not isinstance(more, Packed):
        return [*_names_in(history.chunks), *tail]
    return Packed(history.chunks + more.chunks, more.before, more.last)


def copied(history: History) -> History:
    """The same history, of which nobody else has the list."""
    return history if isinstance(history, Packed) else list(history)


class Joined:
    """A history that is joined with others: of each those names that were not seen before it, in its order."""

    def __init__(self, history: History) -> None:
        self._first = history
        self._more: Names = []
        self._names: set[str] = set()
        self._texts: set[bytes | str] = set()

    def add(self, history: History) -> None:
        """Join it with one more."""
        if not self._first:
            self._first = history
            return
        if not self._names:  # only now: mostly there is nothing to compare it with
            self._see(self._first)
        self._more += self._see(history)

    def result(self) -> History:
        """All of them."""
        history = copied(self._first)
        return extended(history, self._more) if self._more else history

    def _see(self, history: History) -> Names:
        """The names that were not seen before; they are now."""
        new = [name for name in self._unread(history) if name not in self._names]
        self._names.update(new)
        return new

    def _unread(self, history: History) -> Names:
        """The names of a history without those of texts that were read before."""
        if not isinstance(history, Packed):
            return history
        texts = [text for text in history.texts() if text not in self._texts]
        self._texts.update(texts)
        return [*_names_in(texts), history.last]


def _fits(name: object) -> bool:
    """Whether a name can be told apart in a text: one may put anything into a history."""
    return isinstance(name, str) and SEPARATOR not in name


def _compressed(text: str) -> bytes:
    return zlib.compress(text.encode(errors="surrogatepass"), level=1)


def _names_in(texts: Iterable[bytes | str]) -> Names:
    names: Names = []
    for text in texts:
        plain = zlib.decompress(text).decode(errors="surrogatepass") if isinstance(text, bytes) else text
        names += plain.split(SEPARATOR)
    return names
