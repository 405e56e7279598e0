"""Whatever bytes a file holds: a dataset that keeps its promises, or a `DataError`; nothing else, and soon."""

import shutil
import signal
import tomllib
import traceback
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.data import delimited, encode_target, load
from layerwise.data.read import JsonLines
from layerwise.data.sketch import sketch
from layerwise.errors import DataError
from layerwise.recipe import decode
from layerwise.recipe import records as r

FILES = 2_000
SECONDS = 20  # for one file
LONGEST = 4_200  # characters of a message

# ── how a file is read ──────────────────────────────────────────────────────────────────────────

TASKS = [*[r.AutoTask()] * 8, r.Classify(), r.Classify("balanced"), r.Regress(), r.MultiLabel()]
SPLITS = [
    *[r.AutoSplit()] * 12, r.NoSplit(), r.FoldSplit(fold=3), r.RandomSplit(), r.GroupSplit("color"),
    r.TimeSplit("when"), r.GivenSplit(by="color"),
]  # fmt: skip
SETTINGS = [
    *[{}] * 20, {"weight": "weight"}, {"columns": {"size": "numeric", "color": "boolean"}},
    {"columns": {"when": r.Dates("month/day/year")}}, {"columns": {"when": r.Dates(), "ok": "category"}},
    {"columns": {"size": "ignore"}, "delimiter": ";"}, {"encoding": "utf-16"}, {"encoding": "ascii"}, {"decimal": ","},
    {"encoding": "cp1252", "missing": ("",)}, {"target": ("answer", "ok")}, {"target": ("size", "weight")},
    {"target": "size"},
]  # fmt: skip


def bounded(error):
    """A `DataError` says what is wrong, in words that fit a screen."""
    assert error.rule and (error.received or error.remedy), error
    assert len(str(error)) <= LONGEST, str(error)[:500]
    return type(error).__name__


def check_reading(path, rng):
    """What the file is as training data."""
    settings = {"target": "answer", **rng.choice(SETTINGS)}
    recipe = r.TableData(str(path), **settings, split=rng.choice(SPLITS), one_hot=rng.choice((0, 2, 16)))
    try:
        data = load(recipe, rng.choice(TASKS), 0)
    except DataError as error:
        return bounded(error)
    assert len(data.x) == len(data.y) == len(data.weight)
    assert np.isfinite(data.x).all() and np.isfinite(data.y).all() and np.isfinite(data.weight).all()
    parts = np.concatenate([data.train, data.validation, data.test])
    assert len(np.unique(parts)) == len(parts) <= len(data.x) and len(data.train)
    rows = data.raw(np.arange(len(data.x)))
    assert data.encoder.encode(rows).tobytes() == data.x.tobytes()
    assert b"".join(data.encoder.encode_row(row).tobytes() for row in rows) == data.x.tobytes()
    assert sum(map(len, data.notes)) <= LONGEST
    return "read"


def check_sketch(path):
    """What `init` makes of it: a recipe that is one."""
    try:
        text = sketch(path, "answer")
    except DataError as error:
        return bounded(error)
    assert decode(tomllib.loads(text)).data.target == "answer"
    return "sketched"


def check_using(path, model):
    """What a model makes of it that was trained on a table as it should be."""
    try:
        x = model.encoder.encode(path)
        assert x.shape[1] == model.encoder.width and np.isfinite(x).all()
        assert set(model.encoder.report(path)) <= set(model.encoder.names)
        y, has = encode_target(path, model.target)
    except DataError as error:
        return bounded(error)
    assert len(has) == len(x) and len(y) == has.sum() and set(y) <= {0, 1}
    return "used"


@pytest.fixture(scope="module")
def model(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "orders.csv"
    path.write_text(files.good)
    return load(r.TableData(str(path), "answer"), r.AutoTask(), 0)


@contextmanager
def soon():
    """What hangs is interrupted."""

    def hangs(number, frame):
        raise AssertionError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


CHUNK, LONGEST_ROW = delimited.CHUNK, delimited.LONGEST


def test_two_thousand_malformed_files(files, tmp_path, model, monkeypatch):
    """A fifth of them in small chunks, since what a file is in one chunk it need not be in ten."""
    path, faults, outcomes, wrong = tmp_path / "malformed.csv", Counter(), Counter(), {}
    for seed in range(FILES):
        data, fault, rng = files.malformed(seed)
        path.write_bytes(data)
        small = rng.random() < 0.2
        monkeypatch.setattr(delimited, "CHUNK", 400 if small else CHUNK)
        monkeypatch.setattr(delimited, "LONGEST", 40_000 if small else LONGEST_ROW)
        monkeypatch.setattr(JsonLines, "CHUNK", 400 if small else CHUNK)
        faults[fault] += 1
        try:
            with soon():
                outcomes[check_reading(path, rng)] += 1
                if seed % 5 in (0, 1):
                    outcomes[check_sketch(path) if seed % 5 else check_using(path, model)] += 1
        except Exception:
            wrong[seed, fault] = traceback.format_exc(limit=-4)
    assert not wrong, f"{len(wrong)} of {FILES}: " + "\n".join(
        f"{key}: {text}" for key, text in list(wrong.items())[:5]
    )
    assert set(faults) == set(files.faults) and min(faults.values()) >= FILES // len(files.faults)
    # Were nearly all of them refused at once, or none, little would have been tested.
    assert outcomes["DataError"] > FILES // 3 and outcomes["read"] > FILES // 10, outcomes
    assert min(outcomes["used"], outcomes["sketched"]) > FILES // 40, outcomes


# ── a sample of them from the command line ──────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def home(files, tmp_path_factory):
    """A folder with a run on a table as it should be."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "orders.csv").write_text(files.good)
    (folder / "orders.toml").write_text(RECIPE.format("orders.csv"))
    assert main(["train", str(folder / "orders.toml"), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder


RECIPE = """
data = {{ kind = "table", path = "{}", target = "answer" }}
network = {{ kind = "mlp", hidden = [2] }}
train = {{ epochs = 1 }}
"""


def test_a_sample_from_the_command_line(files, home, capsys, monkeypatch):
    """Done, or one message and exit code 2 with nothing on stdout and nothing written."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("LAYERWISE_TRACEBACK", "1")  # what would be told as a fault of ours is raised
    path, codes = home / "malformed.csv", Counter()
    (home / "malformed.toml").write_text(RECIPE.format("malformed.csv"))
    commands = {
        "init": ["init", "malformed.csv", "--target", "answer"],
        "predict": ["predict", "run", "malformed.csv", "--out", "predicted.csv"],
        "evaluate": ["evaluate", "run", "--data", "malformed.csv", "--json"],
        "train": ["train", "malformed.toml", "--out", "new", "--json", "--quiet"],
    }
    for seed in range(FILES, FILES + len(files.faults)):
        path.write_bytes(files.malformed(seed)[0])
        before = {file.name for file in home.iterdir()}
        for name, words in commands.items():
            if name == "train" and seed % 3:
                continue  # those that can be read take longest
            capsys.readouterr()
            with soon():
                code = main(words)
            out, err = capsys.readouterr()
            assert "Traceback" not in err
            if code == 0:
                (home / "predicted.csv").unlink(missing_ok=True)
                shutil.rmtree(home / "new", ignore_errors=True)
            else:
                assert code == 2, (seed, name, err)
                assert out == "" and "error: " in err
                assert len(err) < LONGEST + sum(map(len, words)) + 200
            assert {file.name for file in home.iterdir()} == before
            codes[name, code] += 1
    assert len(codes) == 8 and min(codes.values()) > 1, codes
