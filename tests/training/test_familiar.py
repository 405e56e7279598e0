"""Whether scored rows were trained on: told without keeping any of them."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from layerwise.data import load as load_data
from layerwise.data.dataset import Quantities
from layerwise.recipe import records as r
from layerwise.training.familiar import KEPT, differing, hashes, known, share, sketch
from layerwise.training.model import load
from layerwise.training.run import Run


@pytest.mark.parametrize("rows", [10, 500, 50_000])
def test_the_share_is_told_to_within_a_percent_or_so(rows: int) -> None:
    random = np.random.default_rng(rows)
    x = random.standard_normal((rows, 6), np.float32)
    known = sketch(x, np.arange(rows // 2))
    mixed = np.concatenate([x[: rows // 4], random.standard_normal((3 * rows // 4, 6), np.float32)])
    sure = rows <= KEPT
    assert share(known, mixed) == pytest.approx((rows // 4) / len(mixed), abs=1e-9 if sure else 0.03)
    assert share(known, x[: rows // 2]) == 1 and share(known, x[rows // 2 :]) == 0


def test_hashes_differ_where_rows_do() -> None:
    x = np.array([[a, b] for a in range(200) for b in range(200)], np.float32)
    assert np.unique(hashes(x)).size == 40_000
    # Their lowest are spread over all rows, not over those with small numbers.
    assert 0.4 < np.isin(np.sort(hashes(x))[:1000], hashes(x[:20_000])).mean() < 0.6


def test_a_single_row_does_not_speak_for_all() -> None:
    """Of a million training rows the sketch knows but the lowest, which are few of those to be scored."""
    x = np.random.default_rng(0).random((100_000, 1), np.float32)
    order = np.argsort(hashes(x))
    known, few = sketch(x, np.arange(len(x))), np.concatenate([order[:5], order[-500:]])
    assert share(known, x[few]) == 0
    assert share(known, x[order[:5]]) == 1  # more there are not


@pytest.mark.parametrize("known", [None, "", "no base64 !", "AAAA", 7])
def test_without_a_sketch_nothing_is_said(known: object) -> None:
    assert share(known, np.zeros((3, 2), np.float32)) == 0


def test_a_model_says_when_it_is_scored_on_rows_it_knows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pl.DataFrame({"a": random.random(200), "b": random.random(200), "y": random.integers(0, 2, 200)})
    recipe = {"data": {"kind": "table", "path": "given", "target": "y"}, "train": {"epochs": 1}}
    with Run({"data": {"target": "y"}, "train": recipe["train"]}, data=table, out=tmp_path / "run") as run:
        for _ in run:
            pass
    model = load(run.model_path)
    (note,) = model.score(table).notes
    assert note.startswith("60% of these rows are equal to rows that the model was trained on")
    assert model.score(table[run.dataset.test]).notes == ()


@pytest.mark.parametrize("change", ["scaled", "one answer", "swapped", "a test answer", "a cell", "a weight", "none"])
def test_other_answers_are_other_data(change: str) -> None:
    """One number less or more in one row is enough, whichever part it stands in."""
    data = load_data(r.NamedData("diabetes"), r.AutoTask(), 0)
    assert isinstance(data.target, Quantities)
    x, y, weight, target = data.x.copy(), data.y.copy(), data.weight.copy(), data.target
    part = "train"
    if change == "one answer":
        y[data.train[3]] += 0.1
    elif change == "swapped":
        y[data.train[[3, 200]]] = y[data.train[[200, 3]]]
    elif change == "scaled":  # standardized they are the same
        target = Quantities(target.columns, (2 * target.mean[0],), (2 * target.scale[0],))
    elif change == "a test answer":
        part, y[data.test[3]] = "test", y[data.test[3]] + 0.1
    elif change == "a cell":
        part, x[data.validation[3], 2] = "validation", x[data.validation[3], 2] + 0.1
    elif change == "a weight":
        weight[data.train[5]] += 1
    other = dataclasses.replace(data, x=x, y=y, weight=weight, target=target)
    said = differing(known(other), known(data))
    assert said == ("" if change == "none" else f"data whose {part} rows, or their targets, are others")


def test_data_of_another_machine_is_the_same_data() -> None:
    """There the last bit of a mean may differ, and with it that of every number that was standardized by it."""
    data = load_data(r.NamedData("digits"), r.AutoTask(), 0)
    other = dataclasses.replace(data, x=np.nextafter(data.x, np.float32(9), dtype=np.float32))
    assert not differing(known(other)._replace(trained_on=""), known(data)._replace(trained_on=""))
