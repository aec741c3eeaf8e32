"""The names of the tasks that a dataset came through, so that long histories cost little.

The histories of the tasks of one layer differ in their last name only. What came before it travels as one text, made
names for whoever asks for them; of many datasets that are merged each text is looked through once.
"""

from typing import NamedTuple

SEPARATOR = "\n"

Names = list[str]


class Packed(NamedTuple):
    """A history as it travels: the names before the last one, in one text, and the last one."""

    before: str
    last: str

    def names(self) -> Names:
        """The names, oldest first."""
        return [*self.before.split(SEPARATOR), self.last]


def packed(history: Names | Packed) -> Names | Packed:
    """The history as it travels; as it is where its names cannot be told apart in a text."""
    if isinstance(history, Packed) or len(history) < 2:
        return history
    *before, last = history
    try:
        text = SEPARATOR.join(before)
    except TypeError:  # something else than a name was put in
        return history
    return Packed(text, last) if text.count(SEPARATOR) == len(before) - 1 else history


class Seen:
    """What was seen of histories that are being merged."""

    def __init__(self, names: Names) -> None:
        self._names = set(names)
        self._texts: set[str] = set()

    def add(self, history: Names | Packed) -> Names:
        """See another history; those of its names that were not seen before it, in its order."""
        new = [name for name in self._worth_a_look(history) if name not in self._names]
        self._names.update(new)
        return new

    def _worth_a_look(self, history: Names | Packed) -> Names:
        if not isinstance(history, Packed):
            return history
        if history.before in self._texts:
            return [history.last]
        self._texts.add(history.before)
        return history.names()
