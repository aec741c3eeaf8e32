"""Cutting output into lines."""

from lightflow.tasks.lines import Lines


def cut(*chunks: bytes) -> list[str]:
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.end()


def test_lines_keep_their_newline_and_the_last_may_have_none() -> None:
    assert cut(b"a\n\nb") == ["a\n", "\n", "b"]


def test_a_line_may_come_in_pieces_even_within_a_character() -> None:
    assert cut(b"gr\xc3", b"\xbcn", b"\n") == ["grün\n"]


def test_bytes_that_do_not_decode_are_replaced() -> None:
    assert cut(b"a\xffb\n") == ["a\ufffdb\n"]


def test_a_stream_without_output_has_no_line() -> None:
    assert cut() == []
