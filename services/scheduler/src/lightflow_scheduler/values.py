"""Python values as they travel: any encoding of the contract to a tree, which is never unpickled here."""

import json
from collections.abc import AsyncIterable, Iterator
from typing import Any

from bson.binary import Binary
from bson.errors import BSONError

from lightflow.control.v1 import control_pb2 as pb
from lightflow.core.errors import DataTooLarge, InvalidRequest
from lightflow.runtime.datastore.tree import LIMIT, PICKLE_SUBTYPE, from_tree, to_tree
from lightflow.runtime.rpc.requests import chunks


def tree_of(value: pb.Value) -> Any:
    """The tree of a value; InvalidRequest where its bytes are not of its encoding."""
    return _tree(value.encoding, value.data)


def bson_of(encoding: int, data: bytes) -> bytes:
    """A value in the BSON value encoding."""
    if encoding == pb.Value.ENCODING_BSON:
        to_tree(data)
        return data
    try:
        return from_tree(_tree(encoding, data))
    except (BSONError, OverflowError) as error:
        raise InvalidRequest("value", f"the store cannot hold it ({error})") from error


async def collect(first: bytes, rest: AsyncIterable[Any], limit: int = LIMIT, what: str = "The value") -> bytes:
    """The chunks of a stream, joined; DataTooLarge beyond the limit."""
    parts, size = [first], len(first)
    async for message in rest:
        size += len(message.chunk)
        if size > limit:
            raise DataTooLarge(what, size, limit)
        parts.append(message.chunk)
    return b"".join(parts)


def results(encoding: "pb.Value.Encoding.ValueType", data: bytes) -> Iterator[pb.GetResultResponse]:
    """The messages of a result."""
    for number, chunk in enumerate(chunks(data)):
        yield pb.GetResultResponse(chunk=chunk) if number else pb.GetResultResponse(encoding=encoding, chunk=chunk)


def found(data: bytes | None) -> Iterator[pb.GetDataResponse]:
    """The messages of a value of the store."""
    if data is None:
        yield pb.GetDataResponse(found=False)
        return
    for number, chunk in enumerate(chunks(data)):
        if number:
            yield pb.GetDataResponse(chunk=chunk)
        else:
            yield pb.GetDataResponse(found=True, encoding=pb.Value.ENCODING_BSON, chunk=chunk)


def _tree(encoding: int, data: bytes) -> Any:
    if encoding == pb.Value.ENCODING_BSON:
        return to_tree(data)
    if encoding == pb.Value.ENCODING_PICKLE:
        return Binary(data, PICKLE_SUBTYPE)
    if encoding == pb.Value.ENCODING_JSON:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("value", f"it is not JSON ({error})") from error
    raise InvalidRequest("encoding", "it is missing; say JSON, BSON or PICKLE")
