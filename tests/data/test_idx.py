"""The IDX reader: every type, every axis, and every way a file can be wrong."""

import contextlib
import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.data import idx
from layerwise.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def header(code, shape):
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)


def encoded(values):
    code = CODES[values.dtype.str[1:]]
    return header(code, values.shape) + values.astype(values.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0,), (3, 0, 2), (1, 1, 1, 7)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_every_type_and_shape_comes_back(tmp_path, kind, shape, pack):
    values = (np.arange(math.prod(shape)) * 37 - 5 * (kind != "u1")).astype(kind).reshape(shape)
    path = tmp_path / "values"
    path.write_bytes(pack(encoded(values)))
    result = idx.read(path)
    assert result.dtype == values.dtype
    assert result.dtype.isnative
    assert np.array_equal(result, values)
    assert result.flags.writeable


def test_an_array_larger_than_one_read(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (3, 700, 1000), np.uint8)
    path = tmp_path / "values.gz"
    path.write_bytes(gzip.compress(encoded(values), 1))
    assert np.array_equal(idx.read(path), values)


WHOLE = encoded(np.arange(600, dtype=np.uint8).reshape(2, 300))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 11, 12, 100, len(WHOLE) - 1])
def test_a_file_cut_short_is_refused(tmp_path, pack, length):
    path = tmp_path / "short"
    path.write_bytes(pack(WHOLE[:length]))
    with pytest.raises(DataError, match="is whole") as error:
        idx.read(path)
    assert error.value.place == "short"


@given(st.integers(1, len(gzip.compress(WHOLE)) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_gzip_stream_cut_short_is_refused(tmp_path, length):
    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(WHOLE)[:length])
    with pytest.raises(DataError):
        idx.read(path)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_in_a_gzip_file_never_changes_a_number(tmp_path, data):
    """It is noticed, or it hit a bit without meaning: one of the header's, or padding."""
    packed = bytearray(gzip.compress(WHOLE, mtime=0))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "flipped.gz"
    path.write_bytes(bytes(packed))
    with contextlib.suppress(DataError):
        assert encoded(idx.read(path)) == WHOLE


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_else_is_refused_without_another_exception(tmp_path, content):
    path = tmp_path / "anything"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert idx.read(path).size <= len(content)


def test_bytes_after_the_end_are_refused(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(WHOLE + b"\0")
    with pytest.raises(DataError, match="ends with its last number"):
        idx.read(path)


@pytest.mark.parametrize(
    "start", [b"\x00\x01\x08\x01", b"\x00\x00\x0a\x01", b"\x00\x00\x08\x00", b"\x00\x00\x08\xff", b"x1,x"]
)
def test_another_format_is_refused(tmp_path, start):
    path = tmp_path / "table.csv"
    path.write_bytes(start + b"\0" * 20)
    with pytest.raises(DataError, match="begins with two zero bytes"):
        idx.read(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(2**32 - 1,), (2**32 - 1,) * 3, (50_000, 28, 28), (2**31, 2**31) + (2**31,) * 60])
def test_huge_claims_are_refused_before_memory_is_taken(tmp_path, pack, shape):
    path = tmp_path / "claims"
    path.write_bytes(pack(header(0x08, shape) + b"\0" * 100))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is whole"):
            idx.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="can be read") as error:
        idx.read(tmp_path / "none.gz")
    assert error.value.received == "No such file or directory"
    with pytest.raises(DataError, match="can be read"):
        idx.read(tmp_path)
