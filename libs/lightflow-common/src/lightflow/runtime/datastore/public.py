"""`DataStore`: the store of runs for scripts and extensions, which connect to MongoDB by themselves."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect

from lightflow.core.errors import DataStoreNotConnected
from lightflow.core.ids import new_id, new_run_id
from lightflow.core.secrecy import masked
from lightflow.models.datastore import DataStoreDocument, DataStoreDocumentSection
from lightflow.runtime.datastore.encoding import decode, encode
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.payloads import Payloads
from lightflow.runtime.signing import signer_for

KEY_FILE = "LIGHTFLOW_ENGINE_SIGNING_KEY_FILE"  # the system's key: objects that are no plain values need it
ATTEMPTS = 5  # each of which waits for the server up to the connect timeout

Document = dict[str, Any]
Result = TypeVar("Result")


class DataStore:
    """A connection of one's own to the stores of all runs, for scripts and extensions; also a context manager.

    `connect_timeout` is in milliseconds; `auto_connect` connects at once; `handle_reconnect` repeats what a broken
    connection interrupted. `DataStore(**config.data_store)` is the store of a configuration; `uri` wins over host and
    port, as it does there. Reading pickled objects needs the system's signing key: where a file holds it,
    LIGHTFLOW_ENGINE_SIGNING_KEY_FILE names it. Raises DataStoreNotConnected when there is no connection, or no answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        database: str,
        *,
        username: str | None = None,
        password: str | None = None,
        auth_source: str = "admin",
        auth_mechanism: str | None = None,
        connect_timeout: int = 30000,
        auto_connect: bool = False,
        handle_reconnect: bool = True,
        uri: str | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._uri = uri
        self.database = database
        self._credentials: dict[str, Any] = {}
        if username:
            self._credentials = {"username": username, "password": password, "authSource": auth_source}
            self._credentials |= {"authMechanism": auth_mechanism} if auth_mechanism else {}
        self._timeout = connect_timeout
        self._attempts = ATTEMPTS if handle_reconnect else 1
        self._connection: _Connection | None = None
        if auto_connect:
            self.connect()

    def __enter__(self) -> "DataStore":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    @property
    def is_connected(self) -> bool:
        """Whether connect() was called and disconnect() was not."""
        return self._connection is not None

    def connect(self) -> None:
        """Connect; the server is asked for with the first call."""
        if self._connection is None:
            self._connection = _Connection(self._uri or self.host, self.port, self._timeout, self._credentials)

    def disconnect(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def server_info(self) -> Document:
        """What the server says of itself: its version and more."""
        return self.call(lambda store: store.server_info())

    def exists(self, workflow_id: str) -> bool:
        """Whether there is a run or a document of that id."""
        return self.call(lambda store: store.runs.exists(workflow_id))

    def add(self, payload: Document | None = None) -> str:
        """Make a document without a run, the payload in its meta section; gives its id."""
        workflow_id = new_run_id()
        document = self._document(workflow_id)
        document.set("created_by", "DataStore.add", section=DataStoreDocumentSection.Meta)
        for key, value in (payload or {}).items():
            document.set(key, value, section=DataStoreDocumentSection.Meta)
        return workflow_id

    def remove(self, workflow_id: str) -> None:
        """Remove what is stored for that id, its blobs included; the record of a run stays."""
        for section in (DataStoreDocumentSection.Data, DataStoreDocumentSection.Meta):
            self.call(lambda store, section=section: store.runs.remove_data(workflow_id, section))  # type: ignore[misc]

    def get(self, workflow_id: str) -> DataStoreDocument | None:
        """The document of that id, None when there is none."""
        return self._document(workflow_id) if self.exists(workflow_id) else None

    def call(self, action: "Callable[[_Stores], Awaitable[Result]]") -> Result:
        """Do something with the stores, again when the connection broke meanwhile; for Lightflow itself."""
        for left in reversed(range(self._attempts)):
            if self._connection is None:
                raise DataStoreNotConnected
            try:
                return self._connection.run(self._with_stores(action))
            except AutoReconnect as error:
                if not left:
                    raise DataStoreNotConnected(f"The data store at {self._address}: {error}") from error
        raise AssertionError("unreachable")

    @property
    def _address(self) -> str:
        return str(masked(self._uri)) if self._uri else f"{self.host}:{self.port}"

    async def _with_stores(self, action: "Callable[[_Stores], Awaitable[Result]]") -> Result:
        assert self._connection is not None
        return await action(await self._connection.stores(self.database))

    def _document(self, workflow_id: str) -> DataStoreDocument:
        return DataStoreDocument(_Calls(self, workflow_id))


class _Calls:
    """The calls of a document; each write keeps its operation id when it is sent again."""

    def __init__(self, store: DataStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def get(self, key: str, default: Any, section: str) -> Any:
        data = self._store.call(lambda store: store.runs.get(self._run_id, key, section))
        return default if data is None else decode(data)

    def set(self, key: str, value: Any, section: str) -> None:
        data, operation = encode(value), new_id()
        self._store.call(lambda store: store.runs.set(self._run_id, key, data, section, operation))

    def push(self, key: str, value: Any, section: str) -> None:
        data, operation = encode(value), new_id()
        self._store.call(lambda store: store.runs.push(self._run_id, key, data, section, operation))

    def extend(self, key: str, values: list[Any], section: str) -> None:
        data, operation = encode(list(values)), new_id()
        self._store.call(lambda store: store.runs.extend(self._run_id, key, data, section, operation))


class _Stores:
    """What a connection reaches."""

    def __init__(self, client: AsyncMongoClient[Document], runs: RunStore) -> None:
        self._client = client
        self.runs = runs

    async def server_info(self) -> Document:
        return await self._client.server_info()


class _Connection:
    """A client with an event loop of its own, in a thread: callers may have a loop themselves, as notebooks do."""

    def __init__(self, host: str, port: int, timeout: int, credentials: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lightflow-datastore", daemon=True)
        self._thread.start()
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            host,
            port if not host.startswith("/") else None,
            w="majority",
            journal=True,
            retryWrites=False,
            connectTimeoutMS=timeout,
            serverSelectionTimeoutMS=timeout,
            **credentials,
        )
        self._stores: _Stores | None = None

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def stores(self, database: str) -> _Stores:
        if self._stores is None:
            db = self._client[database]
            key_file = os.environ.get(KEY_FILE)
            signer = await signer_for(Path(key_file) if key_file else None, db)
            self._stores = _Stores(self._client, RunStore(db, Payloads(db, signer)))
        return self._stores

    def close(self) -> None:
        self.run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
