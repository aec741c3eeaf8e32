"""What client and server of a channel must agree on: keepalive, sizes and deadlines."""

from typing import Final

CHUNK: Final = 512 * 1024
"""Bytes of a value or an archive in one message."""

MESSAGE_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of one message; values that travel in chunks are not bound by it."""

METADATA_LIMIT: Final = 64 * 1024
"""Bytes of a call's metadata: errors travel there, with the user's own traceback."""

CALL_TIMEOUT: Final = 30.0
LOAD_TIMEOUT: Final = 60.0
"""Seconds for calls that may load a workflow file: more than its loader is given."""

VALUE_TIMEOUT: Final = 600.0
"""Seconds for values and archives of any size."""

Options = list[tuple[str, int]]

_KEEPALIVE_MS: Final = 20_000
_COMMON: Final[Options] = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_metadata_size", METADATA_LIMIT),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_LIMIT),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 10_000),
]


def client_options() -> Options:
    """Options of a channel: it pings only while a call is open, and connects again quickly."""
    return [
        *_COMMON,
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 2_000),  # also how long one attempt to connect may take
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.enable_http_proxy", 0),
    ]


def server_options() -> Options:
    """Options of a server: it takes the pings that our clients send, with room for a clock that runs fast."""
    return [
        *_COMMON,
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _KEEPALIVE_MS // 2),
        ("grpc.http2.max_ping_strikes", 0),
    ]
