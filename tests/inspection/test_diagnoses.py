"""The diagnosis: networks made ill on purpose, one for each rule, and healthy ones that nothing grave is said of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from layerwise.inspection import Diagnosis, Finding, Healthy, Subject, Unseen, diagnose, plain, subject
from layerwise.inspection.diagnoses import RULES
from layerwise.inspection.rules import course, network, scores
from layerwise.inspection.rules.case import Case
from layerwise.recipe import records as r
from layerwise.tasks.intervals import Interval
from layerwise.training.events import Epoch, Finished, RolledBack
from layerwise.training.run import Run

IRIS: dict[str, Any] = {"kind": "named", "name": "iris"}
# With batches of 16 it shares the compiled program of the recipe "iris".
SAME: dict[str, Any] = {"data": IRIS, "network": {"kind": "mlp", "hidden": [16]}}
TANH = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
HEALTHY = ("digits", "iris", "wine", "diabetes", "xor")


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Subject]:
    """Trains a recipe once, however often it is asked for."""
    known: dict[str, Subject] = {}

    def trained(recipe: str | Mapping[str, Any]) -> Subject:
        if str(recipe) not in known:
            folder = tmp_path_factory.mktemp("runs") / "run"
            with Run(recipe, out=folder) as run:
                for _ in run:
                    pass
            known[str(recipe)] = subject(str(folder))
        return known[str(recipe)]

    return trained


def verdicts(found: Diagnosis) -> dict[str, Finding | Healthy | Unseen]:
    """By rule; and every finding is one that a user can act on."""
    for finding in found.findings:
        assert any(letter.isdigit() for letter in finding.evidence + finding.threshold)
        assert settings_has(finding.key.split(".")), finding.key
        assert finding.remedy and not finding.evidence.endswith(".")
    by_rule = {verdict.rule: verdict for verdict in (*found.findings, *found.healthy, *found.unseen)}
    assert len(by_rule) == len(RULES)
    return by_rule


def settings_has(path: list[str]) -> bool:
    """Whether some recipe has this setting."""
    records: list[Any] = [r.Recipe]
    for name in path:
        fields = [field for record in records for field in msgspec.structs.fields(record) if field.name == name]
        if not fields:
            return False
        kinds = [part for field in fields for part in getattr(field.type, "__args__", (field.type,))]
        records = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    return True


def grave(found: Diagnosis) -> set[str]:
    return {finding.rule for finding in found.findings if finding.severity == "grave"}


# ── healthy ones ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs(name: str, train: Callable[..., Subject]) -> None:
    found = diagnose(train(name))
    seen = verdicts(found)
    assert grave(found) == set()
    # On digits the RBF SVM is better, and on the same rows it shows.
    assert {f.rule for f in found.findings if f.severity == "warning"} <= {"classical methods"}
    for rule in ("divergence", "learning rate", "under-fitting", "over-fitting", "no better than a constant answer"):
        assert isinstance(seen[rule], Healthy), seen[rule]
    assert [finding.severity for finding in found.findings] == sorted(
        (finding.severity for finding in found.findings), key=["grave", "warning", "note"].index
    )


@pytest.mark.parametrize("name", [*HEALTHY, "and", "xor-by-hand", "perceptron-xor"])
def test_healthy_recipes(name: str) -> None:
    """Untrained: rules on what was learnt have no evidence, and say why."""
    found = diagnose(subject(name))
    seen = verdicts(found)
    assert grave(found) == set()
    for rule in (
        "divergence",
        "under-fitting",
        "over-fitting",
        "no better than a constant answer",
        "classical methods",
    ):
        assert isinstance(seen[rule], Unseen), seen[rule]
    assert plain(found)["worst"] in (None, "note")


def test_a_model_file_has_no_course(train: Callable[..., Subject]) -> None:
    run = train("iris")
    assert run.folder is not None
    seen = verdicts(diagnose(subject(str(run.folder.model))))
    assert isinstance(seen["over-fitting"], Healthy) and isinstance(seen["dead units"], Healthy)
    for rule in ("learning rate", "divergence", "classical methods"):
        assert isinstance(seen[rule], Unseen)


# ── ill networks ────────────────────────────────────────────────────────────────────────────────


def with_layer(found: Subject, **changes: Callable[[Any], Any]) -> Subject:
    """The subject with another first layer."""
    layer = found.network.layers[0]
    new = [change(getattr(layer, name)) for name, change in changes.items()]
    changed = eqx.tree_at(lambda n: [getattr(n.layers[0], name) for name in changes], found.network, new)
    return dataclasses.replace(found, network=changed)


def test_dead_units() -> None:
    ill = with_layer(subject("digits"), bias=lambda bias: bias.at[:30].set(-10.0))
    found = diagnose(ill)
    assert grave(found) == {"dead units"}
    assert "units of hidden 1 give 0 on all 1,000 training rows" in found.findings[0].evidence
    some = with_layer(subject("digits"), bias=lambda bias: bias.at[:15].set(-10.0))
    assert verdicts(diagnose(some))["dead units"].severity == "warning"  # type: ignore[union-attr]


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "silu"])
def test_saturation_before_training(function: str) -> None:
    sound = subject({"data": IRIS, "network": {"kind": "mlp", "hidden": [8], "activation": function}})
    assert isinstance(network.saturation(Case(sound)), Healthy)
    large = with_layer(sound, weight=lambda w: 1000.0 * w, bias=lambda b: b - (1e6 if function == "silu" else 0))
    seen = network.saturation(Case(large))
    assert isinstance(seen, Finding) and seen.severity == "grave"


def test_saturation_by_training(train: Callable[..., Subject]) -> None:
    train_ = {"epochs": 3, "optimizer": "sgd", "learning_rate": 300.0}
    seen = network.saturation(Case(train({"data": IRIS, "network": TANH, "train": train_})))
    assert isinstance(seen, Finding) and "before training" in seen.evidence


def test_vanishing_gradients() -> None:
    deep = {"kind": "mlp", "hidden": [32] * 7, "activation": "sigmoid"}
    seen = network.gradients(Case(subject({"data": IRIS, "network": deep})))
    assert isinstance(seen, Finding) and seen.severity == "grave"
    relu = Case(subject({"data": IRIS, "network": {**deep, "activation": "relu"}}))
    assert isinstance(network.gradients(relu), Healthy)


def test_zeros_give_the_first_layer_nothing() -> None:
    zeros = {"kind": "mlp", "hidden": [4, 4], "activation": "tanh", "initialization": "zeros"}
    seen = network.gradients(Case(subject({"data": {"kind": "named", "name": "wine"}, "network": zeros})))
    assert isinstance(seen, Finding) and seen.key == "network.initialization"


def test_exploding_gradients() -> None:
    """On its way back the error is multiplied by the last layer's weights."""
    deep = subject({"data": IRIS, "network": {"kind": "mlp", "hidden": [32, 32]}})
    changed = eqx.tree_at(lambda n: n.layers[2].weight, deep.network, 1000 * deep.network.layers[2].weight)
    seen = network.gradients(Case(dataclasses.replace(deep, network=changed)))
    assert isinstance(seen, Finding) and seen.key == "train.clip"


