"""Errors of data between tasks, and of the store of a run."""

from lightflow.core.exception import LightflowException, with_fields


class DataInvalidIndex(LightflowException):
    """No dataset at that index."""

    template = "There is no dataset at that index."


class DataInvalidAlias(LightflowException):
    """No dataset of that name or alias."""

    template = "There is no dataset of that alias."


class DataStoreNotConnected(LightflowException):
    """The data store was used before it was connected, or has lost its server."""

    template = "The data store is not connected; call connect() first."


class DataStoreIDExists(LightflowException):
    """A run of that id exists already."""

    template = "A run with that id exists in the data store already."


class DataStoreIDInvalid(LightflowException):
    """Not an id of the data store."""

    template = "That is no id of the data store."


class DataStoreGridfsIdInvalid(LightflowException):
    """A stored value refers to a blob that is gone."""

    template = "The stored value refers to a blob that does not exist."


class DataStoreDecodeUnknownType(LightflowException):
    """A stored value has a type that this release cannot read."""

    template = "The stored value has a type that cannot be decoded."


@with_fields
class DataStoreNotAList(LightflowException):
    """push or extend met a value that is no list."""

    key: str
    template = "The value under {self.key!r} is not a list; push and extend only append to lists"


@with_fields
class DataStoreKeyInvalid(LightflowException):
    """A key of the store that cannot name a value."""

    key: str
    reason: str = "use names joined by dots"
    template = "{self.key!r} is no key of the store: {self.reason}"


@with_fields
class DataTooLarge(LightflowException):
    """Something exceeds a limit; `size` and `limit` in bytes."""

    what: str
    size: int
    limit: int
    template = "{self.what} has {self.size:,} bytes and {self.limit:,} are the limit"


@with_fields
class PayloadForged(LightflowException):
    """Stored bytes do not carry the signature of this system."""

    what: str = "a stored payload"
    template = "The signature of {self.what} is wrong: it was made with another key, or was tampered with"
