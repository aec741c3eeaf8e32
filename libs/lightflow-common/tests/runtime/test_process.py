import asyncio
import os

import pytest

from lightflow.runtime import process
from lightflow.runtime.process import notify_ready, run_service, serve_until, when_reachable


async def test_work_goes_on_until_it_is_told_to_stop_and_is_finished_then():
    stop, ended, log = asyncio.Event(), asyncio.Event(), []

    async def work():
        try:
            await ended.wait()
        finally:
            log.append("work ended")

    async def finish():
        log.append("finishing")

    serving = asyncio.create_task(serve_until(stop, work(), finish=finish))
    stop.set()
    await serving
    assert log == ["finishing", "work ended"]


async def test_work_that_breaks_ends_the_process_with_its_error():
    async def broken():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await serve_until(asyncio.Event(), broken(), asyncio.Event().wait())


async def test_what_cannot_be_reached_is_tried_again(monkeypatch):
    monkeypatch.setattr(process, "FIRST_DELAY", 0.0)
    tries = iter([ConnectionError("away"), ConnectionError("away"), "there"])

    async def attempt():
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    assert await when_reachable("the server", attempt) == "there"


async def test_an_error_of_another_kind_is_not_waited_out():
    async def attempt():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await when_reachable("the server", attempt)


def test_whoever_started_a_service_is_told_once_that_it_serves(monkeypatch):
    reader, writer = os.pipe()
    monkeypatch.setenv("LIGHTFLOW_READY_FD", str(writer))
    notify_ready()
    notify_ready()
    assert os.read(reader, 10) == b"1"
    assert os.read(reader, 10) == b"", "the descriptor is closed"
    os.close(reader)


def test_a_service_needs_no_file_where_the_environment_says_it_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LIGHTFLOW_CONFIG", raising=False)
    monkeypatch.setenv("LIGHTFLOW_STORE_URI", "mongodb://there")
    monkeypatch.setattr(process, "configure", lambda settings: None)
    seen = []

    async def main(config, stop):
        seen.append(config.data_store["uri"])

    run_service("scheduler", main)
    assert seen == ["mongodb://there"]
