"""Decision surfaces: against the model's own predictions on raw rows, and against boundaries known by hand."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.errors import DataError
from layerwise.inspection import Subject, plain, subject, surface
from layerwise.inspection.decisions import DecisionSurface
from layerwise.inspection.planes import Axis
from layerwise.training.model import Model

MIXED = ("size", "age", "member", "color", "town", "sold")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A table with numbers, yes/no, categories (one-hot, and embedded) and dates, all with gaps but for age."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(240):
        day = datetime.date(2023, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 500)))
        cells = [
            f"{rng.normal(3, 2):.3f}", str(rng.integers(1, 60)), rng.choice(["no", "yes"]),
            rng.choice(["red", "green"]), rng.choice(["Ulm", "Bonn", "Kiel", "Köln"], p=[0.1, 0.2, 0.5, 0.2]),
            day.strftime("%d.%m.%Y"),
        ]  # fmt: skip
        gap = n % 29
        if gap < 6 and gap != 1:
            cells[gap] = ""
        rows.append(",".join([*cells, ["low", "middle", "high"][n % 3]]))
    path = tmp_path_factory.mktemp("mixed") / "rows.csv"
    path.write_text("\n".join([",".join([*MIXED, "level"]), *rows]) + "\n")
    data = {"kind": "table", "path": str(path), "target": "level", "one_hot": 3}
    return subject({"data": data, "network": {"kind": "mlp", "hidden": [8, 5], "activation": "tanh"}})


def model_of(found: Subject) -> Model:
    return Model(found.recipe, found.network, found.dataset.encoder, found.dataset.target)


def shown(found: Subject, over: Any = "auto", **options: Any) -> DecisionSurface:
    return surface(found.network, found.objective, found.dataset, over, **options)


def raw(axis: Axis, place: int) -> Any:
    """What a user would write for a point of an axis."""
    value = float(axis.values[place])
    if axis.kind == "date":
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(days=value)
    if axis.levels:
        return None if axis.levels[place] == "(missing)" else axis.levels[place]
    return value


# ── the model's own predictions ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "over", [("size", "age"), ("color", "size"), ("town", "sold"), ("member", "color"), MIXED[:3:2]]
)
def test_values_are_what_the_model_says_of_the_raw_rows(mixed: Subject, over: tuple[str, str]) -> None:
    found, model = shown(mixed, over), model_of(mixed)
    usual = raw_usual(mixed)
    places = [(j, i) for j in range(0, found.y.values.size, 9) for i in range(0, found.x.values.size, 7)]
    rows = [{**usual, over[0]: raw(found.x, i), over[1]: raw(found.y, j)} for j, i in places]
    expected = model.predict_proba(rows)
    values = np.stack([found.values[j, i] for j, i in places])
    np.testing.assert_allclose(values, expected, atol=2e-6)
    assert set(found.held) == set(MIXED) - set(over)


def raw_usual(found: Subject) -> dict[str, Any]:
    """The median or the most frequent value of every column in the training part, from the raw rows."""
    rows = found.dataset.raw(found.dataset.train)
    usual: dict[str, Any] = {}
    for name in ("size", "age"):
        usual[name] = float(np.median([row[name] for row in rows if row[name] is not None]))
    for name in ("member", "color", "town"):
        values = [row[name] for row in rows]
        usual[name] = max(sorted({v for v in values if v is not None}), key=values.count)
    days = [datetime.datetime.strptime(row["sold"], "%d.%m.%Y") for row in rows if row["sold"] is not None]
    start = datetime.datetime(1970, 1, 1)
    usual["sold"] = start + datetime.timedelta(days=round(float(np.median([(day - start).days for day in days]))))
    return usual


def test_levels_are_the_column_s_own_and_the_missing_values(mixed: Subject) -> None:
    found = shown(mixed, ("color", "town"))
    assert found.x.levels == ("green", "red", "(missing)")
    assert found.y.levels == ("Bonn", "Kiel", "Köln", "Ulm", "(missing)")
    assert shown(mixed, ("member", "age")).x.levels == ("no", "yes", "(missing)")


def test_points_stand_where_their_rows_say(mixed: Subject) -> None:
    found = shown(mixed, ("size", "color"))
    for points in found.points:
        for row, x, y in zip(mixed.dataset.raw(points.rows), points.at_x, points.at_y, strict=True):
            assert np.isnan(x) if row["size"] is None else x == pytest.approx(row["size"], abs=1e-5)
            assert found.y.levels[int(y)] == (row["color"] or "(missing)")
    dates = shown(mixed, ("sold", "age")).points[0]
    for row, x in zip(mixed.dataset.raw(dates.rows), dates.at_x, strict=True):
        if row["sold"] is not None:
            day = datetime.datetime.strptime(row["sold"], "%d.%m.%Y") - datetime.datetime(1970, 1, 1)
            assert x == pytest.approx(day.days, abs=0.01)


def test_points_are_of_the_training_and_the_validation_part(mixed: Subject) -> None:
    found = shown(mixed, ("size", "age"))
    assert [points.part for points in found.points] == ["train", "validation"]
    for points in found.points:
        assert set(points.rows) <= set(mixed.dataset.part(points.part))
        assert set(points.rows).isdisjoint(mixed.dataset.test)
        np.testing.assert_array_equal(points.target, mixed.dataset.y[points.rows])


def test_arrays_of_measurements_and_a_quantity_in_its_own_unit() -> None:
    found = subject({"data": {"kind": "named", "name": "diabetes"}, "network": {"kind": "mlp", "hidden": [6]}})
    seen, model, dataset = shown(found, ("bmi", "age")), model_of(found), found.dataset
    usual = np.median(np.asarray(dataset.raw(dataset.train), float), axis=0)
    names = list(dataset.encoder.names)
    rows = np.tile(usual, (128, 1))
    rows[:, names.index("bmi")] = seen.x.values
    rows[:, names.index("age")] = seen.y.values[40]
    np.testing.assert_allclose(seen.values[40, :, 0], model.predict(rows), rtol=1e-4)
    true = np.asarray(dataset.raw(seen.points[0].rows), float)[:, names.index("bmi")]
    np.testing.assert_allclose(seen.points[0].at_x, true, rtol=1e-4)
    assert seen.points[0].target.min() > 20  # the progression of diabetes, from 25 to 346


def test_embedded_categories_come_before_the_components(mixed: Subject) -> None:
    found = shown(mixed, "pca")
    assert found.x.kind == "component" and found.held == {}
    first = first_inputs(mixed, mixed.dataset.train)
    _, sizes, directions = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose([c.share for c in found.components], (sizes**2 / (sizes**2).sum())[:2], rtol=1e-6)
    points = found.points[0]
    spots = (first_inputs(mixed, points.rows) - first.mean(axis=0)) @ directions[:2].T
    np.testing.assert_allclose(np.abs(np.stack([points.at_x, points.at_y], axis=1)), np.abs(spots), atol=1e-4)


def first_inputs(found: Subject, rows: np.ndarray) -> np.ndarray:
    """What the first layer sees, the embedded categories among it."""
    return np.asarray(found.network.inputs(jnp.asarray(found.dataset.x[rows])), float)


def test_components_of_two_inputs_show_the_whole_network() -> None:
    found = subject({"data": {"kind": "toy", "name": "moons", "n": 60, "noise": 0.1}})
    for over in ("auto", "pca"):
        assert shown(found, over).fidelity == 1
    assert sum(c.share for c in shown(found, "pca").components) == pytest.approx(1)


def test_a_quantity_in_small_units_counts_as_much_as_one_in_large_ones(tmp_path: Path) -> None:
    """The plane of a and b shows all of the large one, and of the small one nothing: it follows the third column."""
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 100))
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.stack([a, b, c, 1e6 * a, c], axis=1), delimiter=",", header="a,b,c,large,small", comments="")
    found = subject({"data": {"kind": "table", "path": str(path), "target": ["large", "small"]}, "network": "linear"})
    weight = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    network = eqx.tree_at(lambda net: net.layers[0].weight, found.network, weight)
    seen = surface(network, found.objective, found.dataset, ("a", "b"))
    own = found.dataset.x[np.concatenate([found.dataset.train, found.dataset.validation])][:, 2].astype(float)
    held = np.median(found.dataset.x[found.dataset.train][:, 2])
    small = 1 - ((own - held) ** 2).mean() / own.var()
    assert seen.fidelity == pytest.approx((1 + small) / 2, abs=0.02) and seen.fidelity < 0.6


# ── boundaries known by hand ────────────────────────────────────────────────────────────────────


def test_a_linear_unit_s_boundary_is_the_line_of_its_weights() -> None:
    """It decides for the second class where -1 + 2 x1 + 3 x2 > 0."""
    network = {"kind": "linear", "weights": [[[-1.0, 2.0, 3.0]]]}
    found = shown(subject({"data": {"kind": "toy", "name": "and", "n": 40, "noise": 0.2}, "network": network}))
    x, y = np.meshgrid(found.x.values, found.y.values)
    z = -1 + 2 * x + 3 * y
    np.testing.assert_allclose(found.values[..., 1], 1 / (1 + np.exp(-z)), atol=1e-6)
    sure = np.abs(z) > 1e-5
    np.testing.assert_array_equal((found.values[..., 1] > 0.5)[sure], (z > 0)[sure])


def test_a_perceptron_and_a_step_decide_without_doubt() -> None:
    for network in ({"kind": "perceptron", "weights": [[[0.2, 1.0, -1.0]]]}, "xor-by-hand"):
        recipe = {"data": {"kind": "toy", "name": "xor", "n": 40}, "network": network}
        values = shown(subject(network if isinstance(network, str) else recipe)).values
        assert set(np.unique(values)) == {0.0, 1.0}
        np.testing.assert_array_equal(values.sum(axis=2), np.ones(values.shape[:2]))


@pytest.mark.parametrize("activation", ["relu", "noisy_relu", "tanh"])
def test_hidden_units_by_hand(activation: str) -> None:
    recipe = {
        "data": {"kind": "toy", "name": "xor", "n": 40},
        "network": {"kind": "mlp", "hidden": [3, 2], "activation": activation},
    }
    subject_ = subject(recipe)
    found = shown(subject_, units=True)
    assert found.units is not None
    x, y = np.meshgrid(found.units.x, found.units.y)
    h = np.stack([x, y], axis=-1)
    function = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0)
    for layer, units in zip(subject_.network.layers, found.units.layers, strict=False):
        h = function(h @ np.asarray(layer.weight).T + np.asarray(layer.bias))
        np.testing.assert_allclose(units, h, atol=1e-5)
    assert len(found.units.layers) == 2
    assert shown(subject_).units is None


def test_without_hidden_layers_there_are_no_units() -> None:
    found = shown(subject({"data": {"kind": "named", "name": "iris"}, "network": "linear"}), units=True)
    assert found.units is not None and found.units.layers == ()


# ── what is missing or too much ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("over", "said"),
    [(("sice", "age"), "did you mean 'size'"), (("age", "age"), "different"), (("level", "age"), "the columns are")],
)
def test_columns_that_make_no_plane_are_refused(mixed: Subject, over: tuple[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        shown(mixed, over)


def test_one_input_has_no_plane(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(["a,b", *(f"{n / 7:.3f},{n % 2}" for n in range(40))]) + "\n")
    found = subject({"data": {"kind": "table", "path": str(tmp_path / "rows.csv"), "target": "b"}})
    with pytest.raises(DataError, match="two inputs"):
        shown(found)


def test_without_a_validation_part_and_with_one_row() -> None:
    found = subject({"data": {"kind": "toy", "name": "xor", "n": 4, "split": "none"}})
    seen = shown(found)
    assert [points.rows.size for points in seen.points] == [4, 0]
    one = replace(found.dataset, train=found.dataset.train[:1])
    for over in ("auto", "pca"):
        values = surface(found.network, found.objective, one, over).values  # type: ignore[arg-type]
        assert np.isfinite(values).all()


def test_json_has_the_numbers() -> None:
    found = plain(shown(subject({"data": {"kind": "toy", "name": "xor", "n": 40}})))
    assert found["x"]["name"] == "x1" and len(found["values"]) == 128 and len(found["points"]) == 2
