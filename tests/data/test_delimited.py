"""CSV files: what is found out, what is refused and where it stands."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import delimited
from layerwise.data.delimited import DelimitedFile
from layerwise.data.dialect import Usual
from layerwise.data.read import MISSING
from layerwise.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "prices.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(delimited, "CHUNK", 32)


def rows(path, **settings):
    table = DelimitedFile(path, MISSING, **settings)
    return [row for frame in table.batches() for row in frame.rows()]


def refusal(path, **settings):
    with pytest.raises(DataError) as caught:
        table = DelimitedFile(path, MISSING, **settings)
        list(table.batches(frozenset(table.columns)))
    return caught.value


# ── finding out ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(write, delimiter):
    table = DelimitedFile(write("a,b c,d\n1,x,2\n3,y,4\n".replace(",", delimiter)), MISSING)
    assert table.delimiter == delimiter
    assert table.columns == ("a", "b c", "d")
    assert table.head.rows() == [("1", "x", "2"), ("3", "y", "4")]
    assert bool(table.remarks) == (delimiter != ",")


@pytest.mark.parametrize("text", ["a;b\n1,5;2,5\n3,5;4\n", "a;b, c;d\n1;2;3\n", 'a;b\n"x,y";1\n"z,w";2\n'])
def test_commas_that_do_not_delimit(write, text):
    assert DelimitedFile(write(text), MISSING).delimiter == ";"


def test_a_decimal_comma(write):
    table = DelimitedFile(write("a;b\n1,5;x\n3;y\n"), MISSING)
    assert table.notation.decimal == ","
    assert "a decimal comma" in table.remarks[1]
    assert DelimitedFile(write("a;b\n1.882,82;x\n2.750,5;y\n"), MISSING).notation.decimal == ","
    assert DelimitedFile(write("a;b\n1.5;x\n"), MISSING).notation.decimal == "."
    assert DelimitedFile(write('a,b\n"1,5",x\n"2,5",y\n'), MISSING).notation.decimal == ","


@pytest.mark.parametrize(
    ("text", "usual", "found"),
    [
        ("a;b\n1.234;x\n", ",", ","),  # thousands, as in the German file that was trained on
        ("a;b\n1.234;x\n", ".", "."),
        ("a;b\n1,234;x\n", ".", "."),
        ("a;b\n5;x\n", ",", ","),
        ("a;b\n1.25;x\n", ",", "."),
        ("a;b\n0.125;x\n", ",", "."),
        ("a;b\n1234.567;x\n", ",", "."),
        ("a;b\n1,25;x\n", ".", ","),
        ("a;b\n1.234,567;x\n", ".", ","),
    ],
)
def test_the_usual_decimal_sign_holds_unless_numbers_say_otherwise(write, text, usual, found):
    assert DelimitedFile(write(text), MISSING, usual=Usual(decimal=usual)).notation.decimal == found


def test_fields_that_are_otherwise_parted_have_another_decimal_sign(write):
    """A file with commas between its fields, read like the German one that was trained on: 80.500 are no thousands."""
    german = Usual(";", "cp1252", ",")
    assert DelimitedFile(write("a,b\n80.500,240.100\n"), MISSING, usual=german).notation.decimal == "."
    assert DelimitedFile(write("a;b\n80.500;240.100\n"), MISSING, usual=german).notation.decimal == ","


def test_the_usual_delimiter_and_encoding_are_tried(write):
    table = DelimitedFile(write("a:b\n1:Łódź\n", encoding="cp1250"), MISSING, usual=Usual(":", "cp1250"))
    assert table.delimiter == ":" and table.head.rows() == [("1", "Łódź")]
    table = DelimitedFile(write("a,b\n1,Łódź\n"), MISSING, usual=Usual(":", "cp1250"))
    assert table.delimiter == "," and table.head.rows() == [("1", "Łódź")]
    table = DelimitedFile(write("a,b\n1,é\n", encoding="cp1252"), MISSING, usual=Usual(encoding="ascii"))
    assert table.head.rows() == [("1", "é")]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings(write, encoding, found, small_chunks):
    text = "größe,ort\n" + "".join(f'{i},"Zürich, {i}"\n' for i in range(20))
    path = write(text, encoding)
    table = DelimitedFile(path, MISSING)
    assert table.encoding == found
    assert table.columns == ("größe", "ort")
    assert rows(path) == [(str(i), f"Zürich, {i}") for i in range(20)]
    assert table.place(11) == "prices.csv, row 13"
    list(table.batches())
    assert table.pick([17, 0]) == [{"größe": "17", "ort": "Zürich, 17"}, {"größe": "0", "ort": "Zürich, 0"}]


def test_an_encoding_that_shows_late(write, small_chunks):
    """Chunks of plain ASCII first, then a byte that only a Windows encoding has."""
    path = write("a,b\n" + "x,1\n" * 30 + "é,2\n" + "x,3\n" * 30, "cp1252")
    table = DelimitedFile(path, MISSING)
    found = [row for frame in table.batches() for row in frame.rows()]
    assert found[30] == ("é", "2")
    assert table.encoding == "cp1252"


def test_old_macintosh_and_windows_line_ends(write):
    assert rows(write("a,b\r1,2\r3,4\r")) == rows(write("a,b\r\n1,2\r\n3,4\r\n")) == [("1", "2"), ("3", "4")]


def test_quotes_blank_lines_and_names(write):
    path = write('\n a , "b ""c""",\n\n"x\n\ny",1,\n  \nz,"",2\n\n')
    table = DelimitedFile(path, MISSING)
    assert table.columns == ("a", 'b "c"', "column_3") or table.columns[2] == "column_3"
    assert [row[0] for row in rows(path)] == ["x\n\ny", "z"]
    assert table.place(0) == "prices.csv, row 4"
    assert table.place(1) == "prices.csv, row 8"


