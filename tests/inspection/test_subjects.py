"""What is looked at: a network only with the data it was trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.errors import DataError
from layerwise.inspection import subject
from layerwise.training.model import load
from layerwise.training.run import Run

ROWS = [f"{n * 37 % 101},{n * 53 % 89},{'yes' if n * 37 % 101 > 40 else 'no'}" for n in range(100)]


def write(path: Path, rows: Sequence[str]) -> None:
    path.write_text("\n".join(["a,b,answer", *rows]) + "\n")


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Trains on `rows.csv`, with another split if asked; the run's folder."""

    def trained(rows: Sequence[str] = ROWS, split: Any = "auto") -> Path:
        write(tmp_path / "rows.csv", rows)
        data = {"kind": "table", "path": str(tmp_path / "rows.csv"), "target": "answer", "split": split}
        with Run({"data": data, "network": {"kind": "mlp", "hidden": [3]}, "train": {"epochs": 1}},
                 out=tmp_path / "run") as run:  # fmt: skip
            for _ in run:
                pass
        return tmp_path / "run"

    return trained


def shuffled(rows: Sequence[str]) -> list[str]:
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


def test_the_same_data_is_the_same(train: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train()
    assert subject(str(run)).trained
    write(tmp_path / "rows.csv", ROWS)  # written again
    assert subject(str(run)).trained
    monkeypatch.chdir(tmp_path)  # a model file has no folders in it
    assert subject(str(run / "model.safetensors")).trained


@pytest.mark.parametrize("split", ["auto", "random"])
def test_shuffled_rows_are_refused(train: Callable[..., Path], tmp_path: Path, split: str) -> None:
    run = train(split=split)
    write(tmp_path / "rows.csv", shuffled(ROWS))
    with pytest.raises(DataError, match="the data it was trained on") as refused:
        subject(str(run))
    assert refused.value.received and "bring the file back" in refused.value.remedy


def test_what_the_fingerprint_cannot_tell_the_rows_do(train: Callable[..., Path], tmp_path: Path) -> None:
    """A random split goes by the rows' numbers alone, so it stays the same whatever stands in them."""
    run = train(split="random")
    write(tmp_path / "rows.csv", shuffled(ROWS))
    with pytest.raises(DataError) as refused:
        subject(str(run))
    assert refused.value.received.startswith("data whose training rows are others")


def test_what_the_rows_cannot_tell_the_fingerprint_does(train: Callable[..., Path], tmp_path: Path) -> None:
    """Four different inputs look the same in any order; a stratified split follows the classes."""
    rows = [f"{n % 2 + 0.25},{n // 2 % 2 + 0.25},{'yes' if n % 3 else 'no'}" for n in range(100)]
    run = train(rows, split="stratified")
    write(tmp_path / "rows.csv", shuffled(rows))
    with pytest.raises(DataError) as refused:
        subject(str(run))
    assert "other training, validation and test rows" in refused.value.received


def test_a_model_file_of_old_is_judged_by_what_it_has(train: Callable[..., Path], tmp_path: Path) -> None:
    """Without a sketch by the fingerprint; without that too by the columns and the target alone."""
    run = train(split="random")
    model = load(run / "model.safetensors")
    del model.info["trained_on"]
    model.save(run / "model.safetensors")
    assert subject(str(run)).trained
    write(tmp_path / "rows.csv", ROWS[:-5])
    with pytest.raises(DataError, match="other training, validation and test rows"):
        subject(str(run))
    del model.info["split"]
    model.save(run / "model.safetensors")
    assert subject(str(run)).trained
