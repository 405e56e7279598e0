"""Whatever bytes a file holds: a dataset that keeps its promises, or a `DataError`; nothing else."""

import random
import tomllib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data import load
from layerwise.data.sketch import sketch
from layerwise.errors import DataError
from layerwise.recipe import records as r

INSERTS = (
    b'"',
    b'""',
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\n\n",
    b"\0",
    b"\xff",
    b" ",
    b"inf",
    b"1e999",
    b"NA",
    b"\xc3",
    b"-",
)
FRONTS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"PAR1", b"{", b"[", b"# a comment\n", b"PK\3\4")
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "latin-1")
SPLITS = (
    r.AutoSplit(),
    r.AutoSplit(),
    r.NoSplit(),
    r.FoldSplit(),
    r.GroupSplit("x0"),
    r.TimeSplit("x0"),
    r.GivenSplit(by="x0"),
)
TASKS = (r.AutoTask(), r.AutoTask(), r.Classify(), r.Regress(), r.MultiLabel())


def content(rng: random.Random) -> str:
    """A table of numbers, categories, dates, texts and rubbish, more or less well written."""
    delimiter = rng.choice(",;\t|")
    sign = rng.choice(".,") if delimiter != "," else "."
    kinds = (
        lambda: rng.choice([str(rng.randint(-9, 9)), f"{rng.gauss(0, 1e3):.2f}"]).replace(".", sign),
        lambda: rng.choice(["a", "b", "c d", ""]),
        lambda: rng.choice(["yes", "no"]),
        lambda: f"{rng.randint(1, 28):02}/{rng.randint(1, 12):02}/20{rng.randint(10, 25)}",
        lambda: (
            f"2020-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T{rng.randint(0, 23):02}:30{rng.choice(['', 'Z', '+02'])}"
        ),
        lambda: "".join(rng.choice("abé\"',;\n ") for _ in range(rng.randint(0, 9))),
        lambda: rng.choice(["NA", "?", "1", "1e400", "nan", "007"]),
        lambda: "word " * rng.randint(3, 9) + str(rng.random()),
    )
    columns = [rng.choice(kinds) for _ in range(rng.randint(1, 5))] + [rng.choice(kinds[:3])]
    names = [rng.choice(["x", "x", "id", "date", "größe"]) + str(i) for i in range(len(columns) - 1)] + ["y"]

    def quoted(cell: str) -> str:
        needs = any(char in cell for char in (delimiter, '"', "\n")) and rng.random() < 0.97
        return '"' + cell.replace('"', '""') + '"' if needs else cell

    rows = [names] + [[make() for make in columns] for _ in range(rng.choice([0, 1, 2, 15, 60]))]
    return rng.choice(["\n", "\n", "\r\n", "\r"]).join(delimiter.join(map(quoted, row)) for row in rows)


def damaged(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        at = rng.randint(0, len(data))
        data = rng.choice(
            (
                data[:at] + rng.choice(INSERTS) + data[at:],
                data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at:],
                data[:at] + data[at + rng.randint(1, 30) :],
                data[:at],
                data[:at] + data,
                rng.choice(FRONTS) + data,
                b"\n".join(sorted(data.split(b"\n"), key=lambda _: rng.random())),
            )
        )
    return data


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_malformed_files(tmp_path_factory, seed):
    rng = random.Random(seed)
    path = tmp_path_factory.getbasetemp() / "malformed.csv"
    path.write_bytes(damaged(content(rng).encode(rng.choice(ENCODINGS), "replace"), rng))
    try:
        data = load(
            r.TableData(str(path), "y", split=rng.choice(SPLITS), one_hot=rng.choice((0, 2, 16))), rng.choice(TASKS), 0
        )
    except DataError as error:
        assert error.rule and (error.received or error.remedy)
    else:
        assert len(data.x) == len(data.y) == len(data.weight)
        assert np.isfinite(data.x).all() and np.isfinite(data.y).all()
        rows = data.raw(np.arange(len(data.x)))
        assert data.encoder.encode(rows).tobytes() == data.x.tobytes()
        assert b"".join(data.encoder.encode_row(row).tobytes() for row in rows) == data.x.tobytes()
    with suppress(DataError):
        tomllib.loads(sketch(path, "y"))


@pytest.mark.parametrize("size", [1, 3, 100, 5000])
def test_random_bytes(tmp_path, size):
    for seed in range(10):
        path = tmp_path / "random.csv"
        path.write_bytes(random.Random(seed).randbytes(size))
        with pytest.raises(DataError):
            load(r.TableData(str(path), "y"), r.AutoTask(), 0)