# ── ill training ────────────────────────────────────────────────────────────────────────────────


def test_a_rate_far_too_high(train: Callable[..., Subject]) -> None:
    """A hundred times that of the recipe."""
    found = diagnose(train({**SAME, "train": {"epochs": 20, "batch_size": 16, "learning_rate": 1.0}}))
    seen = verdicts(found)["learning rate"]
    assert isinstance(seen, Finding) and seen.evidence.startswith("too high")


def test_a_rate_so_high_that_nothing_is_learnt(train: Callable[..., Subject]) -> None:
    recipe = {"data": IRIS, "network": TANH, "train": {"epochs": 6, "optimizer": "sgd", "learning_rate": 100.0}}
    assert "learning rate" in grave(diagnose(train(recipe)))


def test_a_rate_far_too_low(train: Callable[..., Subject]) -> None:
    """A thousand times below that of the recipe: the range test is asked, and agrees."""
    found = diagnose(train({**SAME, "train": {"epochs": 20, "batch_size": 16, "learning_rate": 1e-5}}))
    seen = verdicts(found)["learning rate"]
    assert isinstance(seen, Finding) and seen.severity == "grave" and seen.evidence.startswith("too low")
    assert "under-fitting" in grave(found)
    assert float(seen.remedy.removeprefix("train.learning_rate = ")) > 100 * 1e-5


