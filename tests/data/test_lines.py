"""The scan of a CSV's bytes, against Python's own reader."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import lines

fields = st.text(alphabet='ab ,"\n', max_size=6)
rows = st.lists(st.lists(fields, min_size=2, max_size=4), min_size=1, max_size=6)


def written(table: list[list[str]], newline: str = "\n") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows(table)
    return text.getvalue().encode()


@given(rows, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_records_are_those_of_the_csv_module(table, newline, ends):
    text = written(table, newline)
    text = text if ends else text.removesuffix(newline.encode())
    found = lines.scan(text, ",")
    assert found.fields.tolist() == [len(row) for row in table]
    for start, end, row in zip(found.starts, found.ends, table, strict=True):
        assert next(csv.reader(io.StringIO(text[start:end].decode(), newline=""))) == row


@given(rows, st.integers(0, 40))
def test_a_cut_falls_between_records(table, size):
    text = written(table)
    cut = lines.cut(text[:size])
    assert cut == max([0, *(int(end) for end in lines.scan(text, ",").ends if end <= size)])


@given(rows, st.lists(st.sampled_from(["\n", "  \n", "\r\n"]), min_size=7, max_size=7))
def test_blank_lines_are_no_records(table, blanks):
    parts = [written([row]).decode() for row in table]
    text = "".join(blank + part for blank, part in zip(blanks, parts, strict=False)).encode()
    assert lines.without_blanks(text) == "".join(parts).encode()
    assert lines.scan(text, ",").fields.tolist() == [len(row) for row in table]


def test_by_hand():
    found = lines.scan(b'a;b\n"x;y\n";1\n\n3', ";")
    assert found.starts.tolist() == [0, 4, 14]
    assert found.ends.tolist() == [4, 13, 15]
    assert found.fields.tolist() == [2, 2, 1]
    assert len(lines.scan(b"", ",").starts) == 0
    assert lines.cut(b'"open\n') == 0
    unchanged = b"a,b\n1,2\n"
    assert lines.without_blanks(unchanged) is unchanged
