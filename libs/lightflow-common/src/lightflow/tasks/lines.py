"""Cutting a byte stream into lines."""


class Lines:
    """Collects chunks and yields whole lines; a chunk is searched once, however long its line becomes."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes, each with its newline; bytes that do not decode are replaced."""
        *whole, rest = chunk.split(b"\n")
        lines = []
        for part in whole:
            self._rest.append(part)
            lines.append(self._take() + "\n")
        if rest:
            self._rest.append(rest)
        return lines

    def end(self) -> list[str]:
        """The last line, if the stream did not end with a newline."""
        return [self._take()] if self._rest else []

    def _take(self) -> str:
        line = b"".join(self._rest).decode(errors="replace")
        self._rest.clear()
        return line
