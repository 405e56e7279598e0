"""The model file: it predicts as before, and is refused where one bit of it differs."""

import json
import random

import numpy as np
import pytest
from msgspec.structs import astuple
from safetensors.numpy import load_file, save_file

import layerwise
from layerwise.data import Classes
from layerwise.data import load as load_data
from layerwise.errors import DataError, ModelFileError, StorageError
from layerwise.nets.build import build
from layerwise.recipe import decode
from layerwise.training.model import KEY, Model, _canonical, _digest
from layerwise.training.model import load as load_model
from layerwise.training.resolve import resolve

XOR = [[[-0.5, 1, -1], [-0.5, -1, 1]], [[-0.5, 1, 1]]]


def modelled(raw, *, seed=3):
    """A model of a recipe with fresh weights (training changes nothing here), its data and raw training rows."""
    recipe = decode(raw)
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    network = build(
        resolved.recipe.network,
        inputs=dataset.x.shape[1],
        outputs=resolved.objective.outputs,
        codes=dataset.encoder.embeddings,
        seed=seed,
    )
    return Model(resolved.recipe, network, dataset.encoder, dataset.target), dataset


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Numbers with gaps, categories beyond one-hot, dates, yes/no; targets of every kind."""
    dice = random.Random(0)
    lines = ["area,town,built,garden,price,rent,sold,shown,kind"]
    for i in range(120):
        area = "" if i % 11 == 0 else f"{dice.uniform(20, 200):.2f}"
        price, rent = dice.uniform(1e5, 9e5), dice.uniform(300, 3000)
        row = (area, f"town {i % 24}", f"20{i % 20:02}-0{i % 9 + 1}-11", "yes" if i % 3 else "no", f"{price:.1f}")
        lines.append(",".join((*row, f"{rent:.3f}", str(i % 2), str(i % 5 // 3), "abc"[i % 3])))
    path = tmp_path_factory.mktemp("a folder") / "houses.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


IGNORED = {"town": "ignore", "rent": "ignore"}
TOYS = {
    "binary": {"data": {"kind": "toy", "name": "circle", "n": 40}},
    "regression": {"data": {"kind": "toy", "name": "plane", "n": 40}},
    "perceptron": {"data": {"kind": "toy", "name": "and", "n": 4, "split": "none"}, "network": "perceptron"},
    "by hand": {
        "data": {"kind": "toy", "name": "xor", "n": 4, "split": "none"},
        "network": {"kind": "mlp", "hidden": [2], "activation": "step", "output": "step", "weights": XOR},
    },
}
TABLES = {
    "classes": {"target": "kind"},
    "labels": {"target": ["sold", "shown"]},
    "quantity": {"target": "price"},
    "quantities": {"target": ["price", "rent"]},
}


@pytest.fixture(params=[*TOYS, *TABLES])
def made(request, table):
    if request.param in TOYS:
        return modelled(TOYS[request.param])
    parts = TABLES[request.param]
    return modelled({"data": {"kind": "table", "path": str(table), **parts}})


def test_predictions_after_loading_are_those_before(made, tmp_path):
    model, data = made
    raw = data.raw(np.arange(min(20, len(data.x))))
    model.save(tmp_path / "m", examples=data.raw(data.train[:5]))
    again = load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(raw), model.predict(raw))
    np.testing.assert_array_equal(again.outputs(data.x), model.outputs(data.x))
    if model.objective.kind != "quantities":
        np.testing.assert_array_equal(again.predict_proba(raw), model.predict_proba(raw))
    assert (again.target, again.objective, again.info) == (model.target, model.objective, model.info)
    assert again.recipe.network == model.recipe.network
    one = raw[0].tolist() if isinstance(raw, np.ndarray) else raw[0]
    one = dict(zip(data.encoder.names, one, strict=True)) if isinstance(one, list) else one
    alone, among = again.predict(one), model.predict(raw)[:1]
    if among.dtype == np.float64:  # one row and twenty are two programs, which may round differently
        np.testing.assert_allclose(alone, among, rtol=1e-5)
    else:
        np.testing.assert_array_equal(alone, among)


def test_saving_twice_gives_the_same_bytes(made, tmp_path):
    model, data = made
    model.save(tmp_path / "one", examples=data.raw(data.train[:5]))
    model.save(tmp_path / "two", examples=data.raw(data.train[:5]))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    load_model(tmp_path / "one").save(tmp_path / "three", examples=data.raw(data.train[:5]))
    assert (tmp_path / "three").read_bytes() == (tmp_path / "one").read_bytes(), "nothing is lost in between"


def test_what_is_predicted_has_the_targets_own_shape_and_unit(table):
    def predicted(**parts):
        model, data = modelled({"data": {"kind": "table", "path": str(table), **parts}})
        return model, model.predict(data.raw(np.arange(7)))

    model, names = predicted(target="kind")
    assert names.shape == (7,) and set(names) <= {"a", "b", "c"}
    model, labels = predicted(target=["sold", "shown"])
    assert labels.shape == (7, 2) and labels.dtype == bool
    model, price = predicted(target="price")
    assert price.shape == (7,)
    assert price.dtype == np.float64
    assert abs(price.mean() - model.target.mean[0]) < 5 * model.target.scale[0]
    model, both = predicted(target=["price", "rent"])
    assert both.shape == (7, 2)


def test_the_given_rows_need_only_the_columns_that_are_read(table):
    model, data = modelled({"data": {"kind": "table", "path": str(table), "target": "price"}})
    row = {name: data.raw(np.arange(1))[0][name] for name in data.encoder.names}
    assert model.predict(row).shape == (1,)
    del row["area"]
    with pytest.raises(DataError, match="area"):
        model.predict(row)


def test_rows_without_a_target_are_not_scored_and_counted(made):
    """Wherever they stand, the figures are those of the other rows, which nothing shifts."""
    model, data = made
    target = model.target
    names = (target.column,) if isinstance(target, Classes) else target.columns
    rows = np.arange(min(24, len(data.x)))
    raw = data.raw(rows)
    if isinstance(raw, np.ndarray):  # of a toy: the inputs alone
        rows_of = [dict(zip(data.encoder.names, map(float, row), strict=True)) for row in raw]
        answers = np.resize(target.names, len(raw)) if isinstance(target, Classes) else np.arange(len(raw)) / 7
        raw = [{**row, names[0]: str(answer)} for row, answer in zip(rows_of, answers, strict=True)]
    whole = model.score(raw)
    few = ("intervals that rest on 4 rows are narrower than they ought to be",) if len(raw) < 10 else ()
    assert whole.notes == few
    gap = dict.fromkeys(names)
    more = [{**raw[0], **gap}, *raw[:3], {**raw[3], names[-1]: None}, *raw[3:], {**raw[2], names[0]: "NA"}]
    scored = model.score(more)
    assert scored.metrics.keys() == whole.metrics.keys() and scored.metrics
    for name, figure in scored.metrics.items():
        assert astuple(figure) == pytest.approx(astuple(whole.metrics[name]), rel=1e-5), name
    assert scored.notes == ("3 rows without a target were left out", *few)
    with pytest.raises(DataError, match="some row to evaluate has a target"):
        model.score([{**row, **gap} for row in raw])


def test_the_file_names_no_folder(table, tmp_path):
    for split in ("auto", {"kind": "given", "test": str(table)}):
        model, data = modelled({"data": {"kind": "table", "path": str(table), "target": "price", "split": split}})
        model.save(tmp_path / "m", examples=data.raw(data.train[:5]))
        content = (tmp_path / "m").read_bytes()
        assert b"houses.csv" in content
        assert str(table.parent).encode() not in content
        assert table.parent.name.encode() not in content


# ── damage ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def content(tmp_path_factory, table):
    """A file that has everything: tensors of both kinds, numbers such as 1e-08 and 0.30000000000000004."""
    model, data = modelled(
        {"data": {"kind": "table", "path": str(table), "target": "kind"}, "network": {"hidden": [2]}}
    )
    model.info["metrics"] = {"share": 0.1 + 0.2, "word": "für"}
    path = tmp_path_factory.mktemp("model") / "m"
    model.save(path, examples=data.raw(data.train[:5]))
    found = path.read_bytes()
    assert b"1e-08" in found and b"0.30000000000000004" in found and b"00fc" in found
    return found


def refused(path, content, rule="", received=""):
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as error:
        load_model(path)
    assert rule in error.value.rule
    assert error.value.place == path.name
    assert error.value.remedy
    assert received in error.value.received
    return error.value


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_is_noticed(tmp_path, content):
    dice = random.Random(0)
    for bit in [*range(64), *(dice.randrange(8 * len(content)) for _ in range(600))]:
        refused(tmp_path / "m", flipped(content, bit))


@pytest.mark.parametrize("text", [b"1e-08", b"0.30000000000000004", b"u00fc"])
def test_even_one_that_does_not_change_what_is_read(tmp_path, content, text):
    """1E-08 is the same number, as may be a neighbor in the last digit; \\u00FC the same letter."""
    at = content.index(text)
    for bit in range(8 * at, 8 * (at + len(text))):
        refused(tmp_path / "m", flipped(content, bit))


def test_every_shortened_file_is_refused(tmp_path, content):
    for length in range(0, len(content), 1 if len(content) < 3000 else 7):
        refused(tmp_path / "m", content[:length])
    refused(tmp_path / "m", content[:-1])
    refused(tmp_path / "m", content + b"\0")


@pytest.mark.parametrize("other", [b"", b"hello", b"\0" * 64, b"\x89PNG\r\n" * 9, b"PK\x03\x04" * 30, b"{" * 3000])
def test_a_file_that_is_something_else_is_refused(tmp_path, other):
    refused(tmp_path / "m", other, "a whole safetensors file")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="can be read") as error:
        load_model(tmp_path / "absent")
    assert error.value.received == f"{tmp_path / 'absent'}: No such file or directory"
    with pytest.raises(ModelFileError, match="can be read"):
        load_model(tmp_path)


def test_another_programs_file_is_refused(tmp_path):
    for metadata in (None, {"format": "pt"}, {"other": "{}"}):
        save_file({"weight": np.zeros((3, 2), np.float32)}, tmp_path / "m", metadata)
        refused(tmp_path / "m", (tmp_path / "m").read_bytes(), "was written by layerwise")


# ── files made with care ────────────────────────────────────────────────────────────────────────


def header_of(content):
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][KEY])


def forged(tmp_path, content, change, tensors=None):
    """The file with its description changed, and a digest that fits again."""
    (tmp_path / "m").write_bytes(content)
    tensors = load_file(tmp_path / "m") | (tensors or {})
    header = header_of(content)
    change(header)
    header["digest"] = _digest(header, tensors)
    save_file(tensors, tmp_path / "m", {KEY: _canonical(header)})
    return (tmp_path / "m").read_bytes()


def test_the_forger_can_make_a_file_that_is_read(tmp_path, content):
    same = forged(tmp_path, content, lambda header: None)
    (tmp_path / "m").write_bytes(same)
    assert load_model(tmp_path / "m").info["metrics"]["word"] == "für"


def test_a_newer_format_is_refused_and_said(tmp_path, content):
    newer = forged(tmp_path, content, lambda header: header.update(format=7, oldest_reader=6))
    refused(tmp_path / "m", newer, "up to format 1", received="format 7")


def test_a_newer_format_that_we_still_understand_is_read(tmp_path, content):
    (tmp_path / "m").write_bytes(forged(tmp_path, content, lambda header: header.update(format=7, more="unknown")))
    assert load_model(tmp_path / "m").predict(header_of(content)["examples"]["raw"]).shape == (5,)


def test_a_file_that_computes_something_else_is_refused(tmp_path, content):
    def other(header):
        header["examples"]["outputs"][2][0] += 0.01

    refused(tmp_path / "m", forged(tmp_path, content, other), "outputs that were written down", "a difference of 0.01")


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("recipe"),
        lambda header: header.pop("examples"),
        lambda header: header.update(recipe=[]),
        lambda header: header.update(recipe={"data": {"kind": "toy", "name": "xor"}}),
        lambda header: header.update(target={"kind": "nonsense"}),
        lambda header: header.update(target={"kind": "labels", "columns": ["a"]}),
        lambda header: header.update(encoder={}),
        lambda header: header.update(encoder=None),
        lambda header: header.update(examples={"raw": [{}], "outputs": [[0]]}),
        lambda header: header.update(examples=5),
        lambda header: header["examples"].update(outputs=[[1, 2], [3]]),
        lambda header: header["recipe"]["network"].update(hidden=[3]),
        lambda header: header["recipe"].update(network={"kind": "lstm"}),
        lambda header: header["recipe"].update(seed=-1),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, content, change):
    refused(tmp_path / "m", forged(tmp_path, content, change))


def test_tensors_that_do_not_fit_are_refused(tmp_path, content):
    for more in (
        {"network.layers.7.weight": np.zeros((2, 2), np.float32)},
        {"network.layers.0.bias": np.zeros(5, np.float32)},
        {"network.layers.0.bias": np.zeros(2, np.float64)},
    ):
        refused(tmp_path / "m", forged(tmp_path, content, lambda header: None, more), "parts fit together")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"format": 1}', "NaN", "[" * 3000, '{"format":1,"digest":NaN}']
)
def test_a_description_that_is_none_is_refused(tmp_path, text):
    save_file({"w": np.zeros(2, np.float32)}, tmp_path / "m", {KEY: text})
    refused(tmp_path / "m", (tmp_path / "m").read_bytes(), "unaltered")


def test_infinity_is_no_number_in_a_description(tmp_path, content):
    header = header_of(content)
    text = _canonical(header).replace("0.30000000000000004", "Infinity")
    save_file(load_tensors(tmp_path, content), tmp_path / "m", {KEY: text})
    refused(tmp_path / "m", (tmp_path / "m").read_bytes(), "unaltered")


@pytest.mark.parametrize("text", ["Infinity", "1e400", "-Infinity", '"1"', "[1]"])
@pytest.mark.parametrize("key", ["oldest_reader", "format"])
def test_a_format_is_a_whole_number(tmp_path, content, key, text):
    described = _canonical(header_of(content)).replace(f'"{key}":1', f'"{key}":{text}')
    save_file(load_tensors(tmp_path, content), tmp_path / "m", {KEY: described})
    refused(tmp_path / "m", (tmp_path / "m").read_bytes(), "unaltered")


def test_a_network_too_large_for_its_weights_is_not_made(tmp_path, content, monkeypatch):
    def wider(header):
        header["recipe"]["network"]["hidden"] = [40_000, 40_000]

    monkeypatch.setattr("layerwise.training.model.build", None)
    refused(tmp_path / "m", forged(tmp_path, content, wider), "fit together")


def test_only_what_is_read_of_a_row_is_in_the_file(table, tmp_path):
    model, dataset = modelled({"data": {"kind": "table", "path": str(table), "target": "price", "columns": IGNORED}})
    model.save(tmp_path / "m", examples=dataset.raw(dataset.train[:5]))
    kept = header_of((tmp_path / "m").read_bytes())["examples"]["raw"]
    assert len(kept) == 5 and all(sorted(row) == sorted(dataset.encoder.names) for row in kept)
    assert "price" not in kept[0] and "town" not in kept[0]
    load_model(tmp_path / "m")


def load_tensors(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    return load_file(tmp_path / "m")


# ── saving ──────────────────────────────────────────────────────────────────────────────────────


def test_outputs_beyond_all_numbers_do_not_keep_a_model_from_being_saved(tmp_path):
    """Weights by hand may be anything; examples that have no number as answer are left out."""
    huge = {"kind": "linear", "weights": [[[0, 1e38, 3e38]]]}
    model, data = modelled({"data": {"kind": "toy", "name": "xor", "n": 4, "split": "none"}, "network": huge})
    assert np.isinf(model.outputs(data.x)).any()
    model.save(tmp_path / "m", examples=data.raw(np.arange(4)))
    again = load_model(tmp_path / "m")
    assert len(header_of((tmp_path / "m").read_bytes())["examples"]["raw"]) == 3
    assert again.predict(data.raw(np.arange(4))).tolist() == model.predict(data.raw(np.arange(4))).tolist()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    model, _ = modelled(TOYS["binary"])
    with pytest.raises(StorageError):
        model.save(tmp_path / "absent" / "m")


def test_layerwise_load_is_this_one(tmp_path):
    model, _ = modelled(TOYS["binary"])
    model.save(tmp_path / "m")
    assert isinstance(layerwise.load(tmp_path / "m"), Model)
    assert isinstance(layerwise.load(str(tmp_path / "m")), layerwise.Model)