@pytest.mark.parametrize(("rate", "words"), [(30.0, "too high"), (1e-6, "probably too low"), (0.003, None)])
def test_rates_of_recipes_by_the_range_test(rate: float, words: str | None) -> None:
    seen = verdicts(diagnose(subject({**SAME, "train": {"batch_size": 16, "learning_rate": rate}})))["learning rate"]
    if words is None:
        assert isinstance(seen, Healthy)
    else:
        assert isinstance(seen, Finding) and seen.severity == "warning" and seen.evidence.startswith(words)


@pytest.mark.parametrize("train_", [{"optimizer": "lbfgs"}, {"learning_rate": "find"}])
def test_rates_that_are_found_are_not_judged(train_: dict[str, Any]) -> None:
    assert isinstance(verdicts(diagnose(subject({"data": IRIS, "train": train_})))["learning rate"], Unseen)


def test_divergence(train: Callable[..., Subject]) -> None:
    recipe = {"data": {"kind": "named", "name": "diabetes"}, "train": {"optimizer": "sgd", "learning_rate": 1e4}}
    found = diagnose(train(recipe))
    assert "divergence" in grave(found) and "4 times, first in epoch 1" in found.findings[0].evidence


def epoch(number: int, loss: float, validation: float) -> Epoch:
    return Epoch(
        seconds=number, epoch=number, step=number, loss=loss, validation={"loss": validation}, best=True,
        learning_rate=0.1,
    )  # fmt: skip


def finished(status: str = "finished", **more: Any) -> Finished:
    return Finished(
        **{"seconds": 1, "status": status, "epochs": 9, "metrics": {}, "baselines": {}, "remarks": (), **more}
    )


def test_a_run_that_recovered(train: Callable[..., Subject]) -> None:
    run = train("iris")
    once = RolledBack(seconds=1, epoch=2, attempt=1, learning_rate=0.1)
    seen = course.divergence(Case(dataclasses.replace(run, events=(*run.events, once))))
    assert isinstance(seen, Finding) and seen.severity == "warning" and "once, first in epoch 2" in seen.evidence


def test_a_validation_loss_that_rises(train: Callable[..., Subject]) -> None:
    run = train("iris")
    trivial = Case(run).trivial
    learnt = [epoch(n, 1.0 - 0.1 * n, 0.5 if n < 3 else 0.5 + 0.3 * trivial * (n - 2)) for n in range(1, 9)]
    seen = course.over_fitting(Case(dataclasses.replace(run, events=tuple(learnt))))
    assert isinstance(seen, Finding) and seen.severity == "note" and "lowest in epoch 1" in seen.evidence
    assert run.recipe.train.patience == 10  # type: ignore[union-attr]
    # A loss that rises on both sides is no over-fitting.
    worse = [epoch(n, 2.0 + n, 0.5 + n) for n in range(1, 9)]
    assert isinstance(course.over_fitting(Case(dataclasses.replace(run, events=tuple(worse)))), Healthy)


def test_a_run_without_held_out_rows(train: Callable[..., Subject]) -> None:
    """Nothing warns on the way: the test run makes errors of warnings."""
    data = {"kind": "toy", "name": "moons", "n": 120, "noise": 0.3, "split": "none"}
    settings = {"epochs": 5, "batch_size": 16, "dropout": 0.2}  # as in test_trajectories.py
    run = train({"data": data, "network": {"kind": "mlp", "hidden": [6]}, "train": settings})
    assert run.dataset.validation.size == run.dataset.test.size == 0
    seen = verdicts(diagnose(run))
    assert seen["over-fitting"] == Unseen("over-fitting", "there is no validation part to compare with")


