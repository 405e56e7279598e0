"""Malformed tables by the thousand, the same ones every time."""

import codecs
import gzip
import random
from types import SimpleNamespace

import pytest

# ── tables as they should be ────────────────────────────────────────────────────────────────────

NAMES = ["size", "weight", "color", "ok", "when", "answer"]


def orders(rng, rows):
    """Rows of numbers, a category, yes/no, a date and a target of two classes; now and then one is missing."""
    found = [NAMES]
    for _ in range(rows):
        day = f"{rng.randint(1, 28):02}/{rng.randint(1, 12):02}/20{rng.randint(10, 25)}"
        size, color = rng.randint(1, 99), rng.choice(["red", "green", "blue", "dark red"])
        row = [str(size), f"{rng.gauss(20, 5):.2f}", color, rng.choice(["yes", "no"]), day, "ab"[size > 50]]
        found.append([cell if rng.random() > 0.03 or i == 5 else "" for i, cell in enumerate(row)])
    return [list(row) for row in found]


def wild(rng):
    """A table of numbers, categories, dates, texts and rubbish, more or less well written."""
    delimiter = rng.choice(",;\t|")
    sign = rng.choice(".,") if delimiter != "," else "."
    clock = ["", "T12:30", "T23:30Z", " 01:30+02", "T24:00"]
    kinds = (
        lambda: rng.choice([str(rng.randint(-9, 9)), f"{rng.gauss(0, 1e3):.2f}"]).replace(".", sign),
        lambda: rng.choice(["a", "b", "c d", ""]),
        lambda: rng.choice(["yes", "no"]),
        lambda: f"{rng.randint(1, 28):02}/{rng.randint(1, 12):02}/20{rng.randint(10, 25)}",
        lambda: f"2020-0{rng.randint(1, 9)}-{rng.randint(10, 28)}{rng.choice(clock)}",
        lambda: "".join(rng.choice("abé\"',;\n ") for _ in range(rng.randint(0, 9))),
        lambda: rng.choice(["NA", "?", "1", "1e400", "nan", "007"]),
        lambda: "word " * rng.randint(3, 9) + str(rng.random()),
    )
    columns = [rng.choice(kinds) for _ in range(rng.randint(1, 5))] + [rng.choice(kinds[:3])]
    names = [rng.choice(["x", "x", "id", "date", "größe"]) + str(i) for i in range(len(columns) - 1)] + ["answer"]
    rows = [names] + [[make() for make in columns] for _ in range(rng.choice([0, 1, 2, 15, 60]))]
    ends = rng.choice(["\n", "\n", "\r\n", "\r"])
    return ends.join(delimiter.join(quoted(cell, delimiter, rng) for cell in row) for row in rows).encode()


def quoted(cell, delimiter, rng):
    needs = any(char in cell for char in (delimiter, '"', "\n")) and rng.random() < 0.97
    return '"' + cell.replace('"', '""') + '"' if needs else cell


def written(table, delimiter=",", end="\n"):
    return end.join(delimiter.join(row) for row in table) + end


# ── faults in the cells: each changes the table, or says how it is written ──────────────────────

NUMBERS = ["1e999", "-1e400", "9" * 400, "9" * 39, "1e38", "3.5e38", "1e-400", str(2**64), "-" + "1" * 30, "1e", "0x1F"]
INFINITE = ["inf", "-inf", "Infinity", "+INF", "nan", "NaN", "-nan", "1e309", "∞", "#DIV/0!"]
OTHERWISE = ["1,234.5", "1.234,5", "$12", "1_000", "12%", "−5", "١٢", "1 000", "5.", ".5", "+-3", "1d5", "½", "5 kg"]
DATES = ["31/02/2020", "2020-13-01", "0000-00-00", "99999-01-01", "1/1/1", "29/02/2019", "tomorrow", "2020-01-01T25:61"]
WORDS = ["maybe", "YES", "0", "1", "ja", "n/a", "tru", " "]
STRANGE = ["\x1b[2J", "\x07", "\x00", "\ufeff", "\u202e", "\u2028", "\x85", "\x0b", "🦆", "e\u0301", "\x7f", "'", "\\"]


def cell_of(values, column=None):
    """A fault that writes one of `values` into some cells of a column, or of any."""

    def fault(rng, table):
        for _ in range(rng.choice([1, 1, 3, 30])):
            row = rng.choice(table[1:] or table)
            row[rng.randrange(6) if column is None else NAMES.index(column)] = rng.choice(values)
        return written(table)

    return fault


def column_of(make, column="answer"):
    """A fault that makes a whole column anew, by row number."""

    def fault(rng, table):
        for i, row in enumerate(table[1:]):
            row[NAMES.index(column)] = make(i)
        return written(table)

    return fault


def ragged(rng, table):
    for _ in range(rng.choice([1, 2, 10])):
        row = rng.choice(table)
        if rng.random() < 0.5:
            del row[rng.randrange(len(row) + 1) :]
        else:
            row += ["more"] * rng.randint(1, 5)
    return written(table)


