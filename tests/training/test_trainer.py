"""What the trainer makes of the loop: how long calls are, and the events it reads off their history."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from recipes import EVERYTHING, NOTHING

from layerwise.data import load as load_data
from layerwise.nets.build import build
from layerwise.recipe import decode
from layerwise.tasks.objective import training_weights, watched
from layerwise.training.events import Epoch, Progress, RolledBack
from layerwise.training.place import place
from layerwise.training.resolve import resolve
from layerwise.training.trainer import Trainer

# One shape for all tests here, that of the lanes, so that they share a program; the rate stays as it is.
STEADY = {"kind": "step", "every": 1_000_000.0}
TRAIN = {
    "epochs": 12, "batch_size": 8, "learning_rate": 0.05, "patience": 0, "optimizer": "sgd", "schedule": STEADY,
}  # fmt: skip


def placed(recipe, dataset):
    return place(dataset, training_weights(recipe.task, dataset))


def trainer(name="circle", network=None, task="auto", uses=EVERYTHING, **train):
    recipe = decode(
        {
            "data": {"kind": "toy", "name": name, "n": 60},
            "task": task,
            "network": network or {"kind": "mlp", "hidden": [5], "activation": "tanh"},
            "train": TRAIN | train,
        }
    )
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    net = build(resolved.recipe.network, inputs=2, outputs=resolved.objective.outputs, codes=(), seed=0)
    return Trainer(resolved.recipe, resolved.objective, placed(resolved.recipe, dataset), net, uses=uses)


def run(made, clock=0.0):
    events = []
    while made.running:
        events += made.advance(clock)
        clock = events[-1].seconds
    return events


def test_every_epoch_is_told_once_and_every_call_ends_with_progress():
    made = trainer()
    assert (made.epochs, made.steps_per_epoch, made.step, made.status) == (12, 5, 0, "running")
    events = run(made, clock=100.0)
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs] == list(range(1, 13))
    assert [event.step for event in epochs] == [5 * k for k in range(1, 13)]
    assert {event.learning_rate for event in epochs} == {np.float32(0.05)}
    assert all(set(event.validation) == set(watched(made.program.objective)) for event in epochs)
    assert any(event.best for event in epochs)
    assert isinstance(events[-1], Progress)
    assert (events[-1].step, events[-1].epoch) == (60, 12.0)
    assert all(event.seconds >= 100 for event in events)
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)
    assert (made.status, made.epochs_done) == ("finished", 12)


def test_rows_are_trained_on_with_the_weights_of_their_classes():
    made = trainer(task={"kind": "classify", "class_weight": {"inside": 3.0}}, epochs=1)
    recipe = decode({"data": {"kind": "toy", "name": "circle", "n": 60}})
    y = load_data(recipe.data, recipe.task, recipe.seed).y
    np.testing.assert_array_equal(np.asarray(made.data.weight)[:60], np.where(y == 1, 3, 1))


def test_progress_speaks_of_the_current_epoch():
    made = trainer()
    (first,) = made.advance(0.0)
    assert isinstance(first, Progress)
    assert (first.step, first.epoch) == (1, 0.2)
    assert first.loss > 0
    assert first.examples_per_second > 0


def test_examples_are_counted_without_padding():
    """One batch of all 36 rows is padded to 64; 36 examples are trained on, not 64."""
    adam = {"optimizer": "adam", "schedule": "constant"}
    made = trainer("gaussians", "linear", uses=NOTHING, batch_size=36, epochs=3, **adam)
    assert made.steps_per_epoch == 1
    events = made.advance(0.0)
    assert events[-1].examples_per_second == pytest.approx(36 / events[-1].seconds)


def test_calls_grow_until_they_take_their_time():
    made = trainer(epochs=100_000)
    limits = []
    for _ in range(8):
        limits.append(made.pace.steps)
        made.advance(0.0)
    assert limits[0] == 1
    assert all(after <= 8 * before for before, after in pairwise(limits))
    assert limits[-1] > 100


def test_divergence_is_told_three_times():
    made = trainer("plane", {"kind": "linear"}, learning_rate=1e30, epochs=5)
    events = run(made)
    backs = [event for event in events if isinstance(event, RolledBack)]
    assert [(event.attempt, event.epoch) for event in backs] == [(1, 1), (2, 1), (3, 1)]
    assert [event.learning_rate for event in backs] == [np.float32(1e30) / 2**k for k in (1, 2, 3)]
    assert made.status == "diverged"
    assert all(np.isfinite(leaf).all() for layer in made.best.layers for leaf in (layer.weight, layer.bias))
    assert np.isfinite(events[-1].loss), "no event holds what JSON cannot"
    msgspec.json.encode(events)


def test_the_count_of_attempts_goes_on_after_a_restart():
    made = trainer("plane", {"kind": "linear"}, learning_rate=1e30, epochs=5)
    made.pace.steps = 1 << 20
    made.restore(made.state._replace(rollbacks=made.state.rollbacks + 2))
    backs = [event for event in run(made) if isinstance(event, RolledBack)]
    assert [event.attempt for event in backs] == [3]


def test_the_best_weights_outlive_the_next_call():
    """The loop donates its state; what a user holds must not die with it."""
    made = trainer()
    while not made.epochs_done:
        made.advance(0.0)
    kept = made.best
    before = np.asarray(kept.layers[0].weight).copy()
    made.advance(0.0)
    assert (np.asarray(kept.layers[0].weight) == before).all()


def test_before_the_first_epoch_the_best_are_the_latest():
    made = trainer()
    made.advance(0.0)
    assert made.epochs_done == 0
    assert (np.asarray(made.best.layers[0].weight) == np.asarray(made.state.weights.network.layers[0].weight)).all()


def test_more_epochs_let_a_finished_training_go_on():
    """To the same bits as if it had been asked for at once, where no schedule looks at their number."""
    first = trainer()
    run(first)
    longer = trainer(epochs=20)
    longer.restore(first.state)
    assert longer.running
    run(longer)
    whole = trainer(epochs=20)
    run(whole)
    assert (longer.epochs_done, longer.status) == (20, "finished")
    for one, other in zip(longer.best.layers, whole.best.layers, strict=True):
        assert (np.asarray(one.weight) == np.asarray(other.weight)).all()


def test_a_converged_perceptron_does_not_go_on():
    made = trainer("gaussians", {"kind": "perceptron"}, epochs=500)
    run(made)
    assert made.status == "finished"
    assert made.epochs_done < 500
    again = trainer("gaussians", {"kind": "perceptron"}, epochs=500)
    again.restore(made.state)
    assert not again.running


def test_weights_by_hand_are_not_trained():
    weights = [[[-0.5, 1, -1], [-0.5, -1, 1]], [[-0.5, 1, 1]]]
    recipe = decode(
        {
            "data": {"kind": "toy", "name": "xor", "n": 4, "split": "none"},
            "network": {"kind": "mlp", "hidden": [2], "activation": "step", "output": "step", "weights": weights},
        }
    )
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    net = build(recipe.network, inputs=2, outputs=1, codes=(), seed=0)
    made = Trainer(resolved.recipe, resolved.objective, placed(resolved.recipe, dataset), net)
    assert (made.running, made.status, made.epochs, made.epochs_done, made.step) == (False, "finished", 0, 0, 0)
    assert made.best is net
