import os
import signal
import threading
from collections.abc import Iterator

import pytest

from lightflow.cli.streams import Streams
from lightflow.core.errors import NoControlService, ServiceUnavailable
from lightflow.runtime.loglines import LogLines, Writer
from lightflow.runtime.reopening import reopened

WRITER = Writer("main:1", "first", 1)


def test_lines_are_put_together_from_pieces() -> None:
    lines = LogLines()
    assert lines.feed(WRITER, b"one\ntw") == ["one"]
    assert lines.feed(Writer("main:1", "other", 1), b"x\r\n") == ["x"]
    assert lines.feed(WRITER, b"o\n\nrest") == ["two", ""]
    assert lines.close() == [(WRITER, "rest")]


def test_a_character_that_is_cut_in_two_is_whole_again() -> None:
    lines = LogLines()
    assert lines.feed(WRITER, "é".encode()[:1]) == []
    assert lines.feed(WRITER, "é".encode()[1:] + b"\xff\n") == ["é\ufffd"]


def test_a_line_without_an_end_is_given_out_in_pieces() -> None:
    lines = LogLines()
    assert "".join(lines.feed(WRITER, b"x" * 200_000)) + lines.close()[0][1] == "x" * 200_000


def test_what_was_taken_before_a_replay_is_left_out() -> None:
    lines = LogLines()
    lines.feed(WRITER, b"one\ntw")
    lines.replay()
    assert lines.feed(WRITER, b"one\n") == []
    lines.replay()
    assert lines.feed(WRITER, b"one\ntwo\nth") == ["two"]
    assert lines.feed(WRITER, b"ree\n") == ["three"]


def flaky(*results: list[str] | None) -> Iterator[Iterator[str]]:
    """Streams one after the other; None is one that cannot be opened, a list one that is cut unless it is the last."""

    def stream(result: list[str] | None, last: bool) -> Iterator[str]:
        yield from result or ()
        if not last:
            raise NoControlService(("here",))

    for number, result in enumerate(results, 1):
        yield stream(result, number == len(results))


def test_a_stream_that_is_cut_is_opened_again() -> None:
    streams = flaky(["a"], None, ["a", "b"])
    assert list(reopened(lambda: next(streams), pause=lambda _: False)) == ["a", None, None, "a", "b"]


def test_a_stream_goes_on_after_its_service_could_not_reach_mongodb() -> None:
    def streams() -> Iterator[Iterator[str]]:
        yield broken()
        yield iter("b")

    def broken() -> Iterator[str]:
        yield "a"
        raise ServiceUnavailable("MongoDB", "it restarts")

    opened = streams()
    assert list(reopened(lambda: next(opened), pause=lambda _: False)) == ["a", None, "b"]


def test_a_service_that_stays_away_is_given_up() -> None:
    streams = flaky(["a"], None)
    with pytest.raises(NoControlService):
        list(reopened(lambda: next(streams), pause=lambda _: False, patience=-1))


def test_what_ends_a_stream_early_is_raised_to_the_reader() -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with Streams(one=broken) as streams:
        happenings = streams.read()
        assert next(happenings).value == "a"
        with pytest.raises(ZeroDivisionError):
            next(happenings)


def test_ctrl_c_comes_before_what_waits_to_be_read() -> None:
    with Streams(flood=lambda: iter(range(10_000))) as streams:
        happenings = streams.read()
        seen = [next(happenings).value for _ in range(3)]
        os.kill(os.getpid(), signal.SIGINT)
        assert next(happenings).kind == "interrupted"
        assert [*seen, *(happened.value for happened in happenings)] == list(range(10_000))


def test_silence_is_told() -> None:
    ended = threading.Event()

    def silent() -> Iterator[str]:
        ended.wait()
        yield "at last"

    with Streams(one=silent) as streams:
        happenings = streams.read(quiet_after=0.01)
        assert next(happenings).kind == "quiet"
        ended.set()
        assert next(happened for happened in happenings if happened.kind != "quiet").value == "at last"


def test_all_streams_are_read_to_their_end() -> None:
    with Streams(one=lambda: iter("ab"), two=lambda: iter("cd")) as streams:
        assert sorted(happened.value for happened in streams.read()) == ["a", "b", "c", "d"]
