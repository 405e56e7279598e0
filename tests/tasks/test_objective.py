"""What a network's outputs mean: losses, figures, decisions and probabilities, each against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.utils.class_weight import compute_class_weight

from layerwise.data.dataset import Classes, Dataset, Labels, Quantities
from layerwise.errors import RecipeError
from layerwise.recipe import records as r
from layerwise.tasks.objective import (
    Objective,
    decide,
    example_losses,
    figures,
    objective_for,
    probabilities,
    score,
    tally,
    training_weights,
    watched,
)

RNG = np.random.default_rng(0)
TWO, FOUR = Classes("y", ("no", "yes")), Classes("y", ("a", "b", "c", "d"))
THREE_LABELS = Labels(("p", "q", "r"))
NUMBERS = Quantities(("u", "v"), (1.0, 2.0), (3.0, 4.0))


# ── the objective follows from task, network and target ─────────────────────────────────────────


@pytest.mark.parametrize(
    ("task", "network", "target", "objective"),
    [
        (r.Classify(), r.Mlp(), TWO, Objective("binary", 1, 2)),
        (r.Classify(), r.Mlp(), FOUR, Objective("classes", 4, 4)),
        (r.Classify(), r.LinearNet(), TWO, Objective("binary", 1, 2)),
        (r.Classify(), r.Mlp(output="sigmoid"), TWO, Objective("binary", 1, 2)),
        (r.Classify(), r.Mlp(output="step"), TWO, Objective("probability", 1, 2)),
        (r.Classify(), r.PerceptronNet(), TWO, Objective("perceptron", 1, 2)),
        (r.Classify(), r.PerceptronNet(), FOUR, Objective("perceptron", 4, 4)),
        (r.MultiLabel(), r.Mlp(), THREE_LABELS, Objective("labels", 3)),
        (r.Regress(), r.Mlp(), NUMBERS, Objective("quantities", 2)),
        (r.Regress("huber"), r.LinearNet(), NUMBERS, Objective("quantities", 2, loss="huber")),
        (r.Regress(), r.Mlp(output="tanh"), NUMBERS, Objective("quantities", 2)),
    ],
)
def test_objectives(task, network, target, objective):
    assert objective_for(task, network, target) == objective


@pytest.mark.parametrize(
    ("task", "network", "target", "rule"),
    [
        (r.Classify(), r.Mlp(), NUMBERS, "task fits the target"),
        (r.Regress(), r.Mlp(), TWO, "task fits the target"),
        (r.MultiLabel(), r.Mlp(), FOUR, "task fits the target"),
        (r.Reconstruct(), r.Mlp(), NUMBERS, "task fits the target"),
        (r.Regress(), r.PerceptronNet(), NUMBERS, "yes or no"),
        (r.MultiLabel(), r.PerceptronNet(), THREE_LABELS, "yes or no"),
        (r.Classify(), r.Mlp(output="tanh"), TWO, "suits the target"),
        (r.Classify(), r.Mlp(output="step"), FOUR, "suits the target"),
        (r.MultiLabel(), r.Mlp(output="tanh"), THREE_LABELS, "suits the target"),
        (r.MultiLabel(), r.Mlp(output="step"), THREE_LABELS, "suits the target"),
        (r.Regress(), r.Mlp(output="sigmoid"), NUMBERS, "suits the target"),
    ],
)
def test_what_does_not_fit_is_refused(task, network, target, rule):
    with pytest.raises(RecipeError, match=rule) as refused:
        objective_for(task, network, target)
    assert refused.value.received and refused.value.remedy


# ── losses ──────────────────────────────────────────────────────────────────────────────────────

BINARY, CLASSES, LABELS = Objective("binary", 1, 2), Objective("classes", 4, 4), Objective("labels", 3)
PROBABILITY, PERCEPTRON = Objective("probability", 1, 2), Objective("perceptron", 1, 2)
ROWS = 40


def outputs_and_targets(objective, rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    outputs = 2 * random.standard_normal((rows, objective.outputs)).astype(np.float32)
    match objective.kind:
        case "quantities":
            return outputs, random.standard_normal((rows, objective.outputs)).astype(np.float32)
        case "labels":
            return outputs, random.integers(0, 2, (rows, objective.outputs)).astype(np.float32)
        case _:
            return outputs, random.integers(0, objective.classes, rows).astype(np.int32)


losses = jax.jit(example_losses, static_argnums=0)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (BINARY, lambda o, y: log_loss(y, expit(o[:, 0]))),
        (CLASSES, lambda o, y: log_loss(y, softmax(o.astype(np.float64), axis=1))),
        (LABELS, lambda o, y: np.mean([log_loss(y[:, k], expit(o[:, k])) for k in range(3)])),
        (PROBABILITY, lambda o, y: mean_squared_error(y, o[:, 0])),
        (PERCEPTRON, lambda o, y: np.maximum(0, -(2 * y - 1) * o[:, 0]).mean()),
        (Objective("quantities", 2), mean_squared_error),
        (Objective("quantities", 2, loss="mae"), lambda o, y: np.abs(o - y).mean()),
        (
            Objective("quantities", 2, loss="huber"),
            lambda o, y: np.where(abs(o - y) <= 0.5, (o - y) ** 2 / 2, 0.5 * (abs(o - y) - 0.25)).mean(),
        ),
    ],
    ids=lambda value: f"{value.kind} {value.loss}" if isinstance(value, Objective) else "",
)
def test_the_mean_loss(objective, expected):
    outputs, y = outputs_and_targets(objective)
    found = losses(objective, jnp.asarray(outputs), jnp.asarray(y), jnp.float32(0), jnp.float32(0.5))
    assert found.shape == (ROWS,)
    assert float(found.mean()) == pytest.approx(expected(outputs, y), rel=1e-5)


# ── figures ─────────────────────────────────────────────────────────────────────────────────────


tallied, figured = jax.jit(tally, static_argnums=0), jax.jit(figures, static_argnums=0)


def summed(objective, outputs, y, weight, pieces):
    """The figures from sums over `pieces` batches."""
    totals = None
    for o, t, w in zip(*(np.array_split(a, pieces) for a in (outputs, y, weight)), strict=True):
        sums = tallied(objective, o, t, w)
        totals = sums if totals is None else jax.tree.map(jnp.add, totals, sums)
    return {name: float(value) for name, value in figured(objective, totals).items()}


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("objective", [BINARY, CLASSES, PROBABILITY, PERCEPTRON, Objective("perceptron", 3, 3)])
def test_figures_of_classes_are_scikit_learns(objective, pieces):
    outputs, y = outputs_and_targets(objective)
    keep = np.arange(ROWS) % 5 != 0  # rows of weight zero are none
    found = summed(objective, outputs, y, keep.astype(np.float32), pieces)
    said = decide(objective, outputs)[keep]
    assert found == {
        "accuracy": pytest.approx(accuracy_score(y[keep], said)),
        "balanced_accuracy": pytest.approx(balanced_accuracy_score(y[keep], said)),
        "macro_f1": pytest.approx(f1_score(y[keep], said, average="macro")),
    }
    assert ("loss", *found) == watched(objective)


def test_classes_that_do_not_occur_count_for_nothing():
    """As in scikit-learn: recall over the classes there are, F1 over those there are or are said."""
    outputs = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    y = np.array([0, 1, 1, 0], np.int32)
    found = summed(CLASSES, outputs, y, np.ones(4, np.float32), 1)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert found["macro_f1"] == pytest.approx(f1_score(y, [0, 0, 1, 2], average="macro"))


@pytest.mark.parametrize("pieces", [1, 3])
def test_figures_of_quantities_are_scikit_learns(pieces):
    objective = Objective("quantities", 2)
    outputs, y = outputs_and_targets(objective)
    keep = np.arange(ROWS) % 5 != 0
    found = summed(objective, outputs, y + 0.5, keep.astype(np.float32), pieces)
    assert found == {"r2": pytest.approx(r2_score(y[keep] + 0.5, outputs[keep]), rel=1e-4)}
    assert watched(objective) == ("loss", "r2")


def test_figures_of_labels():
    outputs, y = outputs_and_targets(LABELS)
    keep = np.arange(ROWS) % 5 != 0
    found = summed(LABELS, outputs, y, keep.astype(np.float32), 2)
    assert found == {"accuracy": pytest.approx(((outputs > 0) == y)[keep].mean())}
    assert watched(LABELS) == ("loss", "accuracy")


@pytest.mark.parametrize("objective", [BINARY, CLASSES, LABELS, Objective("quantities", 2)])
def test_over_no_rows_there_are_no_figures(objective):
    outputs, y = outputs_and_targets(objective, rows=3)
    assert np.isnan(list(summed(objective, outputs, y, np.zeros(3, np.float32), 1).values())).all()


# ── decisions and probabilities ─────────────────────────────────────────────────────────────────


def test_ties_go_to_the_first_class():
    assert decide(BINARY, np.array([[-1], [0], [1e-6]], np.float32)).tolist() == [0, 0, 1]
    assert decide(PROBABILITY, np.array([[0.4], [0.5], [1]], np.float32)).tolist() == [0, 0, 1]
    assert decide(CLASSES, np.array([[1, 1, 0, 0], [0, 2, 2, 0]], np.float32)).tolist() == [0, 1]


def test_decide_gives_the_kind_it_was_given():
    outputs, _ = outputs_and_targets(CLASSES)
    assert isinstance(decide(CLASSES, outputs), np.ndarray)
    inside = jax.jit(lambda o: decide(CLASSES, o))(outputs)
    assert inside.dtype == decide(CLASSES, outputs).dtype == np.int32
    assert inside.tolist() == decide(CLASSES, outputs).tolist()


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=20))
def test_two_probabilities_are_sigmoids(logits):
    outputs = np.array(logits, np.float32)[:, None]
    found = probabilities(BINARY, outputs)
    np.testing.assert_allclose(found[:, 1], expit(outputs[:, 0].astype(np.float64)), atol=1e-7)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-7)
    assert found.dtype == np.float32 and (found >= 0).all()


@given(st.lists(st.tuples(*[st.floats(-(2.0**99), 2.0**99, width=32)] * 4), min_size=1, max_size=10))
def test_many_probabilities_are_a_softmax(logits):
    outputs = np.array(logits, np.float32)
    found = probabilities(CLASSES, outputs)
    np.testing.assert_allclose(found, softmax(outputs.astype(np.float64), axis=1), atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert found.dtype == np.float32


def test_probabilities_of_the_others():
    outputs, _ = outputs_and_targets(LABELS)
    np.testing.assert_allclose(probabilities(LABELS, outputs), expit(outputs), atol=1e-6)
    steps = np.array([[0], [1]], np.float32)
    assert probabilities(PROBABILITY, steps).tolist() == [[1, 0], [0, 1]]
    assert probabilities(PERCEPTRON, np.array([[-3], [0], [5]], np.float32)).tolist() == [[1, 0], [1, 0], [0, 1]]
    three = probabilities(Objective("perceptron", 3, 3), np.array([[1, 5, 2]], np.float32))
    assert three.tolist() == [[0, 1, 0]]


# ── weights of rows ─────────────────────────────────────────────────────────────────────────────


class Plain:
    """Enough of an encoder for a dataset."""

    spec, arrays, names, features, width, embeddings = r.Relu(), {}, (), (), 1, ()

    def encode(self, raw): ...
    def encode_row(self, row): ...
    def report(self, raw): ...


def dataset(y, names, weight, train):
    rows = np.arange(len(y))
    return Dataset(
        "d", np.zeros((len(y), 1), np.float32), y, weight, train, rows[:0], np.setdiff1d(rows, train), Plain(),
        Classes("y", names), raw=lambda rows: rows,
    )  # fmt: skip


def test_balanced_weights_are_scikit_learns_over_the_training_part():
    y = RNG.integers(0, 3, 50).astype(np.int32)
    train = RNG.permutation(50)[:30]
    weight = RNG.uniform(0.5, 2, 50).astype(np.float32)
    found = training_weights(r.Classify("balanced"), dataset(y, ("a", "b", "c"), weight, train))
    expected = weight * compute_class_weight("balanced", classes=np.arange(3), y=y[train])[y]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_given_weights_are_by_name_and_one_where_not_named():
    y = np.array([0, 1, 2, 1], np.int32)
    data = dataset(y, ("a", "b", "c"), np.array([1, 1, 1, 2], np.float32), np.arange(4))
    assert training_weights(r.Classify({"b": 5.0, "c": 0.5}), data).tolist() == [1, 5, 0.5, 10]
    assert training_weights(r.Classify(), data).tolist() == [1, 1, 1, 2]
    with pytest.raises(RecipeError, match="names classes of the target") as refused:
        training_weights(r.Classify({"B": 1.0}), data)
    assert (refused.value.received, refused.value.remedy) == ("B", "the classes are: a, b, c")


def test_a_class_that_training_lacks_breaks_nothing():
    y = np.array([0, 0, 1, 2], np.int32)
    data = dataset(y, ("a", "b", "c"), np.ones(4, np.float32), np.arange(3))
    assert np.isfinite(training_weights(r.Classify("balanced"), data)).all()


# ── scores ──────────────────────────────────────────────────────────────────────────────────────────


SCORED = np.random.default_rng(0)
N = 60


def values(objective, outputs, y, target):
    found = score(objective, outputs.astype(np.float32), y, target, seed=1).metrics
    assert all(interval.low <= interval.value <= interval.high for interval in found.values())
    assert found == score(objective, outputs.astype(np.float32), y, target, seed=1).metrics
    return {name: interval.value for name, interval in found.items()}


def test_quantities_are_scored_in_their_own_unit():
    target = Quantities(("price", "area"), (100.0, -3.0), (20.0, 0.5))
    outputs, y = SCORED.standard_normal((2, N, 2)).astype(np.float32)
    found = values(Objective("quantities", 2), outputs, y, target)
    own, true = (a.astype(np.float64) * target.scale + target.mean for a in (outputs, y))
    assert set(found) >= {"rmse", "mae", "r2"}
    assert found["rmse"] == pytest.approx(root_mean_squared_error(true, own), rel=1e-5)
    assert found["mae"] == pytest.approx(mean_absolute_error(true, own), rel=1e-5)


def test_one_logit_is_scored_as_two_probabilities():
    outputs, y = SCORED.standard_normal((N, 1)).astype(np.float32), SCORED.integers(0, 2, N).astype(np.int32)
    found = values(Objective("binary", 1, 2), outputs, y, TWO)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, outputs[:, 0] > 0))
    assert found["log_loss"] == pytest.approx(log_loss(y, expit(outputs[:, 0].astype(np.float64))), rel=1e-5)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, outputs[:, 0]))


def test_labels_are_scored_one_by_one():
    outputs, y = SCORED.standard_normal((N, 3)).astype(np.float32), SCORED.integers(0, 2, (N, 3)).astype(np.float32)
    found = values(Objective("labels", 3), outputs, y, Labels(("a", "b", "c")))
    assert found["accuracy"] == pytest.approx(((outputs > 0) == y).mean())
    assert found["exact_match"] == pytest.approx(((outputs > 0) == y).all(1).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_a_perceptron_has_no_probabilities_to_score(classes):
    outputs = SCORED.standard_normal((N, 1 if classes == 2 else classes)).astype(np.float32)
    y = SCORED.integers(0, classes, N).astype(np.int32)
    found = values(Objective("perceptron", outputs.shape[1], classes), outputs, y, TWO)
    assert set(found) == {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc"}
    said = outputs[:, 0] > 0 if classes == 2 else outputs.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, said))
    if classes == 2:
        assert found["roc_auc"] == pytest.approx(roc_auc_score(y, outputs[:, 0]))


def test_steps_are_scored_as_certainties():
    outputs, y = np.array([[0.0], [1.0], [1.0], [0.0]]), np.array([0, 1, 1, 1], np.int32)
    assert values(Objective("probability", 1, 2), outputs, y, TWO)["accuracy"] == 0.75


def test_outputs_that_are_not_finite_have_no_score():
    outputs, y = np.array([[np.nan], [1.0]], np.float32), np.array([0, 1], np.int32)
    assert score(Objective("binary", 1, 2), outputs, y, TWO, seed=0).metrics == {}
