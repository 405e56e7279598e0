"""The IDX file format, in which MNIST and its relatives are published.

A file is two zero bytes, a byte for the type of the numbers, a byte for the number of axes, the
length of each axis as an unsigned 32-bit number, and the numbers themselves, all big-endian.
"""

import gzip
import math
import os
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from layerwise.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

GZIP_RATIO = 1032  # no deflate stream expands further, so a small file cannot claim a large array

Numbers = Shaped[np.ndarray, "..."]


def read(path: Path) -> Numbers:
    """The array of an IDX file, gzipped or not, in the machine's byte order.

    Raises `DataError` where the file is not IDX, or holds more or fewer bytes than its header says;
    a header that claims more than the file can hold is refused before anything is allocated.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=file) as unzipped:
                    return _read(unzipped, size * GZIP_RATIO, path.name)
            return _read(file, size, path.name)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _cut_short("a gzip stream that ends early or is damaged", path.name) from None
    except OSError as error:
        raise DataError("the file can be read", received=error.strerror or str(error), place=str(path)) from None


def _read(file: BufferedIOBase, limit: int, name: str) -> Numbers:
    zeros, kind, axes = struct.unpack(">HBB", _exactly(file, 4, name))
    if zeros or kind not in TYPES or not 1 <= axes <= 64:  # as many as NumPy can hold
        raise DataError(
            "an IDX file begins with two zero bytes, a type and a number of axes",
            received=f"the bytes {struct.pack('>HBB', zeros, kind, axes).hex(' ')}",
            remedy="give an IDX file such as train-images-idx3-ubyte.gz",
            place=name,
        )
    shape = struct.unpack(f">{axes}I", _exactly(file, 4 * axes, name))
    dtype = np.dtype(TYPES[kind])
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise _cut_short(f"a header that says {shape}, {size} bytes", name)
    values = np.empty(size, np.uint8)
    if _fill(file, values) < size:
        raise _cut_short(f"fewer bytes than the {size} that its header says", name)
    if file.read(1):
        raise DataError(
            "an IDX file ends with its last number", received=f"bytes after the {size} expected", place=name
        )
    return values.view(dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _exactly(file: BufferedIOBase, count: int, name: str) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise _cut_short("an end within the header", name)
    return data


def _fill(file: BufferedIOBase, values: Shaped[np.ndarray, " bytes"]) -> int:
    """Read into `values` until it is full or the file ends; how many bytes were read."""
    filled, room = 0, values.data
    while filled < len(values):
        count = file.readinto(room[filled : filled + (1 << 20)])
        if not count:
            break
        filled += count
    return filled


def _cut_short(received: str, name: str) -> DataError:
    return DataError("an IDX file is whole", received=received, remedy="fetch the file again", place=name)
