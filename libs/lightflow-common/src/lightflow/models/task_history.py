"""The names of the tasks that a dataset came through, so that long histories cost little.

The histories of the tasks of one layer differ in their last name only. What came before it travels as one text, made
names for whoever asks for them; of many datasets that are merged each text is looked through once.
"""

SEPARATOR = "\n"

Packed = tuple[str, str]
"""What came before, and the last name."""

Names = list[str]
History = Names | Packed


def packed(history: History) -> History:
    """The history as it travels; as it is where its names cannot be told apart in a text."""
    if isinstance(history, tuple) or len(history) < 2:
        return history
    *before, last = history
    try:
        text = SEPARATOR.join(before)
    except TypeError:  # something else than a name was put in
        return history
    return (text, last) if text.count(SEPARATOR) == len(before) - 1 else history


def unpacked(history: History) -> Names:
    """The names of the history."""
    if isinstance(history, tuple):
        text, last = history
        return [*text.split(SEPARATOR), last]
    return history


class Known:
    """What was seen of histories that are being merged."""

    def __init__(self, names: Names) -> None:
        self._names = set(names)
        self._texts: set[str] = set()

    def fresh(self, history: History) -> Names:
        """The names of a history that were not seen before it, in its order."""
        unseen = [name for name in self._worth_a_look(history) if name not in self._names]
        self._names.update(unseen)
        return unseen

    def _worth_a_look(self, history: History) -> Names:
        if isinstance(history, tuple):
            text, last = history
            if text in self._texts:
                return [last]
            self._texts.add(text)
        return unpacked(history)
