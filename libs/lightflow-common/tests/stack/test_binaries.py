import sys
from pathlib import Path

import pytest

from lightflow.local.stack import binaries
from lightflow.local.stack.errors import LibraryMissing, ServerMissing

LISTING = """
	linux-vdso.so.1 (0x00007ffc)
	libcurl.so.4 => not found
	liblzma.so.5 => /lib/liblzma.so.5 (0x00007f)
	libssl-8b66dd34.so.3 => not found
"""


def make_program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    return program


def test_a_server_on_path_comes_before_one_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    valkey = make_program(tmp_path, "valkey-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.find_redis().path == valkey
    redis = make_program(tmp_path, "redis-server")
    assert binaries.find_redis().path == redis


def test_a_server_of_a_wheel_is_taken_where_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.find_redis().path.name == "valkey-server"
    assert binaries.find_mongod(tmp_path / "libraries").path.name == "mongod"


def test_a_package_that_carries_a_server_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_program(tmp_path / "carrier" / "bin", "redis-server")
    (tmp_path / "carrier" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert binaries.in_wheels([("carrier", "bin/redis-server")]) == program


def test_where_there_is_no_server_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "REDIS_WHEELS", (("no_such_wheel", "redis"),))
    monkeypatch.setattr(binaries, "MONGOD_WHEELS", (("no_such_wheel", "mongod"),))
    with pytest.raises(ServerMissing, match=r"redis-server or valkey-server.*pip install 'lightflow\[embedded\]'"):
        binaries.find_redis()
    with pytest.raises(ServerMissing, match="mongod is not on PATH"):
        binaries.find_mongod(tmp_path)


def test_libraries_that_the_loader_does_not_find_are_seen() -> None:
    assert binaries.unresolved(LISTING) == ["libcurl.so.4", "libssl-8b66dd34.so.3"]


def test_a_library_is_borrowed_under_its_longer_name(tmp_path: Path) -> None:
    for name in ("libcurl-330bcbb6.so.4.8.0", "libcurl-old.so.3", "libcurlother-1.so.4"):
        (tmp_path / name).touch()
    assert binaries.carried_library("libcurl.so.4", [tmp_path]) == tmp_path / "libcurl-330bcbb6.so.4.8.0"
    assert binaries.carried_library("liblzma.so.5", [tmp_path]) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux wheels carry libraries")
def test_mongod_starts_with_borrowed_libraries(tmp_path: Path) -> None:
    mongod = binaries.in_wheels(binaries.MONGOD_WHEELS)
    assert mongod is not None
    environment = binaries.borrow_libraries(mongod, ["libcurl.so.4"], tmp_path)
    assert binaries.missing_libraries(mongod, environment) == []
    assert (tmp_path / "libcurl.so.4").resolve().name.startswith("libcurl-")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux wheels carry libraries")
def test_libraries_that_nobody_carries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "missing_libraries", lambda *_: ["libcurl.so.4"])
    monkeypatch.setattr(binaries, "LIBRARY_WHEEL", "no_such_wheel")
    with pytest.raises(LibraryMissing, match=r"needs libcurl\.so\.4"):
        binaries.borrow_libraries(Path("mongod"), ["libcurl.so.4"], tmp_path)