def test_training_that_ended_too_soon(train: Callable[..., Subject]) -> None:
    run = train("iris")
    falling = [epoch(n, 1.1 - 0.05 * n, 1.2 - 0.05 * n) for n in range(1, 11)]
    ended = dataclasses.replace(run, events=(*falling, finished()))
    seen = course.under_fitting(Case(ended))
    assert isinstance(seen, Finding) and seen.key == "train.epochs" and "train.epochs = 20" in seen.remedy
    stopped = dataclasses.replace(run, events=(*falling, finished("stopped_early")))
    assert isinstance(course.under_fitting(Case(stopped)), Healthy)


def test_a_perceptron_that_no_line_can_help(train: Callable[..., Subject]) -> None:
    seen = verdicts(diagnose(train("perceptron-xor")))["one line for two classes"]
    assert isinstance(seen, Finding) and seen.severity == "grave"
    assert "No line separates the classes" in seen.evidence and "of 4 training rows" in seen.evidence
    sound = train({"data": {"kind": "toy", "name": "gaussians", "n": 100}, "network": "perceptron"})
    assert isinstance(verdicts(diagnose(sound))["one line for two classes"], Healthy)


def test_a_large_gap_of_few_rows_is_not_called_healthy(train: Callable[..., Subject]) -> None:
    run = train("iris")
    few = dataclasses.replace(run.dataset, validation=run.dataset.validation[:3])
    case = Case(dataclasses.replace(run, dataset=few))
    gap, train_losses = 3 * case.trivial, case.losses("train")
    case.losses = lambda part: train_losses if part == "train" else train_losses.mean() + gap * np.array([0.0, 0, 3])  # type: ignore[method-assign]
    seen = course.over_fitting(case)
    assert isinstance(seen, Unseen) and "3 validation rows are too few to tell" in seen.why


@pytest.mark.parametrize("scatter", [0.0, 0.2, 0.5, 1.5])
def test_over_fitting_is_called_the_graver_the_larger_the_gap_one_word_at_a_time(
    scatter: float, train: Callable[..., Subject]
) -> None:
    """However much chance there is, each word comes once, in its order, and none is left out between two."""
    case = Case(train("iris"))
    base, size = case.losses("train"), case.trivial
    spread = size * scatter * np.tile([-1.0, 1.0], 15)  # of 30 rows: a standard error of scatter / 5.5 of the loss
    said: list[str] = []
    for gap in np.arange(0, 4, 0.02) * size:
        losses = base.mean() + gap + spread
        case.losses = lambda part, losses=losses: base if part == "train" else losses  # type: ignore[method-assign, misc]
        seen = course.over_fitting(case)
        word = seen.severity if isinstance(seen, Finding) else type(seen).__name__
        said += [] if said and said[-1] == word else [word]
    assert said == ["Healthy", *(["Unseen"] if scatter > 0.2 else []), "warning", "grave"]


def test_a_loss_that_only_rose_is_a_note_whatever_the_patience(train: Callable[..., Subject]) -> None:
    """The weights are those of the best epoch either way."""
    run = train("iris")
    learnt = [epoch(n, 1.0 - 0.1 * n, 0.5 if n < 3 else 0.5 + 0.3 * Case(run).trivial * (n - 2)) for n in range(1, 9)]
    impatient = msgspec.structs.replace(run.recipe, train=msgspec.structs.replace(run.recipe.train, patience=0))
    seen = course.over_fitting(Case(dataclasses.replace(run, recipe=impatient, events=tuple(learnt))))
    assert isinstance(seen, Finding) and seen.severity == "note" and seen.key == "train.patience"


# ── scores ──────────────────────────────────────────────────────────────────────────────────────


