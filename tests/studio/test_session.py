"""A recipe that is played with: what acts at once, what begins anew, and that nothing compiles meanwhile."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from layerwise.errors import LayerwiseError
from layerwise.recipe import load
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import frames
from layerwise.training import padded
from layerwise.training.forward import Forward

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 100_000, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}
OPTIMIZERS = ("momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "lion")
ACTIVATIONS = ("sigmoid", "relu", "leaky_relu", "noisy_relu", "elu", "silu", "softplus", "gelu", "linear")


@pytest.fixture
def session() -> Session:
    return Session(SMALL)


def weights(session: Session) -> np.ndarray:
    return np.asarray(session.timeline.state.now.parameters.weight)


def test_settings_act_at_once_and_keep_the_weights(session: Session) -> None:
    session.advance(20)
    before = weights(session)
    session.change(changed(session.recipe, "train.learning_rate", 0.3))
    assert (weights(session) == before).all() and session.timeline.step == 20
    session.advance(1)
    assert session.scene()["edits"] == [20] and session.scene()["recipe"]["train"]["learning_rate"] == 0.3


def test_units_and_layers_come_and_go_and_the_others_stay(session: Session) -> None:
    session.advance(20)
    before = weights(session)
    session.change(changed(session.recipe, "network.hidden", [4, 2]))
    after = weights(session)
    assert (after[0, :3] == before[0, :3]).all() and after[0, 3].any()
    assert (after[1, :2, :3] == before[1, :2, :3]).all()
    session.change(changed(session.recipe, "network.hidden", [4]))
    assert int(session.timeline.arguments.shape.depth) == 1 and not weights(session)[1].any()
    session.advance(5)
    assert session.timeline.step == 25


def test_other_data_begins_anew(session: Session) -> None:
    session.advance(20)
    session.change(changed(session.recipe, "data.name", "circle"))
    assert session.timeline.step == 0 and session.timeline.end == 0


def test_reset_comes_back_to_the_same_weights(session: Session) -> None:
    first = weights(session)
    session.advance(50)
    session.reset()
    assert (weights(session) == first).all()
    session.change(changed(session.recipe, "seed", 1))
    assert (weights(session) != first).any()


def test_a_typed_weight(session: Session) -> None:
    session.type_weight(0, 1, 1, 1.5)
    session.type_weight(2, 0, None, -0.5)
    assert weights(session)[0, 1, 1] == 1.5
    assert np.asarray(session.timeline.state.now.parameters.bias)[-1, 0] == -0.5
    for bad in ((3, 0, 0, 1.0), (0, 3, 0, 1.0), (0, 0, 2, 1.0), (0, 0, 0, float("nan")), (-1, 0, 0, 1.0)):
        with pytest.raises(LayerwiseError):
            session.type_weight(*bad)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.hidden", [65]),
        ("network.hidden", [2] * 7),
        ("train.batch_size", 0),
        ("train.clip", 1.0),
        ("train.learning_rate", -1),
        ("train.optimizer", "lbfgs"),
        ("train.no_such", 1),
        ("data.n", 20_000),
        ("data", {"kind": "table", "path": "/etc/passwd", "target": "x"}),
    ],
)
def test_what_cannot_be_played_with_is_refused_and_changes_nothing(session: Session, path: str, value: Any) -> None:
    session.advance(10)
    before, recipe, revision = weights(session), session.recipe, session.revision
    with pytest.raises(LayerwiseError):
        session.change(changed(session.recipe, path, value))
    assert (weights(session) == before).all() and session.recipe == recipe and session.revision == revision


def test_no_control_compiles_anything(session: Session, compiled: list[str]) -> None:
    """Every control of the page that keeps within the program's room is an argument of it."""
    session.advance(30)
    session.frame()()
    before = len(compiled)
    moves: list[tuple[str, Any]] = [
        *(("train.optimizer", kind) for kind in OPTIMIZERS),
        *(("network.activation", kind) for kind in ACTIVATIONS),
        *(("train.schedule", kind) for kind in ("cosine", "step", "exponential", "one_cycle")),
        ("train.l1", 0.01), ("train.l2", 0.01), ("train.dropout", 0.2), ("train.batch_size", 1), ("train.patience", 5),
        ("network.hidden", [8] * 6), ("network.hidden", []), ("network.hidden", [1]), ("data.noise", 0.3),
        ("data.name", "spiral"), ("data.n", 200), ("seed", 3), ("network.initialization", "orthogonal"),
        ("task", {"kind": "classify", "label_smoothing": 0.1}), ("task", "auto"), ("data.name", "plane"),
    ]  # fmt: skip
    for path, value in moves:
        session.change(changed(session.recipe, path, value))
        session.advance(3)
        session.frame()()
    assert len(compiled) == before


