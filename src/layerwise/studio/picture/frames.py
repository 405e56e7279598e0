"""Binary frames: what changes many times a second, as a header and sections of plain arrays.

    magic "LW", version (u8), sections (u8), session revision (u32), step (u32)
    then for each section: kind (u8), type (u8), dimensions (u8), 0 (u8), each dimension (u32), the values

Numbers are little-endian; every section begins at a multiple of four bytes, so that a browser reads
it in place.
"""

import struct
from collections.abc import Mapping

import numpy as np

VERSION = 1
KINDS = (
    *("weights", "biases", "curve", "surface", "units", "confusion", "fit", "score", "caption", "health"),
    "other",  # of two side by side
    *("losses", "basins"),  # of many
    *("trials", "best", "margins"),  # of a race of searches
    "dropped",
    *("marks", "shades", "outs"),  # epochs that are spoken of; what is drawn of outputs
    *("parted", "order", "leaders"),  # of two, of many, of a race
)
TYPES: dict[str, tuple[int, str]] = {"float32": (1, "<f4"), "int32": (2, "<i4"), "uint8": (3, "u1")}
HEADER, SECTION = struct.Struct("<2sBBII"), struct.Struct("<BBBB")


def packed(revision: int, step: int, sections: Mapping[str, np.ndarray]) -> bytes:
    """One frame.

    >>> frame = packed(3, 50, {"biases": np.array([1.0, 2.0], np.float32)})
    >>> unpacked(frame)
    (3, 50, {'biases': array([1., 2.], dtype=float32)})
    """
    parts = [HEADER.pack(b"LW", VERSION, len(sections), revision, step)]
    for kind, values in sections.items():
        number, form = TYPES[values.dtype.name]
        parts.append(SECTION.pack(KINDS.index(kind), number, values.ndim, 0))
        parts.append(struct.pack(f"<{values.ndim}I", *values.shape))
        content = np.ascontiguousarray(values, form).tobytes()
        parts += [content, b"\0" * (-len(content) % 4)]
    return b"".join(parts)


def unpacked(frame: bytes) -> tuple[int, int, dict[str, np.ndarray]]:
    """Revision, step and sections of a frame. Raises ValueError where it is not one."""
    try:
        magic, version, count, revision, step = HEADER.unpack_from(frame)
        if (magic, version) != (b"LW", VERSION):
            raise ValueError(f"a frame of version {VERSION} begins with LW, not {frame[:3]!r}")
        at, found = HEADER.size, {}
        forms = dict(TYPES.values())
        for _ in range(count):
            kind, number, dimensions, _ = SECTION.unpack_from(frame, at)
            shape = struct.unpack_from(f"<{dimensions}I", frame, at + SECTION.size)
            at += SECTION.size + 4 * dimensions
            size = int(np.prod(shape)) * np.dtype(forms[number]).itemsize
            found[KINDS[kind]] = np.frombuffer(frame[at : at + size], forms[number]).reshape(shape)
            at += size + -size % 4
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError(f"the frame is cut short or altered: {error}") from None
    return revision, step, found