def scored(
    run: Subject, own: Mapping[str, Interval], apart: Interval | None = None, **rivals: Mapping[str, Interval]
) -> Case:
    """The run as if these were its scores on the test part; `apart` is by how much the RBF SVM is better there."""
    baselines = {name: {"test": figures} for name, figures in rivals.items()}
    differences = {"rbf_svm": {"test": apart}} if apart is not None else {}
    ended = finished(metrics={"test": dict(own)}, baselines=baselines, differences=differences)
    return Case(dataclasses.replace(run, events=(ended,)))


def around(value: float, width: float = 0.05) -> dict[str, Interval]:
    return {"accuracy": Interval(value, value - width, value + width)}


@pytest.mark.parametrize(
    ("own", "balanced", "expected"),
    [(0.95, 0.5, "grave"), (0.97, 0.6, "warning"), (0.95, 0.9, None), (0.3, 0.3, "grave")],
)
def test_a_constant_answer(own: float, balanced: float, expected: str | None, train: Callable[..., Subject]) -> None:
    """Where one class is rare, the balanced accuracy may show what the accuracy cannot."""
    more = {"balanced_accuracy": Interval(balanced, balanced - 0.2, balanced + 0.1)}
    usual = {**around(0.95, 0), "balanced_accuracy": Interval(0.5, 0.5, 0.5)}
    seen = scores.trivial(scored(train("iris"), {**around(own), **more}, majority_class=usual))
    assert (seen.severity if isinstance(seen, Finding) else None) == expected


def test_a_classical_method_that_is_better(train: Callable[..., Subject]) -> None:
    run = train("iris")
    seen = scores.baselines(scored(run, around(0.7), majority_class=around(0.99), rbf_svm=around(0.9)))
    assert isinstance(seen, Finding) and "RBF SVM" in seen.evidence
    close = scores.baselines(scored(run, around(0.82), rbf_svm=around(0.9)))
    assert isinstance(close, Healthy)
    # On the same rows the difference is known far better than either figure.
    paired = scores.baselines(scored(run, around(0.87), Interval(0.03, 0.01, 0.05), rbf_svm=around(0.9)))
    assert isinstance(paired, Finding) and "better by 0.03 (0.01 to 0.05) on the same rows" in paired.evidence


def test_a_test_part_too_small_for_the_difference(train: Callable[..., Subject]) -> None:
    """An interval of 0.1 in all and a difference of 0.01 on 30 rows: 25 times as many would be needed."""
    run = train("iris")
    chance = Interval(-0.01, -0.06, 0.04)
    seen = scores.test_size(scored(run, around(0.91), chance, rbf_svm=around(0.9)))
    assert isinstance(seen, Finding) and seen.severity == "note"
    assert "difference of +0.01 (-0.04 to +0.06)" in seen.evidence and "about 800 rows" in seen.evidence
    sure = Interval(-0.02, -0.03, -0.01)
    assert isinstance(scores.test_size(scored(run, around(0.92), sure, rbf_svm=around(0.9))), Healthy)
    equal = scores.test_size(scored(run, around(0.9), Interval(0.0, -0.05, 0.05), rbf_svm=around(0.9)))
    assert isinstance(equal, Finding) and "equal" in equal.evidence
    # Scored on other rows, nothing is known of the difference.
    assert isinstance(scores.test_size(scored(run, around(0.9), rbf_svm=around(0.9))), Unseen)


@pytest.mark.parametrize("rule", [scores.trivial, scores.baselines, scores.test_size])
def test_scores_that_are_not_there(rule: Callable[[Case], Any], train: Callable[..., Subject]) -> None:
    run = train("iris")
    assert isinstance(rule(scored(run, {})), Unseen)
    assert isinstance(rule(scored(run, around(0.9))), Unseen)
    assert isinstance(rule(scored(run, {}, mean={})), Unseen)


def test_numbers_that_are_not_finite_do_not_stop_it() -> None:
    ill = with_layer(subject("iris"), weight=lambda w: jnp.full_like(w, jnp.nan))
    verdicts(diagnose(ill))
