"""Back in time and forward again: the same bits, through every edit, in bounded memory."""

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data import load as load_data
from layerwise.inspection import initial
from layerwise.nets import noise
from layerwise.recipe import load
from layerwise.studio.history import timeline as module
from layerwise.studio.history.timeline import Arguments, Timeline, parameters_with
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.resolve import resolve

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps: they take longer than compiling

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [4, 2], "activation": "tanh"},
    "train": {"batch_size": 7, "dropout": 0.1, "optimizer": "adam", "patience": 0, "epochs": 10**6},
}


def arguments(**train: Any) -> tuple[padded.Parameters, Arguments]:
    recipe = load({**RECIPE, "train": {**RECIPE["train"], **train}})
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    network = initial(resolved.recipe, resolved.objective, dataset)
    return padded.pack(network), Arguments(
        padded.shape(network),
        padded.settings(resolved.recipe.train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, training_weights(resolved.recipe.task, dataset), resolved.objective),
        noise.key(0),
    )


def bits(timeline: Timeline) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(timeline.state))


def test_any_step_is_the_one_that_was_there() -> None:
    line = Timeline(*arguments())
    seen = {0: bits(line)}
    for _ in range(40):
        line.advance(3)
        seen[line.step] = bits(line)
    assert line.end == 120 and line.curve.array()[-1][0] <= 120
    for step in (117, 3, 60, 0, 120):
        line.seek(step)
        assert bits(line) == seen[step]
    line.seek(61)
    line.seek(60)
    assert bits(line) == seen[60]


def test_forward_again_without_a_change_is_no_branch() -> None:
    line = Timeline(*arguments())
    line.advance(50)
    there, curve = bits(line), line.curve.array()
    line.seek(20)
    line.advance(30)
    assert bits(line) == there and line.end == 50
    np.testing.assert_array_equal(line.curve.array(), curve)
    assert not line.ghost.rows


def test_an_edit_acts_from_its_step_on_and_is_replayed() -> None:
    _, other = arguments(learning_rate=0.1, l2=0.01)
    line = Timeline(*arguments())
    line.advance(20)
    line.edit(other)
    line.advance(20)
    end = bits(line)
    assert line.edits == [20]
    line.seek(0)
    line.seek(40)
    assert bits(line) == end
    line.seek(19)
    assert float(line.arguments.settings.hyper.l2) == 0
    line.seek(20)
    assert float(line.arguments.settings.hyper.l2) == pytest.approx(0.01)


def test_training_on_after_a_way_back_is_a_branch() -> None:
    _, other = arguments(learning_rate=0.5)
    line = Timeline(*arguments())
    line.advance(30)
    line.edit(other)
    line.advance(70)
    old = line.curve.array()
    line.seek(10)
    line.advance(5)
    assert line.end == 15 and line.edits == []
    np.testing.assert_array_equal(line.ghost.array(), old)
    alone = Timeline(*arguments())
    alone.advance(15)
    assert bits(alone) == bits(line)


def test_a_typed_weight_stays_and_the_moments_begin_anew() -> None:
    line = Timeline(*arguments())
    line.advance(10)
    line.edit(parameters=parameters_with(line.state.now.parameters, 0, 1, 0, 2.5))
    assert line.state.now.parameters.weight[0, 1, 0] == 2.5
    assert not line.state.now.m.weight.any() and int(line.state.now.updates) == 0 and line.step == 10
    line.edit(parameters=parameters_with(line.state.now.parameters, 6, 0, None, -1.0))
    assert line.edits == [10] and line.state.now.parameters.weight[0, 1, 0] == 2.5
    line.advance(5)
    end = bits(line)
    line.seek(0)
    line.seek(15)
    assert bits(line) == end


