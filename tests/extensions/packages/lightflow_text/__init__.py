"""Tasks for text files."""

from .exceptions import TextPathError
from .replace_task import ReplaceTask

__all__ = ["ReplaceTask", "TextPathError"]