def header(rng, table):
    table[0] = rng.choice(
        [
            ["size"] * 6, ["", *NAMES[1:]], [""] * 6, [*NAMES[:5], "size"], NAMES[:3], [*NAMES, "more"], NAMES[::-1],
            [name.upper() for name in NAMES], [f" {name} " for name in NAMES], [f'"{name}"' for name in NAMES],
            ["1", "2", "3", "4", "5", "6"], [*NAMES[:5], "answer\t"], ["x" * rng.choice([300, 100_000]), *NAMES[1:]],
            ["\x1b[2J", *NAMES[1:]], ["size\n[train]\nepochs = 1", *NAMES[1:]], [*NAMES[:5], "Answer"],
        ]
    )  # fmt: skip
    return written(table)


def again(rng, table):
    """The header comes again further down, as in files put one after another; or units stand below it."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(1, len(table))
        table.insert(at, rng.choice([table[0], ["cm", "kg", "", "", "d", ""], ["---"] * 6]))
    return written(table)


def quotes(rng, table):
    mark = rng.choice(['"', '""', '"""', 'a"b', '"a"b', ' "a"', '"a" ', '\\"', "'", '"a\nb"', '"a\n\n,b"', '"\r\n"'])
    for _ in range(rng.choice([1, 1, 2, 8])):
        row = rng.choice(table)
        row[rng.randrange(6)] = mark
    return written(table, end=rng.choice(["\n", "\r\n"]))


def huge(rng, table):
    text = rng.choice(["x", "1", "word ", "é", '""', "9,"]) * rng.choice([2_000, 30_000])
    rng.choice(table)[rng.randrange(6)] = rng.choice([text, f'"{text}"'])
    return written(table)


def wide(rng, table):
    count = rng.choice([8, 20, 40])
    names = ",".join(f"c{i}" for i in range(count))
    rows = [f"{names},answer"] + [
        ",".join(rng.choices(["1", "2", "3", "1", "2", ""], k=count)) + f",{'ab'[i % 2]}" for i in range(8)
    ]
    return "\n".join(rows)


def delimiters(rng, table):
    lines = [rng.choice(rng.choice([",", ",;", ";|", "\t,", " ", ":", "^", ", "])).join(row) for row in table]
    return "\n".join(lines)


def margins(rng, table):
    """Titles above, totals below, remarks and blank lines between, delimiters at the ends."""
    lines = written(table).splitlines()
    for _ in range(rng.randint(1, 4)):
        more = rng.choice(["# a comment", "", " ", "\t", ",,,,,", "Report of May", "Total,99,,,,", ";", "sep=;", '""'])
        lines.insert(rng.choice([0, 0, rng.randint(0, len(lines)), len(lines)]), more)
    return "\n".join(line + rng.choice(["", "", "", ",", " "]) for line in lines)


def late(rng, table):
    """A column is something else from some row on, or empty until there."""
    column, start = rng.randrange(6), rng.randint(1, len(table))
    before, after = rng.choice([(None, "oops"), ("", "7"), ("", "late"), ("3", None), (None, ""), ("yes", "x" * 50)])
    for i, row in enumerate(table[1:], start=1):
        value = before if i < start else after
        row[column] = row[column] if value is None else value
    return written(table)


def only(rng, table):
    """Next to nothing."""
    line = ",".join(NAMES)
    return rng.choice(
        ["", " ", "\n", "\r", "\n\n\n", "\t\t", ",", ",,\n", '"', '""', "\ufeff", line, f"{line}\n", f"{line}\r",
         f"{line},", f"{line}\n\n", f"{line}\n,,,,,\n", f"{line}\n1", "answer", "answer\na\nb\na\n", "a", "{}", "[]",
         "{", "NaN"]
    )  # fmt: skip


def strange(rng, table):
    for _ in range(rng.choice([1, 5, 40])):
        row = rng.choice(table)
        at = rng.randrange(6)
        row[at] = row[at][:1] + rng.choice(STRANGE) + row[at][1:]
    return written(table)


CELLS = {
    "ragged": ragged, "header": header, "header again": again, "quotes": quotes, "huge": huge, "wide": wide,
    "delimiters": delimiters, "margins": margins, "late": late, "only": only, "strange characters": strange,
    "overflow": cell_of(NUMBERS), "infinite": cell_of(INFINITE), "numbers otherwise": cell_of(OTHERWISE),
    "dates": cell_of(DATES, "when"), "a third word": cell_of(WORDS, "ok"),
    "odd targets": cell_of(INFINITE + WORDS, "answer"),
    "target constant": column_of(lambda i: "a"), "target missing": column_of(lambda i: ""),
    "target unique": column_of(lambda i: f"k{i}"), "target of one row": column_of(lambda i: "ab"[i == 0]),
    "target overflowing": column_of(lambda i: f"{i}e37"), "target far": column_of(lambda i: f"{1e30 + i * 1e25:g}"),
    "column overflowing": column_of(lambda i: f"{i - 5}e37", "size"),
    "column tiny": column_of(lambda i: f"{i}e-44", "size"),
    "column constant": column_of(lambda i: "3", "size"), "column empty": column_of(lambda i: "?", "size"),
    "column unique": column_of(lambda i: f"a{i} text of some words {i}", "color"),
}  # fmt: skip