def test_missing_values_are_null(write):
    assert rows(write("a,b\nNA,?\n1,-\n")) == [(None, None), ("1", "-")]


def test_number_columns_are_parsed_where_they_parse(write):
    table = DelimitedFile(write("a,b\n1,x\n 2 ,y\n"), MISSING)
    (frame,) = table.batches(frozenset({"a"}))
    assert frame["a"].to_list() == ["1", " 2 "]  # the blank is left to whoever reads the column
    table = DelimitedFile(write("a,b\n1,x\nNA,y\n"), MISSING)
    (frame,) = table.batches(frozenset({"a"}))
    assert frame["a"].to_list() == [1.0, None]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("size", [20, 45, 90, 300])
def test_rows_are_picked_wherever_their_chunk_ends(write, monkeypatch, quote, size):
    """A chunk begins with what the block before it had left, so it is longer than a block."""
    dice = random.Random(size)
    table = [(str(i), "x" * dice.randint(0, 20) + "y") for i in range(60)]
    path = write("a,b\n" + "".join(",".join(quote + cell + quote for cell in row) + "\n" for row in table))
    monkeypatch.setattr(delimited, "CHUNK", size)
    opened = DelimitedFile(path, MISSING)
    assert sum(frame.height for frame in opened.batches()) == 60
    for wanted in (range(60), [59], [30, 7, 31], dice.sample(range(60), 20)):
        assert [tuple(row.values()) for row in opened.pick(wanted)] == [table[row] for row in wanted]


