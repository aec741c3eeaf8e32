"""The short form: every kind of fault, twice, while workflows run; nothing is lost, doubled or stuck."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.faults import FAULTS

ROOT = Path(__file__).parents[2]
LIMIT = 400.0
"""Seconds, on a machine that has next to no time for it; usually it takes a quarter."""


@pytest.mark.timeout(LIMIT + 20)
def test_nothing_is_lost_doubled_or_stuck_whatever_breaks() -> None:
    command = [sys.executable, "-m", "tests.chaos"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"it was not over after {LIMIT:.0f} s: {late.stdout!r}")
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    found = re.search(r"^runs (\d+) faults (\d+) lost 0 doubled 0 stuck 0$", told, re.MULTILINE)
    assert found, told
    assert int(found[1]) > 0, told
    for name in FAULTS:
        struck = re.search(rf"^{name} +(\d+) ", told, re.MULTILINE)
        assert (struck and int(struck[1]) >= 2) or f"{name}: skipped" in told, told