def test_frames_hold_what_is_drawn(session: Session) -> None:
    session.advance(25)
    revision, step, sections = frames.unpacked(session.frame()())
    assert (revision, step) == (session.revision, 25)
    np.testing.assert_array_equal(sections["weights"], weights(session))
    assert sections["surface"].shape == (64, 64, 1) and sections["units"].shape == (6, 8, 16, 16)
    assert sections["curve"].shape[1] == 5 and sections["curve"][-1, 0] <= 25


def test_surfaces_are_what_the_network_says(session: Session) -> None:
    session.advance(25)
    *_, sections = frames.unpacked(session.frame()())
    network = padded.unpack(session.timeline.state.now.parameters, session.network)
    ends = np.linspace(-session.reach, session.reach, 64, dtype=np.float32)
    x = np.array([[ends[10], ends[50]]], np.float32)
    np.testing.assert_allclose(sections["surface"][50, 10], Forward(network)(x)[0], atol=1e-5)
    layer, at = network.layers[0], np.array([ends[4 * 3 + 2], ends[4 * 7 + 2]])
    first = np.tanh(np.asarray(layer.weight) @ at + np.asarray(layer.bias))
    np.testing.assert_allclose(sections["units"][0, :3, 7, 3], first, atol=1e-5)


def test_a_sheet_of_a_point(session: Session) -> None:
    sheet = session.sheet(5)()
    assert sheet.difference < 1e-4 and len(sheet.layers) == 3


def test_frames_that_are_none() -> None:
    for bad in (b"", b"LW", b"XX" + bytes(20), frames.packed(1, 2, {"weights": np.zeros(9, np.float32)})[:-8]):
        with pytest.raises(ValueError):
            frames.unpacked(bad)


def test_a_recipe_of_ones_own() -> None:
    session = Session(load({"data": {"kind": "named", "name": "iris"}, "network": {"kind": "mlp", "hidden": [4]}}))
    session.advance(5)
    assert session.scene()["names"] == ["setosa", "versicolor", "virginica"]


# ── larger data ─────────────────────────────────────────────────────────────────────────────────

