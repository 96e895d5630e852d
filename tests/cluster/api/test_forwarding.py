"""SPDY frames: they survive their bytes, in pieces of any size, and nonsense is refused at once."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.cluster.api.forwarding import channels, spdy
from fairway.cluster.api.forwarding.spdy import PING, SYN_REPLY, SYN_STREAM, Frame, Malformed, Reader, Writer
from fairway.kernel.objects.errors import BadRequest

numbers = st.integers(1, 2**31 - 1)
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
headers = st.dictionaries(texts.map(str.lower), texts, max_size=5)
frames = st.one_of(
    st.builds(Frame, st.just(0), numbers, st.binary(max_size=200), last=st.booleans()),
    st.builds(Frame, st.sampled_from([SYN_STREAM, SYN_REPLY]), numbers, headers=headers, last=st.booleans()),
    st.builds(Frame, st.just(PING), numbers),
)


@given(st.lists(frames, max_size=6), st.integers(1, 50))
def test_frames_survive_their_bytes_in_any_pieces(sent: list[Frame], size: int) -> None:
    writer, reader = Writer(), Reader()
    stream = b"".join(map(writer.frame, sent))
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == sent


def test_the_dictionary_is_the_protocols_own() -> None:
    assert (len(spdy.dictionary()), zlib.adler32(spdy.dictionary())) == (1423, 0xE3C6A7C2)


@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_waited_for(data: bytes) -> None:
    reader = Reader()
    try:
        for _ in reader.feed(data):
            pass
    except Malformed as refusal:
        assert str(refusal)


def test_a_bomb_of_headers_is_refused() -> None:
    packed = zlib.compressobj(zdict=spdy.dictionary())
    block = packed.compress(bytes(10_000_000)) + packed.flush(zlib.Z_SYNC_FLUSH)
    payload = struct.pack(">I", 1) + bytes(6) + block
    with pytest.raises(Malformed, match="larger than"):
        list(Reader().feed(struct.pack(">II", 1 << 31 | 3 << 16 | SYN_STREAM, len(payload)) + payload))


@pytest.mark.parametrize("values", [[], ["x"], ["0"], ["70000"], ["1,,b"]])
def test_ports_that_are_none_are_refused(values: list[str]) -> None:
    with pytest.raises(BadRequest, match="ports"):
        channels.ports(values)
    assert channels.ports(["80,81", "82"]) == [80, 81, 82]
