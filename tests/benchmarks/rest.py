"""What is measured once: a system at rest, how soon the command line answers, what the servers are asked."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import psutil
from tests.benchmarks.counts import asked
from tests.benchmarks.system import System
from tests.benchmarks.works import Measure, many_runs, seconds_of, took

SERVERS = ("redis", "mongod")
IDLE_SECONDS = 15.0

COUNTED: dict[str, tuple[int, Measure]] = {
    "task of a chain of 100": (100, seconds_of("chain_100")),
    "task of 1 -> 1000 -> 1": (1002, seconds_of("fan_1000")),
    "two-task run": (100, many_runs(100)),
}


def at_rest(both: System) -> dict[str, dict[str, float]]:
    """CPU in percent of one core and memory in MB (each shared page divided among its users) of each service."""
    services = [each for each in both.stack.info.processes if each.service not in SERVERS]
    trees = {each.name: _tree(each.pid) for each in services if each.pid is not None}
    before = {name: _cpu(tree) for name, tree in trees.items()}
    time.sleep(IDLE_SECONDS)
    return {
        name: {
            "cpu_percent": (_cpu(tree) - before[name]) / IDLE_SECONDS * 100,
            "memory_mb": sum(process.memory_full_info().pss for process in tree) / 1e6,
        }
        for name, tree in trees.items()
    }


def command_line() -> float:
    """Milliseconds until `lightflowctl --help` has answered."""
    program = Path(sys.executable).with_name("lightflowctl")
    answer = [took(lambda: subprocess.run([program, "--help"], check=True, capture_output=True)) for _ in range(11)]
    return median(answer) * 1000


def counted(both: System) -> dict[str, dict[str, float]]:
    """MongoDB commands, redis commands and messages, starting and waiting included."""
    found = {}
    for name, (count, work) in COUNTED.items():
        before = asked(both.db, both.redis)
        work(both)
        spent = asked(both.db, both.redis)
        spent.subtract(before)
        found[name] = {kind: round(number / count, 2) for kind, number in spent.items()}
    return found


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _cpu(tree: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in tree)
