"""Whether a service does its work, for whoever asks from outside the process: `python -m lightflow.runtime.health`.

The service writes what it knows of itself to the file that LIGHTFLOW_HEALTH_FILE names; asking reads that file, and
costs a few milliseconds: no client is loaded and no server asked. Healthy is who takes hints and proves its life to
MongoDB; `--live` asks only whether a restart would help: an outage of redis or MongoDB is no reason for one.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FILE = "LIGHTFLOW_HEALTH_FILE"
MISSED = 3
"""After how many signs of life that are due a service counts as unhealthy."""

SILENT = 30.0
"""Seconds after which a service that wrote nothing hangs, at least: a busy host is no hang."""

HANGS = 6
"""After how many checks in a row a consumer that was replaced and still takes nothing is beyond help."""


def report(now: float, interval: float, *, redis: float, mongodb: float, hangs: int) -> dict[str, Any]:
    """What a service knows of itself: seconds since it last reached each server, checks at which its consumer hung."""
    troubles = [
        f"{server} has not been reached for {silence:.0f} s"
        for server, silence in (("redis", redis), ("MongoDB", mongodb))
        if silence > MISSED * interval
    ]
    if hangs:
        troubles.append("hints wait and none is taken")
    return {"at": now, "interval": interval, "troubles": troubles, "live": hangs < HANGS}


def trouble(told: Mapping[str, Any], now: float, *, live: bool) -> str:
    """What is wrong, as a sentence; empty when nothing is."""
    silence = now - told["at"]
    if silence > max(SILENT, MISSED * told["interval"]):
        return f"the service hangs: it has said nothing for {silence:.0f} s"
    if live:
        return "" if told["live"] else "the consumer of hints hangs, and replacing it did not help"
    return "; ".join(told["troubles"])


def write(file: Path, told: Mapping[str, Any]) -> None:
    """Replace the file: whoever reads finds the old report or the new one."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(told))
    fresh.replace(file)


def forget(environment: Mapping[str, str]) -> None:
    """Remove what an earlier process said: until the service serves, nothing is known of it."""
    if name := environment.get(FILE):
        Path(name).unlink(missing_ok=True)


def main(arguments: list[str], environment: Mapping[str, str], say: Callable[[str], object] = print) -> int:
    """Say how the service of this host or container is; 0 when it is well."""
    name = environment.get(FILE)
    if not name:
        say(f"{FILE} is not set: the service says nowhere how it is")
        return 2
    try:
        told = json.loads(Path(name).read_text())
    except FileNotFoundError:
        say("the service does not serve yet")
        return 1
    # The same monotonic clock as the service's: it is one for all processes of a host.
    wrong = trouble(told, time.monotonic(), live="--live" in arguments)
    say(wrong or "well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
