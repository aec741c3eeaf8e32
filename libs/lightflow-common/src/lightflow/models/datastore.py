"""The store of a run, as its tasks see it."""

from typing import Any

from lightflow.models.calls import StoreCalls


class DataStoreDocumentSection:
    """The sections of a run's store: the users' data, and the run's log."""

    Meta = "meta"
    Data = "data"


class DataStoreDocument:
    """The data of a whole run, shared by its tasks. Keys use dots for nesting."""

    def __init__(self, calls: StoreCalls) -> None:
        self._calls = calls

    def get(self, key: str, default: Any = None, *, section: str = DataStoreDocumentSection.Data) -> Any:
        """The value under the key, `default` when there is none."""
        return self._calls.get(key, default, section)

    def set(self, key: str, value: Any, *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Put the value under the key; missing levels are created. True."""
        self._calls.set(key, value, section)
        return True

    def push(self, key: str, value: Any, *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Append the value to the list under the key, atomically. True."""
        self._calls.push(key, value, section)
        return True

    def extend(self, key: str, values: list[Any], *, section: str = DataStoreDocumentSection.Data) -> bool:
        """Append all values to the list under the key, atomically; False when `values` is no list."""
        if not isinstance(values, list):
            return False
        self._calls.extend(key, values, section)
        return True
