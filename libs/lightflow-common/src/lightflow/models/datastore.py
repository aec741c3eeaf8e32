"""The store of a run, as its tasks see it."""

from importlib import import_module
from typing import Any

from lightflow.core.errors import InvalidRequest
from lightflow.models.calls import StoreCalls


class DataStoreDocumentSection:
    """The sections of a run's store."""

    Meta = "meta"
    """the run's log: `name`, `queue`, `start_time`, `log.<dag>.tasks.<task>.duration` and the like"""
    Data = "data"
    """the users' data"""


class DataStoreDocument:
    """The data of a whole run, shared by its tasks; tasks are given it as `store`.

    Keys use dots for nesting. Values are any Python objects, of any size: plain ones (numbers, texts, bytes, datetimes,
    lists, dicts, None) are stored as such, others are pickled. `section` is a `DataStoreDocumentSection`.
    Raises DataStoreKeyInvalid for a key that cannot name a value.
    """

    def __init__(self, calls: StoreCalls) -> None:
        self._calls = calls

    def get(self, key: str, default: Any = None, *, section: str = DataStoreDocumentSection.Data) -> Any:
        """The value under the key, `default` when there is none; a key above others gives a dict of them."""
        return self._calls.get(key, default, _checked(section))

    def set(self, key: str, value: Any, *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Put the value under the key; missing levels are created. True."""
        self._calls.set(key, value, _checked(section))
        return True

    def push(self, key: str, value: Any, *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Append the value to the list under the key, atomically; a missing list is created. True.

        Raises DataStoreNotAList when something else is under the key.
        """
        self._calls.push(key, value, _checked(section))
        return True

    def extend(self, key: str, values: list[Any], *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Append all values to the list under the key, atomically; False when `values` is no list.

        Raises DataStoreNotAList as `push` does.
        """
        if not isinstance(values, list):
            return False
        self._calls.extend(key, values, _checked(section))
        return True


def __getattr__(name: str) -> Any:
    """`DataStore` speaks to MongoDB, which nothing else here does: it loads when it is asked for."""
    if name != "DataStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("lightflow.runtime.datastore.public").DataStore


def _checked(section: str) -> str:
    if section not in (DataStoreDocumentSection.Data, DataStoreDocumentSection.Meta):
        raise InvalidRequest("section", f"{section!r} is no section; there are data and meta")
    return section
