"""The padded program computes what the plain one does: the same network, batches, dropout, updates."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
import pytest

from layerwise.data import load as load_data
from layerwise.errors import RecipeError
from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import load
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.events import Epoch
from layerwise.training.place import place
from layerwise.training.resolve import resolve
from layerwise.training.trainer import Trainer

MOONS = {"kind": "toy", "name": "moons", "n": 60, "noise": 0.1}
SIX = [8, 7, 6, 5, 4, 3]


def both(recipe: dict[str, Any], epochs: int = 3) -> tuple[Trainer, padded.State, padded.History, list[Epoch]]:
    """The same recipe trained by the plain program and by the padded one."""
    recipe = {"data": MOONS, **recipe, "train": {"epochs": epochs, "patience": 0, **recipe.get("train", {})}}
    written = load(recipe)
    dataset = load_data(written.data, written.task, written.seed)
    resolved = resolve(written, dataset)
    width = dataset.x.shape[1]
    network = build(resolved.recipe.network, inputs=width, outputs=resolved.objective.outputs, codes=(), seed=0)
    copy = build(resolved.recipe.network, inputs=width, outputs=resolved.objective.outputs, codes=(), seed=0)
    weight = training_weights(resolved.recipe.task, dataset)
    plain = Trainer(resolved.recipe, resolved.objective, place(dataset, weight), network)
    seen = []
    while plain.running:
        seen += [event for event in plain.advance(0.0) if isinstance(event, Epoch)]
    train, room = padded.check(resolved, dataset), padded.room(resolved, dataset)
    state, history = padded.compiled(room)(
        padded.fresh(padded.pack(copy, room)),
        padded.shape(copy, room),
        padded.settings(train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, weight, resolved.objective, room),
        noise.key(written.seed),
        np.int32(1_000_000),
    )
    return plain, state, history, seen


def assert_equal(plain: Trainer, state: padded.State, tolerance: float = 2e-5) -> None:
    ours = padded.unpack(state.now.parameters, plain.state.weights.network)
    assert int(state.now.step) == plain.step
    for a, b in zip(jax.tree.leaves(plain.state.weights.network), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=tolerance, atol=tolerance)


def mlp(*hidden: int, **more: Any) -> dict[str, Any]:
    return {"kind": "mlp", "hidden": list(hidden), **more}


def plane(loss: str) -> dict[str, Any]:
    return {"data": {"kind": "toy", "name": "plane", "n": 60}, "task": {"kind": "regress", "loss": loss}}


IRIS = {"data": {"kind": "named", "name": "iris"}, "network": mlp(4)}

# Each line differs from the next in many ways at once, since each is a plain program to be compiled: every
# optimizer, activation, regularizer, schedule, loss, kind of target, depth and size of a batch is in one of them.
LINES: list[dict[str, Any]] = [
    {"network": "linear", "train": {"optimizer": "sgd", "batch_size": 1}},
    {"network": mlp(1, activation="tanh"), "train": {"optimizer": "sgd", "l1": 0.02}},
    {"network": mlp(8, activation="sigmoid"), "train": {"optimizer": "momentum", "dropout": 0.4, "batch_size": 7}},
    {"network": mlp(*SIX, activation="relu"), "train": {"optimizer": "sgd", "schedule": "cosine"}},
    {
        "network": mlp(5, 4, activation={"kind": "leaky_relu", "slope": 0.2}),
        "train": {"optimizer": "adagrad", "l2": 0.05, "schedule": "one_cycle"},
    },
    {
        "network": mlp(6, 5, activation={"kind": "elu", "alpha": 0.7}),
        "train": {"optimizer": "rmsprop", "warmup": 2, "batch_size": 32},
    },
    {
        "network": mlp(4, 3, activation="silu"),
        "train": {"optimizer": "adam", "l1": 0.01, "l2": 0.02, "dropout": 0.2, "schedule": "exponential"},
    },
    {
        "network": mlp(5, 4, activation="softplus"),
        "train": {
            "optimizer": "adamw", "weight_decay": 0.3, "learning_rate": 0.01, "schedule": {"kind": "step", "every": 1}
        },
    },
    {"network": mlp(4, 3, activation="gelu"), "train": {"optimizer": "lion", "batch_size": 256}},
    {"network": mlp(5, 4, activation="noisy_relu"), "train": {"optimizer": "momentum"}},
    {**plane("mse"), "network": mlp(4, activation=["linear"]), "train": {"optimizer": "nesterov"}},
    {**plane("mae"), "network": mlp(4, activation="tanh"), "train": {"optimizer": "sgd", "l2": 0.01}},
    {**plane("huber"), "network": mlp(4), "train": {"optimizer": "momentum", "dropout": 0.2}},
    {**IRIS, "train": {"optimizer": "sgd"}},
    {**IRIS, "task": {"kind": "classify", "label_smoothing": 0.1}, "train": {"optimizer": "sgd"}},
]  # fmt: skip


@pytest.mark.parametrize("recipe", LINES, ids=lambda recipe: recipe["train"]["optimizer"])
def test_padded_is_plain(recipe: dict[str, Any]) -> None:
    # Laws that divide by a gradient's size make rounding of a small one large.
    adaptive = recipe["train"]["optimizer"] in ("adam", "adamw", "rmsprop", "adagrad")
    assert_equal(*both(recipe)[:2], 2e-4 if adaptive else 2e-5)


def test_weights_of_classes() -> None:
    task = {"kind": "classify", "class_weight": {"upper": 3.0, "lower": 0.5}}
    plain, state, *_ = both({"task": task, "network": mlp(4), "train": {"optimizer": "sgd"}}, epochs=5)
    assert_equal(plain, state)
    np.testing.assert_allclose(float(state.best_value), plain.seen.best_value, rtol=1e-4)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two inputs, two yes/no labels, two quantities of different units."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 120))
    columns = {"a": a, "b": b, "p": (a > b).astype(int), "q": (a > 0).astype(int), "u": a + b, "v": 100 * a * b}
    pl.DataFrame(columns).write_csv(tmp_path / "table.csv")
    return tmp_path / "table.csv"


TARGETS: dict[str, dict[str, Any]] = {
    "two classes": {},
    "three classes": {"data": {"kind": "named", "name": "iris"}},
    "labels": {"data": {"target": ["p", "q"], "columns": {"u": "ignore", "v": "ignore"}}, "task": "multilabel"},
    "quantities": {"data": {"target": ["u", "v"], "columns": {"p": "ignore", "q": "ignore"}}},
}


@pytest.mark.parametrize("target", TARGETS)
def test_figures_are_the_plain_ones(target: str, table: Path) -> None:
    """The validation loss and figure of every epoch, the best epoch and its weights."""
    recipe = dict(TARGETS[target])
    if target in ("labels", "quantities"):
        recipe["data"] = {"kind": "table", "path": str(table), **recipe["data"]}
    plain, state, history, seen = both({"network": {"kind": "mlp", "hidden": [4]}, **recipe}, epochs=9)
    name = "r2" if target == "quantities" else "accuracy"
    expected = [[epoch.validation["loss"], epoch.validation[name]] for epoch in seen]
    assert int(history.rows) == 9
    np.testing.assert_allclose(np.asarray(history.validation)[:9], expected, rtol=2e-4, atol=2e-5)
    assert int(state.best_step) // plain.steps_per_epoch == plain.seen.best_epoch
    ours = padded.unpack(state.best, plain.state.best)
    for a, b in zip(jax.tree.leaves(plain.state.best), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=2e-4)


def test_the_length_of_a_call_changes_nothing() -> None:
    """Bit for bit, since going back in time replays steps in calls of other lengths."""
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


def test_what_diverges_goes_back_to_the_last_good_epoch() -> None:
    train = {"optimizer": "nesterov", "learning_rate": 1e6}
    recipe = {**plane("mse"), "network": mlp(4, activation=["linear"]), "train": train}
    _, state, history, _ = both(recipe, epochs=50)
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
    plain, state, history, seen = both({**DIGITS, "train": train}, epochs=2)
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
