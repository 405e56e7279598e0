"""Whatever stands on the command line: an exit code, never a traceback, nothing written outside."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerwise.cli import main

# Words that mean something, so that many lines get past the first check; none of them trains.
COMMANDS = ["train", "resume", "evaluate", "predict", "init", "recipes", "data", "list", "show", "runs", "compare"]
REMOVE = ["remove", "--yes", "-y"]
OPTIONS = ["--set", "--seed", "--out", "--time-limit", "--json", "--quiet", "-q", "--data", "--target", "-t", "--help"]
VALUES = [
    "train.epochs=3", "=", "a.b", "seed=1", "1", "-1", "1e9", "5m", "rows.csv", "rows.toml", "digits", "iris", "xor2",
    "runs", "first", "no", ".", "..", "/", "~", "", " ", "-", "--", "---", "*", "answer", "out.csv", "x.parquet",
    "model.safetensors", "rows.csv/x", "\udcff", "\x1b[2J", "é", "a" * 300, "[bold]", "%s", "{}", "\n",
]  # fmt: skip
words = st.one_of(
    st.sampled_from(COMMANDS + REMOVE + OPTIONS),
    st.sampled_from(VALUES),
    st.text(st.characters(exclude_characters="\0"), max_size=20),
)


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that can be mistaken for recipes, tables, runs and models."""
    folder = tmp_path_factory.mktemp("corner")
    (folder / "rows.csv").write_text("size,answer\n1,yes\n2,no\n")
    (folder / "rows.toml").write_text('data = { kind = "table", path = "nowhere.csv", target = "answer" }\n')
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    return folder


@given(st.lists(words, max_size=7))
@example(["train", "rows.toml", "--out", ""])
@example(["predict", "model.safetensors", "rows.csv", "--out", "a" * 300 + ".csv"])
@example(["runs", "list", "/"])
@example(["runs", "list", "rows.csv"])
@example(["resume", "a" * 5000])
@example(["init", "rows.csv", "-t", "answer"])
@example(["init", ".", "-t", "answer"])
@example(["data", "show", "\udcff"])
@settings(max_examples=300)
def test_any_words(corner: Path, argv: list[str]) -> None:
    here = Path.cwd()
    os.chdir(corner)
    try:
        before = sorted(corner.rglob("*"))
        assert main(argv) in (0, 1, 2), shlex.join(argv)
        assert sorted(corner.rglob("*")) == before
    finally:
        os.chdir(here)


@given(st.lists(words, max_size=5))
@settings(max_examples=60)
def test_no_fault_shows(corner: Path, argv: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(corner)
        patch.setenv("LAYERWISE_TRACEBACK", "1")  # a fault of ours is raised
        main(argv)