# ── faults in the bytes ─────────────────────────────────────────────────────────────────────────

MARKS = [
    codecs.BOM_UTF8,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_LE,
    b"\xfe\xff\xff\xfe",
    b"\xef\xbb",
]
MAGIC = [
    b"PK\3\4",
    b"\x1f\x8b\x08",
    b"%PDF-1.4",
    b"\x89PNG\r\n",
    b"SQLite format 3\0",
    b"\x7fELF",
    b"PAR1",
    b"{",
    b"[",
    b"BZh",
]
BROKEN = [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82", b"\x81", b"\x9d"]
INSERTS = [b'"', b'""', b",", b";", b"\n", b"\r", b"\n\n", b"\0", b"\xff", b" ", b"inf", b"1e999", b"NA", b"\xc3", b"-"]
ENCODINGS = [
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-8-sig",
    "cp1252",
    "latin-1",
    "cp037",
    "shift_jis",
    "utf-7",
]


def inserted(values, most=5):
    """A fault that puts some of `values` anywhere."""

    def fault(rng, data):
        for _ in range(rng.randint(1, most)):
            at = rng.randint(0, len(data))
            data = data[:at] + rng.choice(values) + data[at:]
        return data

    return fault


def marked(rng, data):
    mark = rng.choice(MARKS)
    return rng.choice(
        [mark + data, mark + mark + data, data[:40] + mark + data[40:], mark + data.decode().encode("utf-16-le")]
    )


def encoded(rng, data):
    text = data.decode().replace("red", rng.choice(["röd", "赤", "rød", "red", "czerwień"]))
    return text.encode(rng.choice(ENCODINGS), "replace")


def mixed_encodings(rng, data):
    lines = [line.replace(b"red", b"r\xc3\xb6d") for line in data.split(b"\n")]
    return b"\n".join(line.decode().encode(rng.choice(["utf-8", "cp1252", "utf-16-le", "latin-1"])) for line in lines)


def line_ends(rng, data):
    ends = rng.choice(
        [[b"\n", b"\r\n"], [b"\n", b"\r"], [b"\r\n", b"\r", b"\n"], [b"\r"], [b"\n\r"], [b"\x0b"], [b"\xc2\x85"]]
    )
    return b"".join(line + rng.choice(ends) for line in data.split(b"\n"))


def shortened(rng, data):
    start = rng.choice([0, 0, rng.randint(0, len(data))])
    return data[start : rng.randint(start, len(data))]


def flipped(rng, data):
    changed = bytearray(data)
    for _ in range(rng.choice([1, 3, 20])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def shuffled(rng, data):
    lines = data.split(b"\n")
    return b"\n".join(
        rng.choice([rng.sample(lines, len(lines)), lines[::-1], lines + lines, lines[1:], lines[:1] + lines])
    )


def binary(rng, data):
    size = rng.choice([1, 3, 100, 5_000])
    return rng.choice(
        [rng.randbytes(size), gzip.compress(data, mtime=0), rng.choice(MAGIC) + data, rng.choice(MAGIC), bytes(size)]
    )


BYTES = {
    "marks": marked, "encodings": encoded, "encodings mixed": mixed_encodings, "line ends": line_ends, "cut": shortened,
    "bits": flipped, "lines": shuffled, "binary": binary, "zeros": inserted([b"\0", b"\0\0\0"]),
    "broken text": inserted(BROKEN), "inserts": inserted(INSERTS, most=12),
}  # fmt: skip

FAULTS = [*CELLS, *BYTES, "wild", "wild"]


def malformed(seed):
    """The `seed`-th file and the name of what is wrong with it; every tenth has further damage."""
    rng, fault = random.Random(seed), FAULTS[seed % len(FAULTS)]
    table = orders(rng, rng.choice([2, 12, 20, 30]))
    if fault in CELLS:
        data = CELLS[fault](rng, table).encode()
    else:
        data = wild(rng) if fault == "wild" else BYTES[fault](rng, written(table).encode())
    if data and rng.random() < (0.5 if fault == "wild" else 0.1):
        data = BYTES[rng.choice(["cut", "bits", "lines", "inserts", "broken text", "zeros"])](rng, data)
    return data, fault, rng


@pytest.fixture(scope="session")
def files():
    """`malformed(seed)`, the names of all `faults`, and the text of a table as it should be."""
    return SimpleNamespace(malformed=malformed, faults=FAULTS, good=written(orders(random.Random(0), 60)))
