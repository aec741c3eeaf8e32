"""The command lines of the two servers: on unix sockets only, durable, small."""

from lightflow.local.stack.binaries import Binary, find_mongod, find_redis
from lightflow.local.stack.places import Places
from lightflow.runtime.supervision.processes import ProcessSpec, Ready

CACHE_GIGABYTES = "0.25"


def redis_spec(places: Places, binary: Binary) -> ProcessSpec:
    """redis: every write goes to its append-only file, nothing is evicted, no snapshots beside it."""
    settings = {
        "port": "0",
        "unixsocket": str(places.redis_socket),
        "unixsocketperm": "700",
        "dir": str(places.redis_data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
    }
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return ProcessSpec(
        name="redis",
        service="redis",
        argv=(str(binary.path), *arguments),
        log=places.log("redis"),
        ready=Ready.PING,
        socket=places.redis_socket,
        environment=binary.environment,
    )


def mongod_spec(places: Places, binary: Binary) -> ProcessSpec:
    """mongod: stand-alone, a small cache, no diagnostic data; its log is what it prints."""
    arguments = (
        *("--dbpath", str(places.mongod_data)),
        *("--bind_ip", str(places.mongod_socket)),
        *("--port", "0", "--nounixsocket"),  # neither a TCP port nor the default socket in /tmp: the one above only
        *("--filePermissions", "0700"),
        *("--wiredTigerCacheSizeGB", CACHE_GIGABYTES),
        "--quiet",
        *("--slowms", "1000"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    )
    return ProcessSpec(
        name="mongod",
        service="mongod",
        argv=(str(binary.path), *arguments),
        log=places.log("mongod"),
        ready=Ready.CONNECT,
        socket=places.mongod_socket,
        environment={**binary.environment, "LC_ALL": "C"},  # it refuses to start in a locale that is not installed
        grace=20.0,
    )


def server_specs(places: Places) -> tuple[ProcessSpec, ProcessSpec]:
    """Both servers of a stack, redis first; makes their data folders. Raises ServerMissing, LibraryMissing."""
    specs = redis_spec(places, find_redis()), mongod_spec(places, find_mongod(places.libraries))
    for folder in (places.redis_data, places.mongod_data):
        folder.mkdir(mode=0o700, exist_ok=True)
    return specs


def redis_url(places: Places) -> str:
    """The redis server, as redis-py understands it."""
    return f"unix://{places.redis_socket}"


def broker_url(places: Places) -> str:
    """The redis server, as Celery understands it."""
    return f"redis+socket://{places.redis_socket}?virtual_host=0"


def mongo_uri(places: Places) -> str:
    """The MongoDB server, as pymongo understands it."""
    return "mongodb://" + str(places.mongod_socket).replace("%", "%25").replace("/", "%2F")
