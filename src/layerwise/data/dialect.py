"""How a CSV file is written: its encoding, its delimiter and its decimal sign, found out from its beginning."""

import codecs
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from layerwise.data import lines
from layerwise.errors import DataError

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Usual(NamedTuple):
    """How the tables are written that this one is to be read like, where it leaves something open; else "auto"."""

    delimiter: str = "auto"
    encoding: str = "auto"
    decimal: str = "auto"


NONE_USUAL = Usual()


def encoding_of(sample: bytes, wanted: str, name: str) -> tuple[str, int, bool]:
    """The encoding, the length of the mark before the text, and whether it is certain."""
    marks = [(encoding, len(bom)) for bom, encoding in _BOMS if sample.startswith(bom)]
    if wanted == "auto":
        if marks:
            return (*marks[0], True)
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if max(even, odd) > 0.3 * len(sample) / 2 and min(even, odd) < 0.01 * len(sample):
            return ("utf-16-le" if odd > even else "utf-16-be"), 0, True
        return "utf-8", 0, False
    try:
        encoding = codecs.lookup(wanted).name
        usable = encoding.startswith("utf-16") or 'a,;|"\n'.encode(encoding).decode("ascii") == 'a,;|"\n'
    except (LookupError, UnicodeError, TypeError, ValueError):
        usable = False
    if not usable:
        raise DataError(
            "`encoding` names a text encoding that tables are written in", received=repr(wanted),
            remedy='e.g. "utf-8", "cp1252", "utf-16"; or leave it out to have it found out', place=name,
        )  # fmt: skip
    if encoding == "utf-16":
        encoding = marks[0][0] if marks and marks[0][0].startswith("utf-16") else "utf-16-le"
    encoding = {"utf-8-sig": "utf-8", "iso8859-1": "latin-1"}.get(encoding, encoding)
    return encoding, next((length for mark, length in marks if mark == encoding), 0), True


def other_encoding(raw: bytes, usual: str) -> str:
    """Of a text that is not UTF-8: the usual, or Windows' western one, or Latin-1 where a byte has no meaning in it."""
    if usual != "auto":
        with suppress(LookupError, UnicodeError):
            raw.decode(usual)
            return codecs.lookup(usual).name
    return "latin-1" if any(byte in raw for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)) else "cp1252"


def delimiter_of(text: bytes, wanted: str, usual: str) -> str:
    """The delimiter by which most of the first records have as many fields as the header."""
    if wanted != "auto":
        if len(wanted) != 1 or not wanted.isascii() or wanted in '"\r\n\0':
            raise DataError(
                "a delimiter is one character, and no quote or line break", received=repr(wanted),
                remedy='e.g. delimiter = ";"',
            )  # fmt: skip
        return wanted
    start = text[: 1 << 18]
    if end := lines.cut(start):
        start = start[:end]
    best, chosen = (0.0, 0), ","
    for candidate in (*DELIMITERS, *([usual] if usual != "auto" else [])):
        fields = lines.scan(start, candidate).fields[:100]
        if len(fields) and fields[0] > 1:
            score = (float(np.mean(fields == fields[0])), int(fields[0]))
            best, chosen = max((best, chosen), (score, candidate), key=lambda pair: pair[0])
    return chosen


def decimal_of(head: "pl.DataFrame", usual: str) -> str:
    """A comma where more fields look like 3,14 (or 1.234,5) than like 3.14.

    Where there is a usual sign, the other takes more fields that can only be read with it: 1.234 and 1,234 may
    be thousands.
    """
    grouped = r"[0-9]{1,3}(\.[0-9]{3})+"
    if usual == "auto":
        comma, point = rf"([0-9]+|{grouped}),[0-9]+", r"[0-9]+\.[0-9]+"
    else:
        certain = r"(0|[0-9]{{4,}}){0}[0-9]+|[0-9]+{0}([0-9]{{1,2}}|[0-9]{{4,}})"
        comma, point = rf"{certain.format(',')}|{grouped},[0-9]+", certain.format(r"\.")
    counts = {
        sign: sum(series.str.contains(rf"^\s*[+-]?({pattern})\s*$").sum() or 0 for series in head.head(1000))
        for sign, pattern in ((",", comma), (".", point))
    }
    if usual != "auto" and counts[","] == counts["."]:
        return usual
    return "," if counts[","] > counts["."] else "."
