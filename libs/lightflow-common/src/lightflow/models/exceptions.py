"""The errors that workflows and clients meet, under the name by which they import them.

All are LightflowExceptions, and so RuntimeErrors; `str` of one says what is wrong and what to do about it.
"""

from lightflow.core.errors import *  # noqa: F403 (by its own list, which is the next line)
from lightflow.core.errors import __all__ as __all__