cells = st.text(alphabet="ab1 ,;\n\"é'", max_size=5).filter(lambda text: text.strip() == text and text not in MISSING)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=30), st.integers(10, 60))
def test_chunks_change_nothing(tmp_path_factory, table, size):
    path = tmp_path_factory.mktemp("chunks") / "t.csv"
    quoted = ["|".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table]
    path.write_text("x|y|z\n" + "\n".join(quoted), "utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "CHUNK", size)
        opened = DelimitedFile(path, MISSING, "|", "utf-8", ".")
        assert [row for frame in opened.batches() for row in frame.rows()] == table
        picked = opened.pick(range(len(table)))
        assert [tuple(row.values()) for row in picked] == table
        lines_before = [sum(cell.count("\n") for row in table[:i] for cell in row) for i in range(len(table))]
        for row in {0, len(table) // 2, len(table) - 1}:
            assert opened.place(row) == f"t.csv, row {row + 2 + lines_before[row]}"


# ── refusing ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "\n", "  \n\n", b"\xef\xbb\xbf"])
def test_empty(write, text):
    assert refusal(write(text)).received == "an empty file"


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\n\n  \n"])
def test_only_a_header(write, text):
    assert refusal(write(text)).received == "only a header"


@pytest.mark.parametrize(
    ("text", "row", "received"),
    [
        ("a,b\n1,2\n3\n5,6\n", 3, "1 fields: '3'"),
        ("a,b\n1,2\n3,4,5\n", 3, "3 fields: '3,4,5'"),
        ("a,b\n\n1,2\n\n3,4,5\n", 5, "3 fields: '3,4,5'"),
        ('a,b\n"x\ny",2\n3\n', 4, "1 fields: '3'"),
        ("a,b\n1,2,\n3,4,\n", 2, "3 fields: '1,2,'"),
        ("a,b,c\n1,NA\n", 2, "2 fields: '1,NA'"),
    ],
)
def test_ragged_rows(write, text, row, received):
    error = refusal(write(text))
    assert "as many fields as the header" in error.rule
    assert error.place == f"prices.csv, row {row}"
    assert error.received == received


def test_a_ragged_row_in_a_later_chunk(write, small_chunks):
    error = refusal(write("a,b\n" + "1,2\n" * 50 + "3\n" + "1,2\n" * 50))
    assert error.place == "prices.csv, row 52"


def test_a_quote_that_stays_open(write):
    error = refusal(write('a,b\n1,2\n3,"4\n5,6\n7,8\n'))
    assert "a quote" in error.rule
    assert error.place == "prices.csv, row 3"


def test_a_quote_inside_a_field(write):
    error = refusal(write('a,b\n1,2\n"x" y,4\n5,6\n'))
    assert "quoted as a whole" in error.rule
    assert error.place == "prices.csv, row 3"
    assert error.received == "'\"x\" y,4'"


def test_an_endless_record(write, monkeypatch, small_chunks):
    monkeypatch.setattr(delimited, "LONGEST", 500)
    assert refusal(write("a,b\n1,2\n" + "x" * 2000)).place == "prices.csv, row 3"
    assert "a quote" in refusal(write('a,b\n1,2\n3,"' + "x\n" * 1000)).rule


@pytest.mark.parametrize("delimiter", ["auto", ";"])
def test_an_endless_header(write, monkeypatch, small_chunks, delimiter):
    """Before delimiter and columns are known."""
    monkeypatch.setattr(delimited, "LONGEST", 500)
    error = refusal(write("a" * 2000 + ",b\n1,2\n"), delimiter=delimiter)
    assert error.rule.startswith("a row is shorter than")
    assert error.place == "prices.csv, row 1"
    error = refusal(write('a,"b\n' + "1,2\n" * 500), delimiter=delimiter)
    assert "a quote" in error.rule
    assert error.place == "prices.csv, row 1"


@pytest.mark.parametrize("text", ["a,b,a\n1,2,3\n", "a, b ,b\n1,2,3\n"])
def test_duplicate_names(write, text):
    assert "a name of its own" in refusal(write(text)).rule


@pytest.mark.parametrize("text", ["just text\nand more\n", "a\n1\n2\n"])
def test_a_single_column(write, text):
    assert "single column" in refusal(write(text)).received


@pytest.mark.parametrize(
    ("content", "received"),
    [(b"PK\3\4rest", "a zip or Excel file"), (b"\x1f\x8brest", "a gzip file"), (b"a,b\n1,\0\n", "a zero byte")],
)
def test_binary(write, content, received):
    error = refusal(write(content))
    assert error.rule.startswith("a table is a text file")
    assert received in error.received


def test_a_wrong_encoding(write, small_chunks):
    path = write("a,b\n" + "x,1\n" * 20 + "é,2\n", "cp1252")
    error = refusal(path, encoding="utf-8")
    assert error.place == "prices.csv, row 22"
    assert error.received == "the bytes e9 2c 32 0a"
    assert refusal(write(b"\xff\xfea\0,\0b\0\n\0\x00\xd8"), encoding="auto").rule == "the file is written in utf-16-le"


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64", "utf-7\0", "cp037", ""])
def test_a_wrong_encoding_name(write, encoding):
    assert "`encoding`" in refusal(write("a,b\n1,2\n"), encoding=encoding).rule


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "é"])
def test_a_wrong_delimiter(write, delimiter):
    assert "a delimiter is one character" in refusal(write("a,b\n1,2\n"), delimiter=delimiter).rule


def test_too_many_columns(write):
    assert "at most" in refusal(write("a," * 20_001 + "\n" + "1," * 20_001 + "\n")).rule