def test_the_curve_tells_how_well_a_network_does_that_was_typed_in() -> None:
    """At its step, in the place of what was there, and again after every way back."""
    line = Timeline(*arguments())
    line.advance(4 * line.steps_per_epoch)
    before = line.curve.array()
    line.edit(parameters=parameters_with(line.parameters, -1, 0, None, 9.0))
    after = line.curve.array()
    np.testing.assert_array_equal(after[:-1], before[:-1])
    assert after[-1, 0] == before[-1, 0] == line.step and after[-1, 1] > 2 * before[-1, 1] and after[-1, 3] > 2
    assert line.curve.best is not None and line.curve.best[0] < line.step  # the best one there was is there no more
    line.edit(parameters=parameters_with(line.parameters, -1, 0, None, float(line.parameters.bias[-1, 0])))
    np.testing.assert_array_equal(line.curve.array(), after)
    line.advance(3)
    line.edit(parameters=parameters_with(line.parameters, -1, 0, None, 0.0))
    line.advance(2 * line.steps_per_epoch)
    whole = line.curve.array()
    assert whole[:, 0].tolist() == sorted(set(whole[:, 0])) and line.altered == (4 * line.steps_per_epoch + 3, None)
    line.seek(0)
    line.seek(line.end)
    np.testing.assert_array_equal(line.curve.array(), whole)
    line.seek(4 * line.steps_per_epoch)
    line.advance(1)
    np.testing.assert_array_equal(line.curve.array(), after)


def test_figures_are_those_of_an_epochs_end() -> None:
    line = Timeline(*arguments())
    line.advance(line.steps_per_epoch)
    np.testing.assert_allclose(line.figures(), line.curve.array()[0, 1:], rtol=1e-6)


def test_at_the_first_step_an_edit_is_the_beginning() -> None:
    line = Timeline(*arguments())
    _, other = arguments(learning_rate=0.2)
    line.edit(other)
    assert line.edits == []
    line.seek(0)
    assert float(line.arguments.settings.hyper.learning_rate) == pytest.approx(0.2)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["advance", "seek", "edit"]), st.integers(0, 60)), max_size=12))
def test_whatever_is_done_every_step_replays(moves: list[tuple[str, int]]) -> None:
    line, rates = Timeline(*arguments()), [arguments(learning_rate=rate)[1] for rate in (0.01, 0.3)]
    for what, number in moves:
        match what:
            case "advance":
                line.advance(number)
            case "seek":
                line.seek(number)
            case _:
                line.edit(rates[number % 2])
    here, step = bits(line), line.step
    line.seek(0)
    line.seek(line.end)
    line.seek(step)
    assert bits(line) == here
    assert line.edits == sorted(line.edits) and all(0 < edit <= line.end for edit in line.edits)


def test_memory_is_bounded() -> None:
    apart = module.SPACING // 8
    line = Timeline(*arguments(), memory=300_000)
    for _ in range(150):
        line.advance(apart)
    there = bits(line)
    assert line.nbytes <= 300_000
    steps = [step for era in line._eras for step in era.steps()]
    assert steps[0] == 0 and steps[-1] == 150 * apart
    line.seek(77 * apart + 1)
    line.seek(150 * apart)
    assert bits(line) == there


def test_curves_are_thinned_evenly() -> None:
    curve = module.Curve()
    for n in range(20_000):
        curve.add((float(n), 0.0, 0.0, 0.0, 0.0))
    steps = curve.array()[:, 0]
    assert len(steps) <= module.CURVE_POINTS + 1 and set(np.diff(steps)) == {curve.every}


def test_what_diverged_can_be_taken_back() -> None:
    line = Timeline(*arguments())
    line.advance(20)
    _, wild = arguments(optimizer="sgd", learning_rate=3e38)
    line.edit(wild)
    line.advance(200)
    assert line.status == padded.DIVERGED
    assert np.isfinite(line.state.now.parameters.weight).all()
    assert line.advance(10) == 0
    line.seek(19)
    assert line.advance(5) == 5


def test_however_much_is_changed_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    """As when a slider is drawn while training runs."""
    rates = [arguments(learning_rate=rate)[1] for rate in (0.01, 0.02)]
    line = Timeline(*arguments(), memory=600_000)
    for number in range(200):
        line.advance(2)
        line.edit(rates[number % 2])
        assert line.nbytes <= 600_000
    there = bits(line)
    assert 0 < line.begin < 400 and line.edits[-1] == 400
    line.seek(0)
    assert line.step == line.begin
    line.seek(line.begin + 5)
    line.seek(400)
    assert bits(line) == there
    line.seek(line.begin)
    line.edit(rates[0])
    line.advance(30)
    assert line.nbytes <= 600_000
    line.go_back()
    assert bits(line) == there
