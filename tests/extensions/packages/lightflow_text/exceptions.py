"""What can go wrong with text files."""


class TextPathError(RuntimeError):
    """The path is not absolute."""
