"""The services in simulation: random schedules, every fault at every step, and bugs that must be found.

It runs in processes of its own, so that a seed means the same schedule everywhere. `make simulate` runs more.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "random schedules find nothing": ("--schedules", "120"),
    "no fault at any step of the code does harm": ("--schedules", "80", "--every-step"),
    "each of the planted bugs is found": ("--schedules", "250", "--plant-each"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS.keys())
def test_the_simulation(arguments: tuple[str, ...]) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_a_seed_is_the_same_schedule_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "5", "--schedules", "6", "--trace"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    traces = {
        re.sub(r"schedules in .*? s", "", subprocess.check_output(command, cwd=ROOT, env=environment, text=True))
        for _ in range(4)
    }
    assert len(traces) == 1
