"""The errors that workflows and clients meet: the whole family, under the name by which they import it."""

from lightflow.core.errors import *  # noqa: F403 (by its own list, which is the next line)
from lightflow.core.errors import __all__ as __all__
