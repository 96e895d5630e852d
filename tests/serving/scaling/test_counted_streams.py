"""Streams of HTTP/2 are counted from the frames that pass, whatever pieces they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from fairway.serving.scaling.activator.frames import PREFACE, Side, Streams


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
END = 1


def test_a_call_begins_with_the_clients_headers_and_ends_with_the_servers_last_frame() -> None:
    streams = Streams()
    assert streams.feed(Side.CLIENT, PREFACE + _frame(SETTINGS, 0, 0)) == (0, 0)
    assert streams.feed(Side.CLIENT, _frame(HEADERS, 4, 1, b"path") + _frame(DATA, END, 1, b"question")) == (1, 0)
    assert streams.feed(Side.SERVER, _frame(HEADERS, 4, 1, b"status") + _frame(DATA, 0, 1, b"answer")) == (0, 0)
    assert streams.open == {1}
    assert streams.feed(Side.SERVER, _frame(HEADERS, END | 4, 1, b"trailers")) == (0, 1)
    assert streams.open == set()


def test_either_side_may_reset_a_stream() -> None:
    streams = Streams()
    streams.feed(Side.CLIENT, PREFACE + _frame(HEADERS, 4, 1) + _frame(HEADERS, 4, 3))
    assert streams.feed(Side.CLIENT, _frame(RESET, 0, 1, b"0000")) == (0, 1)
    assert streams.feed(Side.SERVER, _frame(RESET, 0, 3, b"0000")) == (0, 1)
    assert streams.feed(Side.SERVER, _frame(RESET, 0, 3, b"0000")) == (0, 0)


def test_trailers_of_the_client_begin_no_second_stream() -> None:
    streams = Streams()
    assert streams.feed(Side.CLIENT, PREFACE + _frame(HEADERS, 4, 1) + _frame(HEADERS, END | 4, 1)) == (1, 0)


@given(some.lists(some.integers(1, 40), min_size=1), some.integers(1, 20))
def test_pieces_of_any_size_say_the_same(sizes: list[int], calls: int) -> None:
    numbers = range(1, 2 * calls, 2)
    asked = PREFACE + b"".join(_frame(HEADERS, 4, n, b"p" * n) + _frame(DATA, END, n, b"q" * 3) for n in numbers)
    answered = b"".join(_frame(HEADERS, 4, n, b"s" * n) + _frame(DATA, END, n) for n in numbers)
    streams = Streams()
    assert _fed(streams, Side.CLIENT, asked, sizes) == (calls, 0)
    assert _fed(streams, Side.SERVER, answered, sizes) == (0, calls)


def _fed(streams: Streams, side: Side, data: bytes, sizes: list[int]) -> tuple[int, int]:
    began = ended = place = 0
    while data:
        size = sizes[place % len(sizes)]
        begins, ends = streams.feed(side, data[:size])
        began, ended, data, place = began + begins, ended + ends, data[size:], place + 1
    return began, ended
