"""The padded program computes what the plain one does: the same network, batches, dropout, updates."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
import pytest
from recipes import NOTHING, TABLE, Maker, uses_of

from layerwise.data import load as load_data
from layerwise.errors import RecipeError
from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import load
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.events import Epoch
from layerwise.training.resolve import resolve
from layerwise.training.trainer import Trainer

MOONS = {"kind": "toy", "name": "moons", "n": 60, "noise": 0.1}


def both(
    recipe: dict[str, Any], epochs: int = 3, changes: dict[str, Any] | None = None, uses: frozenset[str] = NOTHING
) -> tuple[Trainer, padded.State, padded.History, list[Epoch]]:
    """The same recipe trained by the plain program, which `uses` more than it needs, and by the padded one."""
    maker = Maker(recipe)
    changes = {"train.epochs": epochs, "train.patience": 0, **(changes or {})}
    plain = maker.lane(changes, uses)
    seen = []
    while plain.running:
        seen += [event for event in plain.advance(0.0) if isinstance(event, Epoch)]
    return plain, *played(maker, changes), seen


def played(maker: Maker, changes: dict[str, Any]) -> tuple[padded.State, padded.History]:
    """Trained by the padded program."""
    resolved, dataset = maker.resolved(changes), maker.dataset
    network = maker.network(resolved)
    train, room = padded.check(resolved, dataset), padded.room(resolved, dataset)
    return padded.compiled(room)(
        padded.fresh(padded.pack(network, room)),
        padded.shape(network, room),
        padded.settings(train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, training_weights(resolved.recipe.task, dataset), resolved.objective, room),
        noise.key(resolved.recipe.seed),
        np.int32(1_000_000),
    )


def assert_equal(plain: Trainer, state: padded.State, tolerance: float = 2e-5) -> None:
    ours = padded.unpack(state.now.parameters, plain.state.weights.network)
    assert int(state.now.step) == plain.step
    for a, b in zip(jax.tree.leaves(plain.state.weights.network), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=tolerance, atol=tolerance)


# What each line of the table has instead: between them every optimizer, activation, schedule, loss, kind of target
# and regularizer that there is room for, networks of no layer to two, and batches of one to all rows.
LINES: dict[str, dict[str, Any]] = {
    "sgd": {"train.l1": 0.02},
    "momentum": {"train.dropout": 0.4},
    "nesterov": {"task": {"kind": "classify", "label_smoothing": 0.1}},
    "adagrad": {"train.l2": 0.05},
    "rmsprop": {},
    "adam": {"train.l1": 0.01, "train.l2": 0.02, "train.dropout": 0.2},
    "adamw": {"train.weight_decay": 0.3, "train.dropout": 0.2, "train.learning_rate": 0.01},
    "lion": {},
    "two layers, batches of one": {},
    # At zero weights the bias's gradient over as many rows of each class is rounding, which Adam must not enlarge.
    "no layer, batches of all rows, some end early": {
        "train.batch_size": 256,
        "train.optimizer": {"kind": "adam", "epsilon": 0.01},
    },
    "linear units": {},
}


@pytest.mark.parametrize("name", LINES)
def test_padded_is_plain(name: str) -> None:
    # Laws that divide by a gradient's size make rounding of a small one large.
    adaptive = name not in ("sgd", "momentum", "nesterov", "lion")
    assert_equal(*both(TABLE[name][0], changes=LINES[name], uses=uses_of(name))[:2], 2e-4 if adaptive else 2e-5)


def test_six_layers_the_last_of_one_unit() -> None:
    network = {"kind": "mlp", "hidden": [8, 7, 6, 5, 4, 1], "activation": "tanh"}
    recipe = {"network": network, "train": {"optimizer": "sgd", "schedule": "cosine", "batch_size": 7}}
    assert_equal(*both(recipe)[:2])


def test_weights_of_classes() -> None:
    task = {"kind": "classify", "class_weight": {"inside": 3.0, "outside": 0.5}}
    plain, state, *_ = both({**TABLE["sgd"][0], "task": task}, epochs=5, uses=uses_of("sgd"))
    assert_equal(plain, state)
    np.testing.assert_allclose(float(state.best_value), plain.seen.best_value, rtol=1e-4)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two inputs, two quantities of different units."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 120))
    pl.DataFrame({"a": a, "b": b, "u": a + b, "v": 100 * a * b}).write_csv(tmp_path / "table.csv")
    return tmp_path / "table.csv"


TARGETS = {"two classes": "adam", "three classes": "nesterov", "labels": "momentum", "quantities": ""}


@pytest.mark.parametrize("target", TARGETS)
def test_figures_are_the_plain_ones(target: str, table: Path) -> None:
    """The validation loss and figure of every epoch, the best epoch and its weights."""
    if name := TARGETS[target]:
        plain, state, history, seen = both(TABLE[name][0], epochs=9, uses=uses_of(name))
    else:
        data = {"kind": "table", "path": str(table), "target": ["u", "v"]}
        plain, state, history, seen = both({"data": data}, epochs=9)
    name = "r2" if target == "quantities" else "accuracy"
    expected = [[epoch.validation["loss"], epoch.validation[name]] for epoch in seen]
    assert int(history.rows) == 9
    np.testing.assert_allclose(np.asarray(history.validation)[:9], expected, rtol=2e-4, atol=2e-5)
    assert int(state.best_step) // plain.steps_per_epoch == plain.seen.best_epoch
    ours = padded.unpack(state.best, plain.state.best)
    for a, b in zip(jax.tree.leaves(plain.state.best), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=2e-4)


def test_what_diverges_goes_back_to_the_last_good_epoch() -> None:
    train = {"optimizer": "nesterov", "learning_rate": 1e6}
    network = {"kind": "mlp", "hidden": [4], "activation": "linear"}
    data = {"kind": "toy", "name": "plane", "n": 60}
    state, history = played(Maker({"data": data, "network": network, "train": train}), {"train.epochs": 50})
    assert int(state.status) == padded.DIVERGED
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state.now.parameters))
    assert int(history.rows) < 50


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"network": {"kind": "mlp", "hidden": [65]}}, "up to 6 hidden layers, 64 units"),
        ({"network": {"kind": "mlp", "hidden": [2] * 7}}, "up to 6 hidden layers, 64 units"),
        ({"data": {**MOONS, "n": 16_385}, "network": {"kind": "mlp", "hidden": [2]}}, "16,384 rows"),
        ({"network": "perceptron"}, "a linear one or an mlp"),
        (
            {"data": {"kind": "toy", "name": "plane"}, "network": {"kind": "mlp", "hidden": [2], "output": "tanh"}},
            "linear",
        ),
        ({"data": {**MOONS, "n": 600}, "network": "linear", "train": {"batch_size": 257}}, "up to 256 rows"),
        ({"network": {"kind": "mlp", "hidden": [2]}, "train": {"optimizer": "lbfgs"}}, "takes no batches"),
        ({"network": {"kind": "mlp", "hidden": [2]}, "train": {"clip": 1.0}}, "train.clip"),
        ({"network": {"kind": "mlp", "hidden": [2]}, "train": {"learning_rate": "find"}}, "is a number"),
        ("xor-by-hand", "is trained"),
    ],
)
def test_what_it_would_compute_wrongly_is_refused(recipe: Any, said: str) -> None:
    written = load(recipe if isinstance(recipe, str) else {"data": MOONS, **recipe})
    dataset = load_data(written.data, written.task, written.seed)
    with pytest.raises(RecipeError, match=said):
        padded.check(resolve(written, dataset), dataset)


def test_what_fits_is_told_by_its_training() -> None:
    written = load({"data": MOONS, "network": {"kind": "mlp", "hidden": [8] * 6}})
    dataset = load_data(written.data, written.task, written.seed)
    assert padded.check(resolve(written, dataset), dataset).batch_size == 32


# ── larger rooms ────────────────────────────────────────────────────────────────────────────────

DIGITS = {"data": {"kind": "named", "name": "digits"}, "network": {"kind": "mlp", "hidden": [32]}}


@pytest.mark.parametrize(
    "train",
    [{"optimizer": "adam", "dropout": 0.3, "l1": 0.001}, {"batch_size": 100, "optimizer": "momentum"}],
)
def test_digits_are_what_the_plain_program_makes_of_them(train: dict[str, Any]) -> None:
    plain, state, history, seen = both(
        {**DIGITS, "train": {"learning_rate": 0.001, "batch_size": 32, **train}}, epochs=2
    )
    assert state.now.parameters.weight.shape == (3, 64, 64)
    assert_equal(plain, state, 5e-4)
    expected = [[epoch.validation["loss"], epoch.validation["accuracy"]] for epoch in seen]
    np.testing.assert_allclose(np.asarray(history.validation)[:2], expected, rtol=1e-3, atol=3e-3)


def test_a_deeper_one_of_sixteen_inputs() -> None:
    network = {"kind": "mlp", "hidden": [12, 9, 5], "activation": "relu"}
    recipe = {"data": {"kind": "named", "name": "wine"}, "network": network, "train": {"optimizer": "sgd"}}
    plain, state, *_ = both(recipe)
    assert state.now.parameters.weight.shape == (7, 16, 16)
    assert_equal(plain, state, 1e-4)


@pytest.mark.parametrize(
    ("recipe", "room"),
    [
        ({"data": MOONS, "network": {"kind": "mlp", "hidden": [8] * 6}}, padded.STANDARD),
        ({"data": MOONS, "network": {"kind": "mlp", "hidden": [9]}}, (2, 16, 4096)),
        ({"data": {**MOONS, "n": 2000}, "network": {"kind": "mlp", "hidden": [2]}}, (6, 8, 16384)),
        (DIGITS, (2, 64, 4096)),
        ({**DIGITS, "network": {"kind": "mlp", "hidden": [3] * 3}}, (6, 64, 4096)),
    ],
)
def test_the_smallest_room_is_taken(recipe: dict[str, Any], room: tuple[int, int, int]) -> None:
    written = load(recipe)
    dataset = load_data(written.data, written.task, written.seed)
    resolved = resolve(written, dataset)
    padded.check(resolved, dataset)
    assert padded.room(resolved, dataset) == room


@pytest.mark.usefixtures("compiled_as_for_users")
def test_the_length_of_a_call_changes_nothing() -> None:
    """Bit for bit, since going back in time replays steps in calls of other lengths. The last of this file: what
    follows would be compiled as for users, too."""
    network = build(
        load({"data": MOONS, "network": {"kind": "mlp", "hidden": [5]}}).network, inputs=2, outputs=1, codes=(), seed=3
    )
    written = load({"data": MOONS, "train": {"dropout": 0.3, "optimizer": "adam"}})
    dataset = load_data(written.data, written.task, 0)
    resolved = resolve(written, dataset)
    weight = training_weights(resolved.recipe.task, dataset)
    arguments = (
        padded.shape(network),
        padded.settings(resolved.recipe.train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, weight, resolved.objective),
        noise.key(5),
    )
    whole, _ = padded.compiled()(padded.fresh(padded.pack(network)), *arguments, np.int32(53))
    parts = padded.fresh(padded.pack(network))
    for count in (1, 30, 2, 20):
        parts, _ = padded.compiled()(parts, *arguments, np.int32(count))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
