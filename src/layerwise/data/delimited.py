"""Reading CSV: delimiter, encoding and decimal sign found out, faults named with their row.

A file is read in chunks of whole records, each parsed by Polars, so that a file of any size needs
the memory of one chunk. A row's number is that of the line it begins on, the header being row 1, as
spreadsheets and editors count.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from layerwise.data import lines
from layerwise.data.columns import Notation
from layerwise.data.dialect import DELIMITERS, NONE_USUAL, Usual, decimal_of, delimiter_of, encoding_of, other_encoding
from layerwise.errors import DataError

if TYPE_CHECKING:
    import polars as pl

CHUNK = 8 << 20  # bytes; Polars is as fast at 4 MiB as at 16
LONGEST = 32 << 20  # bytes of one record; beyond, a quote was not closed, or it is no table
WIDEST = 20_000  # columns
_SAMPLE = 1 << 16
_MAGIC = {
    b"PK\3\4": "a zip or Excel file", b"\x1f\x8b": "a gzip file", b"%PDF": "a PDF file", b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image", b"SQLite format 3": "a SQLite database", b"\x7fELF": "a program",
    b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file", b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
}  # fmt: skip


class Chunk(NamedTuple):
    """Whole records as UTF-8, and the byte of the file (without its mark) where they begin."""

    text: bytes
    offset: int


class DelimitedFile:
    """A CSV file as a table: `columns`, a `head`, and `batches` over all its rows.

    `delimiter`, `encoding` and `decimal` are found out where "auto", with a preference for the `usual`;
    `missing` are the texts that mean "no value". Raises `DataError` for whatever is wrong with the file, with
    the row.
    """

    def __init__(
        self,
        path: Path,
        missing: Sequence[str],
        delimiter: str = "auto",
        encoding: str = "auto",
        decimal: str = "auto",
        usual: Usual = NONE_USUAL,
    ) -> None:
        self.path = path
        self._usual = usual
        self.name = path.name
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
        for magic, what in _MAGIC.items():
            if sample.startswith(magic):
                raise _not_text(self.name, what)
        self.encoding, self._bom, self._sure = encoding_of(sample, encoding, self.name)
        self._mac = b"\r" in sample and b"\n" not in sample
        self._missing = list(missing)
        self._index: list[tuple[int, int]] = []  # first data row and byte offset of each chunk
        self.delimiter = delimiter
        self.columns: tuple[str, ...] = ()
        first = next((c for c in self._chunks() if c.text.strip()), None)
        if first is None:
            raise DataError(
                "a data file holds rows", received="an empty file", remedy="check the path", place=self.name
            )
        self.delimiter = delimiter_of(first.text, delimiter, usual.delimiter)
        self.columns = self._header(first)
        self._head = self._read_head()
        if decimal == "auto":  # fields that are otherwise parted come from elsewhere, and with another sign
            alike = usual.delimiter in ("auto", self.delimiter)
            decimal = decimal_of(self._head, usual.decimal if alike else "auto")
        self.notation = Notation(frozenset(missing), decimal)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what was found out, where it is not the usual."""
        found = []
        if self.delimiter != ",":
            found.append(f"{self.name}: fields are separated by {DELIMITERS.get(self.delimiter, repr(self.delimiter))}")
        if self.encoding != "utf-8":
            found.append(f"{self.name}: read as {self.encoding}")
        if self.notation.decimal == ",":
            found.append(f"{self.name}: numbers have a decimal comma")
        return tuple(found)

    @property
    def head(self) -> "pl.DataFrame":
        """The rows of the first chunk, all texts."""
        return self._head

    def batches(self, numbers: frozenset[str] = frozenset()) -> Iterator["pl.DataFrame"]:
        """All rows in order, as texts; as float64 the columns `numbers` of a batch that parses as such."""
        numbers = numbers if self.notation.decimal == "." else frozenset()
        row, index = 0, []
        for chunk in self._bodies():
            frame = self._frame(chunk, numbers)
            if frame.height:
                index.append((row, chunk.offset))
                row += frame.height
                yield frame
        self._index = index

    def place(self, row: int) -> str:
        """Where data row `row`, counted from 0, stands in the file; reads up to there."""
        for chunk in self._bodies():
            starts = lines.scan(chunk.text, self.delimiter).starts
            if row < len(starts):
                return self._at(chunk, int(starts[row]))
            row -= len(starts)
        return self.name

    def pick(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The given data rows as mappings of texts, None for a missing value; reads only their chunks."""
        starts = [start for start, _ in self._index]
        wanted: dict[int, list[int]] = {}
        for row in rows:
            wanted.setdefault(int(np.searchsorted(starts, row, side="right")) - 1, []).append(row)
        picked: dict[int, dict[str, Any]] = {}
        for number, members in wanted.items():
            start, offset = self._index[number]
            # Read from its own start, a chunk that began with what the block before had left is two.
            frames = [self._head] if number == 0 else (self._frame(c, frozenset()) for c in self._chunks(offset))
            for frame in frames:
                inside = range(start, start + frame.height)
                picked.update({row: frame.row(row - start, named=True) for row in members if row in inside})
                if (start := inside.stop) > max(members):
                    break
        return [picked[row] for row in rows]

    # ── from bytes to whole records ──

    def _blocks(self, offset: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, in an encoding that holds ASCII as it is."""
        wide = codecs.getincrementaldecoder(self.encoding)() if self.encoding.startswith("utf-16") else None
        with self.path.open("rb") as file:
            file.seek(self._bom + (0 if wide else offset))
            while block := file.read(CHUNK):
                if wide is not None:
                    try:
                        block = wide.decode(block).encode()
                    except UnicodeError:
                        raise _misread(self.name, self.encoding, block[:4]) from None
                yield block.replace(b"\r", b"\n") if self._mac else block
            if wide is not None and (half := wide.getstate()[0]):
                raise _misread(self.name, self.encoding, half)

    def _chunks(self, offset: int = 0) -> Iterator[Chunk]:
        """Whole records, as UTF-8, from the one at byte `offset` of the stream on."""
        if self.encoding.startswith("utf-16") and offset:  # cannot be sought: read up to there
            yield from (chunk for chunk in self._chunks() if chunk.offset >= offset)
            return
        rest = b""
        for block in self._blocks(offset):
            size = lines.cut(block) if b'"' not in rest else 0
            if size:
                raw, after = b"".join((rest, memoryview(block)[:size])), block[size:]
            else:
                whole = rest + block
                size = lines.cut(whole)
                raw, after = whole[:size], whole[size:]
            rest = after
            if raw:
                yield Chunk(self._decoded(raw, offset), offset)
                offset += len(raw)
            elif len(rest) > LONGEST:
                self._refuse_endless(Chunk(self._decoded(rest, offset), offset))
        if rest:
            yield Chunk(self._decoded(rest, offset), offset)

    def _decoded(self, raw: bytes, offset: int) -> bytes:
        """The records as UTF-8; raises `DataError` where they are not in the file's encoding."""
        text = raw
        if not raw.isascii():
            try:
                decoded = raw.decode("utf-8" if self.encoding.startswith("utf-16") else self.encoding)
                self._sure = True
            except UnicodeError as error:
                if self._sure:
                    start = getattr(error, "start", 0)
                    raise _misread(self._at(Chunk(raw, offset), start), self.encoding, raw[start:][:4]) from None
                self.encoding, self._sure = other_encoding(raw, self._usual.encoding), True  # only ASCII until here
                decoded = raw.decode(self.encoding)
            text = raw if self.encoding == "utf-8" else decoded.encode()
        if b"\0" in text:
            raise _not_text(self._at(Chunk(text, offset), text.index(b"\0")), "a zero byte, as binary files have")
        return text

    def _bodies(self) -> Iterator[Chunk]:
        """The chunks without the header."""
        first = True
        for chunk in self._chunks():
            if first and chunk.text.strip():
                end = int(lines.scan(chunk.text, self.delimiter).ends[0])
                same = self.encoding == "utf-8" or self.encoding.startswith("utf-16")
                raw = end if same else len(chunk.text[:end].decode().encode(self.encoding))
                chunk, first = Chunk(chunk.text[end:], chunk.offset + raw), False
            yield chunk

    # ── from records to frames ──

    def _header(self, first: Chunk) -> tuple[str, ...]:
        end = int(lines.scan(first.text, self.delimiter).ends[0])
        try:
            names = next(csv.reader(io.StringIO(first.text[:end].decode().lstrip()), delimiter=self.delimiter))
        except (csv.Error, StopIteration):
            raise DataError(
                "the first row names the columns", received=_shown(first.text[:end]), remedy="write a header line",
                place=self._at(first, 0),
            ) from None  # fmt: skip
        place = self._at(first, 0)
        if len(names) > WIDEST:
            raise DataError(f"a table has at most {WIDEST:,} columns", received=f"{len(names):,}", place=place)
        names = [name.strip() or f"column_{number}" for number, name in enumerate(names, start=1)]
        if len(names) == 1:
            raise DataError(
                "a table has a column to learn from and one to predict", received=f"a single column {names[0][:60]!r}",
                remedy='is the delimiter another than , ; | and tab? then set it, e.g. delimiter = ":"', place=place,
            )  # fmt: skip
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DataError(
                "each column has a name of its own", received=f"{', '.join(map(repr, twice[:5]))} more than once",
                remedy="rename the columns in the header", place=place,
            )  # fmt: skip
        return tuple(names)

    def _read_head(self) -> "pl.DataFrame":
        for chunk in self._bodies():
            frame = self._frame(chunk, frozenset())
            if frame.height:
                self._index = [(0, chunk.offset)]
                return frame
        raise DataError(
            "a data file holds rows below its header", received="only a header", remedy="add rows, or check the path",
            place=self.name,
        )  # fmt: skip

    def _frame(self, chunk: Chunk, numbers: frozenset[str]) -> "pl.DataFrame":
        """The records parsed; texts where a number column does not parse."""
        import polars as pl

        if b'"' in chunk.text:
            self._check(chunk)
        whole = lines.without_blanks(chunk.text) if chunk.text[:1] in b"\r\n " else chunk.text
        for floats in (numbers, frozenset[str]()):
            schema = {name: pl.Float64() if name in floats else pl.String() for name in self.columns}
            try:
                frame = _parse(whole, schema, self.delimiter, self._missing)
                if frame.height and frame.to_series(-1).null_count():
                    self._check(chunk)  # fields cut off at the end of a row, and blank lines, are read as null
                    if (text := lines.without_blanks(whole)) is not whole:
                        frame = _parse(text, schema, self.delimiter, self._missing)
            except _polars_errors():
                self._check(chunk)
                continue
            return frame
        raise self._unreadable(chunk)

    def _check(self, chunk: Chunk) -> None:
        """Raise `DataError` at the first record with too many or too few fields, or an open quote."""
        found = lines.scan(chunk.text, self.delimiter)
        wrong = np.flatnonzero(found.fields != len(self.columns))
        open_quote = chunk.text.count(b'"') % 2 == 1
        last = int(found.starts[-1]) if len(found.starts) else 0
        if len(wrong) and not (open_quote and int(found.starts[wrong[0]]) == last):
            row = wrong[0]
            raise DataError(
                f"every row has as many fields as the header ({len(self.columns)})",
                received=f"{found.fields[row]} fields: {_shown(chunk.text[found.starts[row] : found.ends[row]])}",
                remedy='put a field that holds the delimiter in "quotes", or mend the row',
                place=self._at(chunk, int(found.starts[row])),
            )
        if open_quote:
            raise self._unclosed(chunk, last)

    def _unclosed(self, chunk: Chunk, start: int) -> DataError:
        return DataError(
            'a quote (") that is opened is closed', received=_shown(chunk.text[start:]),
            remedy='close it; a quote inside a quoted field is doubled: "5"" pipe"', place=self._at(chunk, start),
        )  # fmt: skip

    def _unreadable(self, chunk: Chunk) -> DataError:
        """The error for the first record that Polars refuses although its fields are right in number."""
        import polars as pl

        found = lines.scan(chunk.text, self.delimiter)
        schema = {name: pl.String() for name in self.columns}
        low, high = 0, len(found.starts)  # the first `low` records parse, the first `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            try:
                _parse(chunk.text[found.starts[low] : found.ends[middle - 1]], schema, self.delimiter, [])
                low = middle
            except _polars_errors():
                high = middle
        start = int(found.starts[low]) if len(found.starts) else 0
        return DataError(
            "a row of a CSV file is fields between delimiters, quoted as a whole or not at all",
            received=_shown(chunk.text[start : found.ends[low]] if len(found.ends) else chunk.text),
            remedy='quote the whole field and double the quotes inside: "5"" pipe"', place=self._at(chunk, start),
        )  # fmt: skip

    def _refuse_endless(self, chunk: Chunk) -> None:
        if self.columns:
            self._check(chunk)
        elif chunk.text.count(b'"') % 2:
            raise self._unclosed(chunk, 0)
        raise DataError(
            f"a row is shorter than {LONGEST >> 20} MiB", received=_shown(chunk.text), remedy="is this a table?",
            place=self._at(chunk, 0),
        )  # fmt: skip

    def _at(self, chunk: Chunk, start: int) -> str:
        row, left = 1 + chunk.text.count(b"\n", 0, start), chunk.offset
        for block in self._blocks(0):
            row += block.count(b"\n", 0, left)
            if (left := left - len(block)) <= 0:
                break
        return f"{self.name}, row {row}"


def _parse(text: bytes, schema: Any, delimiter: str, missing: list[str]) -> "pl.DataFrame":
    import polars as pl

    if not text or text.isspace():
        return pl.DataFrame(schema=schema)
    return pl.read_csv(text, has_header=False, schema=schema, separator=delimiter, null_values=missing or None)


def _polars_errors() -> tuple[type[BaseException], ...]:
    import polars as pl

    return (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError)


def _not_text(place: str, what: str) -> DataError:
    return DataError(
        "a table is a text file (CSV, JSON Lines) or a Parquet file", received=what,
        remedy="unpack it, or export it as CSV", place=place,
    )  # fmt: skip


def _misread(place: str, encoding: str, raw: bytes) -> DataError:
    return DataError(
        f"the file is written in {encoding}", received=f"the bytes {raw.hex(' ')}",
        remedy='leave out `encoding` to have it found out, or set it, e.g. encoding = "cp1252"', place=place,
    )  # fmt: skip


def _shown(raw: bytes) -> str:
    text = raw[:200].decode("utf-8", errors="replace").strip("\r\n")
    return repr(text if len(text) <= 80 else text[:77] + "...")
