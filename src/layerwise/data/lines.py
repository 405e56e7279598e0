"""Where the records of a CSV text begin and end: a scan of its bytes.

A newline or delimiter inside quotes belongs to a field. As a quote inside a quoted field is
doubled, a byte is inside quotes if the number of quotes before it is odd.
"""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, UInt8

_QUOTE, _NEWLINE = ord('"'), ord("\n")
_BLANK = re.compile(rb"\n(?:[ \r]*\n|[ \r]+\Z)")


class Records(NamedTuple):
    """Byte ranges of the records that are not blank, and the number of fields in each."""

    starts: Int64[np.ndarray, " records"]
    ends: Int64[np.ndarray, " records"]  # after the newline
    fields: Int64[np.ndarray, " records"]


def _outside(units: UInt8[np.ndarray, " bytes"]) -> Bool[np.ndarray, " bytes"]:
    """Whether each byte stands outside of quotes."""
    parity = np.cumsum(units == _QUOTE, dtype=np.uint8) & 1  # wraps at 256, which keeps the parity
    outside: Bool[np.ndarray, " bytes"] = parity == 0
    return outside


def cut(text: bytes) -> int:
    """The number of bytes up to the last newline that ends a record; 0 where there is none.

    >>> cut(b'1,2\\n3,"a\\nb')
    4
    """
    if b'"' not in text:
        return text.rfind(b"\n") + 1
    units = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero((units == _NEWLINE) & _outside(units))
    return int(ends[-1]) + 1 if len(ends) else 0


def scan(text: bytes, delimiter: str) -> Records:
    """All records of `text`; the last need not end in a newline.

    >>> scan(b'a,b\\n\\n"x,y\\n",1', ",").fields.tolist()
    [2, 2]
    """
    units = np.frombuffer(text, dtype=np.uint8)
    if not len(units):
        return Records(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    breaks, between = units == _NEWLINE, units == ord(delimiter)
    if b'"' in text:
        outside = _outside(units)
        breaks, between = breaks & outside, between & outside
    ends = np.flatnonzero(breaks) + 1
    if len(ends) == 0 or ends[-1] < len(text):
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    fields = np.diff(np.searchsorted(np.flatnonzero(between), np.concatenate([starts[:1], ends]))) + 1
    doubtful = np.flatnonzero(np.isin(units[starts], np.frombuffer(b" \r\n", dtype=np.uint8)))
    keep = np.ones(len(starts), dtype=np.bool_)
    keep[[i for i in doubtful if not text[starts[i] : ends[i]].strip(b" \r\n")]] = False
    return Records(starts[keep], ends[keep], fields[keep])


def without_blanks(text: bytes) -> bytes:
    """The text without the lines that hold nothing; `text` itself where there are none.

    >>> without_blanks(b'1,2\\n\\n3,"a\\n\\nb"\\n')
    b'1,2\\n3,"a\\n\\nb"\\n'
    """
    if not _BLANK.search(b"\n" + text):
        return text
    found = scan(text, ",")
    return b"".join(text[start:end] for start, end in zip(found.starts, found.ends, strict=True))
