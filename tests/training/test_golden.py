"""Model files of every format there ever was are read, and say what they said when they were made."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import layerwise
from layerwise.data.dataset import Classes, Quantities
from layerwise.recipe import records as r
from layerwise.training.model import FORMAT

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")

FOLDER = Path(__file__).parent / "golden"

# The files' own bytes, so that none is made anew or taken away unnoticed. A new format adds lines: see make.py.
GOLDEN = {
    "format-1-table": "308eaa37e6215c4981cf309f97db15c9e4964ff376e548a0f52f4282629e2507",
    "format-1-array": "69da447bf8d8d2dbdb2d3381bafc938fd31ad9e0052125617ff3e720a72bf2ad",
}


def files(name):
    return FOLDER / f"{name}.safetensors", FOLDER / f"{name}.json"


@pytest.fixture(params=GOLDEN)
def golden(request):
    """A golden model, its file, and what is written down of it."""
    path, told = files(request.param)
    return layerwise.load(path), path, json.loads(told.read_text())


def test_all_golden_files_are_there_and_as_they_were():
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == set(GOLDEN)
    for name, digest in GOLDEN.items():
        path, told = files(name)
        assert hashlib.sha256(path.read_bytes() + told.read_bytes()).hexdigest() == digest, name
        assert path.stat().st_size < 50_000


def test_the_present_format_has_golden_files():
    assert {f"format-{FORMAT}-table", f"format-{FORMAT}-array"} <= set(GOLDEN)


def test_rows_are_encoded_as_they_were(golden):
    model, _, told = golden
    expected = np.array(told["encoded"], np.float32)
    np.testing.assert_allclose(model.encoder.encode(told["rows"]), expected, rtol=1e-6, atol=1e-7)
    one_by_one = np.concatenate([model.encoder.encode_row(row) for row in told["rows"]])
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-6, atol=1e-7)


def test_predictions_are_those_written_down(golden):
    model, _, told = golden
    check(model, told, told["rows"])


def check(model, told, rows):
    """All rows at once and each alone."""
    for raw, part in ((rows, slice(None)), *((rows[i : i + 1], slice(i, i + 1)) for i in range(len(rows)))):
        expected, found = told["predicted"][part], model.predict(raw)
        if isinstance(model.target, Quantities):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        else:
            assert found.tolist() == expected
            np.testing.assert_allclose(model.predict_proba(raw), told["probabilities"][part], rtol=1e-4, atol=1e-6)


def test_a_file_of_the_same_rows_gives_the_same(golden, tmp_path):
    """Every value a text, in another order of columns, between semicolons and with a decimal comma."""
    model, _, told = golden
    rows = [row if isinstance(row, dict) else dict(zip(model.encoder.names, row, strict=True)) for row in told["rows"]]
    names = sorted(model.encoder.names, reverse=True)
    lines = [";".join("" if row[n] is None else str(row[n]).replace(".", ",") for n in names) for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join([";".join(names), *lines]) + "\n")
    found = model.predict(tmp_path / "rows.csv")
    assert found.tolist() == model.predict(rows).tolist()


def test_saved_again_it_is_the_same_model(golden, tmp_path):
    model, _, told = golden
    model.save(tmp_path / "again.safetensors", examples=told["rows"])
    again = layerwise.load(tmp_path / "again.safetensors")
    check(again, told, told["rows"])
    assert (again.recipe, again.target, again.info) == (model.recipe, model.target, model.info)


def test_what_is_told_of_a_model_is_still_there(golden):
    model, path, _ = golden
    assert set(model.info) >= {"metrics", "baselines", "rows", "split", "epochs", "status", "versions"}
    assert model.info["epochs"] == 40 and model.info["versions"]["layerwise"]
    if path.stem == "format-1-table":
        assert model.target == Classes("answer", ("high", "low", "middle"))
        assert model.recipe.data.columns["sold"] == r.Dates("day/month/year")
        kinds = {info.name: info.kind for info in model.encoder.schema}
        assert kinds == {
            "size": "numeric", "stamp": "numeric", "color": "category", "town": "category", "paid": "boolean",
            "sold": "date",
        }  # fmt: skip
        assert all(info.missing > 0 for info in model.encoder.schema)
        assert len(model.encoder.embeddings) == 1


def test_what_was_never_seen_is_told(golden):
    model, path, told = golden
    if path.stem == "format-1-table":
        assert set(model.encoder.report(pl.DataFrame(told["rows"][-1:]))) == set(model.encoder.names)
    else:
        assert model.encoder.report(np.array(told["rows"])).keys() == {"x1", "x2"}


def test_a_golden_file_is_never_made_again():
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    before = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}
    with pytest.raises(SystemExit, match="never made again"):
        make.main()
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()} == before
