"""Requests of the control service, built from plain values: what the sync and the async client share."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from lightflow.control.v1 import control_pb2 as pb
from lightflow.runtime.rpc.options import CHUNK

Write = TypeVar("Write", pb.SetDataRequest, pb.PushDataRequest, pb.ExtendDataRequest)


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time as the contract says it; one without a zone is taken as UTC."""
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time if time.tzinfo else time.replace(tzinfo=UTC))
    return stamp


def duration(seconds: float | None) -> Duration | None:
    """Seconds as the contract says them."""
    if seconds is None:
        return None
    span = Duration()
    span.FromNanoseconds(round(seconds * 1e9))
    return span


def chunks(data: bytes, size: int = CHUNK) -> Iterator[bytes]:
    """The data in pieces; empty data is one empty piece."""
    view = memoryview(data)
    for start in range(0, max(len(data), 1), size):
        yield bytes(view[start : start + size])


def arguments(text: Mapping[str, str], encoded: Mapping[str, bytes]) -> Iterable[pb.Argument]:
    """Start arguments: text as typed, and Python values in the BSON value encoding."""
    for name, typed in text.items():
        yield pb.Argument(name=name, text=typed)
    for name, value in encoded.items():
        yield pb.Argument(name=name, encoded=bson_value(value))


def bson_value(data: bytes) -> pb.Value:
    """A value in the BSON value encoding."""
    return pb.Value(encoding=pb.Value.ENCODING_BSON, data=data)


def pickle_value(data: bytes) -> pb.Value:
    """A cloudpickle."""
    return pb.Value(encoding=pb.Value.ENCODING_PICKLE, data=data)


def data_key(run_id: str, key: str, section: str) -> pb.DataKey:
    """Where in the store of a run a value lies."""
    return pb.DataKey(run_id=run_id, key=key, section=section)


def writes(
    kind: type[Write], key: pb.DataKey, value: bytes, operation_id: str, encoding: "pb.Value.Encoding.ValueType"
) -> Iterator[Write]:
    """The messages of one write: everything but the chunk is in the first."""
    for number, chunk in enumerate(chunks(value)):
        if number:
            yield kind(chunk=chunk)
        else:
            yield kind(key=key, operation_id=operation_id, encoding=encoding, chunk=chunk)


def upload(name: str, archive: bytes) -> Iterator[pb.UploadWorkflowRequest]:
    """The messages of one upload."""
    for number, chunk in enumerate(chunks(archive)):
        yield pb.UploadWorkflowRequest(chunk=chunk) if number else pb.UploadWorkflowRequest(name=name, chunk=chunk)