MORE = {"network": {"kind": "mlp", "hidden": [6]}, "train": {"epochs": 100, "batch_size": 32, "patience": 0}}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of five columns, two of them of words."""
    random = np.random.default_rng(0)
    width, length = random.uniform(1, 9, (2, 120)).round(2)
    kind = random.choice(["soft", "hard", "odd"], 120)
    table = {"width": width, "length": length, "kind": kind, "sort": random.choice(["a", "b"], 120)}
    table["price"] = 3 * width + length * (kind == "hard")
    path = tmp_path_factory.mktemp("tables") / "mixed.csv"
    pl.DataFrame(table).write_csv(path)
    return str(path)


def test_sessions_of_any_width_play(mixed: str) -> None:
    tables = [{"kind": "named", "name": name} for name in ("iris", "breast-cancer", "digits")]
    widths = {}
    for data in (*tables, {"kind": "table", "path": mixed, "target": "price"}):
        session = Session({**MORE, "data": data})
        assert session.advance(40) == 40
        scene = session.scene()
        *_, sections = frames.unpacked(session.frame()())
        outputs = 1 if session.resolved.objective.outputs == 1 else len(scene["names"])
        assert sections["surface"].shape == (64, 64, outputs) and np.isfinite(sections["surface"]).all()
        assert len(scene["points"]["train"]) == scene["rows"]["train"] == len(session.dataset.train)
        spots = np.array([spot[1:3] for spot in scene["points"]["train"]])
        assert np.abs(spots).max() <= session.reach
        widths[session.room.width] = session.sheet(3)().difference
    assert set(widths) == {8, 32, 64} and max(widths.values()) < 1e-3


def test_the_square_is_over_two_columns_or_two_components(mixed: str) -> None:
    session = Session({**MORE, "data": {"kind": "table", "path": mixed, "target": "price"}})
    session.advance(20)
    assert "component 1" in session.scene()["plane"]["axes"][0]["name"]
    revision = session.revision
    session.show(("kind", "width"))
    scene = session.scene()
    kind, width = scene["plane"]["axes"]
    assert session.revision > revision and session.timeline.step == 20
    assert kind["levels"] == ["hard", "odd", "soft"] and (kind["low"], kind["high"]) == (-0.5, 2.5)
    assert width["name"] == "width" and 0 < width["low"] < 1.5 and 8.5 < width["high"] < 10
    assert set(scene["plane"]["held"]) == {"length", "sort"}
    *_, sections = frames.unpacked(session.frame()())
    held = {name: values[0] for name, values in (("length", [5.0]), ("sort", ["a"]))}
    network = padded.unpack(session.timeline.state.now.parameters, session.network)
    row = int(scene["points"]["train"][7][0])
    x, y = scene["points"]["train"][7][1:3]
    raw = session.dataset.encoder.encode([{**held, **{"kind": "soft", "width": width["high"]}}])
    assert raw.shape == (1, session.dataset.x.shape[1]) and abs(x) <= 1 and abs(y) <= 1 and row >= 0
    top_right = session.square.inputs.reshape(64, 64, -1)[-1, -1, : raw.shape[1]]
    np.testing.assert_allclose(sections["surface"][-1, -1], Forward(network)(top_right[None])[0], atol=1e-4)
    for bad in (("kind", "kind"), ("kind", "size")):
        with pytest.raises(LayerwiseError):
            session.show(bad)
    assert session.over == ("kind", "width")


def test_rows_without_a_value_for_an_axis_are_counted(mixed: str, tmp_path: Path) -> None:
    table = pl.read_csv(mixed).with_columns(
        pl.when(pl.col("width") > 7).then(None).otherwise(pl.col("width")).alias("width")
    )
    path = tmp_path / "holes.csv"
    table.write_csv(path)
    session = Session({**MORE, "data": {"kind": "table", "path": str(path), "target": "price"}})
    assert session.scene()["plane"]["placeless"] == 0  # components have the missing value's own code
    session.show(("width", "length"))
    scene = session.scene()
    rows = np.concatenate([session.dataset.train, session.dataset.validation])
    absent = int(table["width"].is_null().to_numpy()[rows].sum())
    placed = sum(len(scene["points"][part]) for part in ("train", "validation"))
    assert scene["plane"]["placeless"] == absent > 0 and placed + absent == len(rows)


def test_beyond_its_room_a_network_begins_anew_and_within_it_does_not() -> None:
    session = Session(SMALL)
    session.advance(20)
    session.change(changed(session.recipe, "network.hidden", [9]))
    assert session.room.width == 16 and session.timeline.step == 0
    session.advance(20)
    session.change(changed(session.recipe, "network.hidden", [3, 2]))
    assert session.room.width == 16 and session.timeline.step == 20
    with pytest.raises(LayerwiseError, match="side by side"):
        session.among_many()


def test_a_batch_may_be_large(session: Session) -> None:
    session.change(changed(session.recipe, "data.n", 1000))
    session.change(changed(session.recipe, "train.batch_size", 256))
    assert session.advance(30) == 30 and session.timeline.steps_per_epoch == 3
