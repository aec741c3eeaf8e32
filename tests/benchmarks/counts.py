"""What the servers are asked per task, counted by the servers: it does not depend on the mood of the machine."""

from collections import Counter
from typing import Any

from redis import Redis

BESIDE = ("serverStatus", "hello", "isMaster", "ping")
"""Commands of who counts, and of drivers that look after their connections."""


def commands(db: Any) -> int:
    """MongoDB commands so far; a bulk of a hundred writes is one."""
    told = db.command("serverStatus")["metrics"]["commands"]
    return sum(each["total"] for name, each in told.items() if isinstance(each, dict) and name not in BESIDE)


def asked(db: Any, redis: "Redis[bytes]") -> Counter[str]:
    """MongoDB commands, redis commands and messages so far."""
    stats = redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    calls.pop("info", None)
    return Counter({"mongodb": commands(db), "redis": sum(calls.values()), "messages": calls.get("lpush", 0)})
