"""The over-fitting laboratory: against training by hand, its statistics by hand, and problems whose answer is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.errors import DataError, LayerwiseError
from layerwise.inspection import Subject, initial, overfit, plain, subject
from layerwise.inspection.cures import Arm, Overfitting, compared
from layerwise.inspection.samples import halves
from layerwise.training.forward import Forward
from layerwise.training.place import place
from layerwise.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 100, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 25, "learning_rate": 0.03, "patience": 3, "l2": 0.3, "dropout": 0.5, "noise": 0.2},
}


def laboratory(recipe: dict[str, Any], seeds: int = 2) -> Overfitting:
    found = subject(recipe)
    return overfit(found.recipe, found.objective, found.dataset, seeds)


@pytest.fixture(scope="module")
def small() -> Overfitting:
    return laboratory(SMALL)


def named(found: Overfitting, name: str) -> Arm:
    return next(arm for arm in found.arms if arm.name == name)


# ── the lanes ───────────────────────────────────────────────────────────────────────────────────


def alone(settings: dict[str, Any], seed: int) -> Trainer:
    """One network by itself, without companions, to its end.

    Strengths that change no digit stand beside one that does: so a single program is compiled for all cures.
    """
    found = subject(SMALL)
    cures = ("l1", "l2", "dropout")
    off = {**dict.fromkeys(cures, 1e-30 if any(name in settings for name in cures) else 0.0), "noise": 0.0}
    train: Any = msgspec.structs.replace(found.recipe.train, **{**off, "patience": 0, **settings})  # type: ignore[type-var]
    dataset = replace(found.dataset, validation=halves(found.dataset)[0])
    network = initial(found.recipe, found.objective, found.dataset, seed)
    trainer = Trainer(
        msgspec.structs.replace(found.recipe, train=train, seed=seed),
        found.objective,
        place(dataset, found.weights()),
        network,
    )
    while trainer.running:
        trainer.advance(0.0)
    return trainer


def loss_by_hand(network: Any, rows: np.ndarray) -> float:
    """The mean cross-entropy of some rows, from the network's logits."""
    dataset = subject(SMALL).dataset
    z, y = Forward(network)(dataset.x[rows])[:, 0].astype(float), dataset.y[rows]
    return float(np.mean(np.logaddexp(0, z) - y * z))


@pytest.mark.parametrize("name", ["none", "L1", "L2", "dropout", "early stopping", "all"])
def test_a_lane_is_what_training_alone_gives(small: Overfitting, name: str) -> None:
    arm, dataset = named(small, name), subject(SMALL).dataset
    trainer = alone(dict(arm.settings), small.seeds[1])
    network = trainer.best if "patience" in arm.settings else trainer.state.weights.network
    assert arm.validation[1] == pytest.approx(loss_by_hand(network, halves(dataset)[1]), rel=1e-5)
    assert arm.training[1] == pytest.approx(loss_by_hand(network, dataset.train), rel=1e-5)
    epochs = int(np.isfinite(arm.validation_curve[1]).sum())
    assert epochs == trainer.epochs_done
    last = loss_by_hand(trainer.state.weights.network, halves(dataset)[0])
    assert arm.validation_curve[1, epochs - 1] == pytest.approx(last, rel=1e-5)


def test_early_stopping_goes_the_way_of_none_until_it_stops(small: Overfitting) -> None:
    none, stopping = named(small, "none"), named(small, "early stopping")
    for way, curve, epoch in zip(none.validation_curve, stopping.validation_curve, stopping.epoch, strict=True):
        epochs = int(np.isfinite(curve).sum())
        np.testing.assert_allclose(curve[:epochs], way[:epochs], rtol=1e-5)
        assert epoch == 1 + np.nanargmin(curve)
        assert epochs in (25, epoch + 3)


def test_none_is_without_the_recipe_s_own_regularization(small: Overfitting) -> None:
    assert small.removed == {"l2": 0.3, "dropout": 0.5, "noise": 0.2}
    bare = laboratory({**SMALL, "train": {"epochs": 25, "learning_rate": 0.03, "patience": 3}})
    np.testing.assert_array_equal(named(small, "none").validation_curve, named(bare, "none").validation_curve)


def test_strengths_are_the_best_of_their_ladders_and_all_has_a_share_of_them(small: Overfitting) -> None:
    chosen = {}
    for name in ("L1", "L2", "dropout", "all"):
        rungs = [rung for rung in small.rungs if rung.arm == name]
        best = min(rungs, key=lambda rung: rung.loss)
        assert [rung for rung in rungs if rung.chosen] == [best]
        assert named(small, name).settings == best.settings
        chosen.update({} if name == "all" else best.settings)
    together = dict(named(small, "all").settings)
    assert together.pop("patience") == 3
    assert len({round(together[name] / chosen[name], 9) for name in chosen}) == 1
    assert set(small.seeds).isdisjoint(small.choosing_seeds)


def test_the_test_part_is_not_touched(small: Overfitting) -> None:
    found = subject(SMALL)
    x = found.dataset.x.copy()
    x[found.dataset.test] = np.nan
    without = overfit(found.recipe, found.objective, replace(found.dataset, x=x), 2)
    for arm, other in zip(small.arms, without.arms, strict=True):
        np.testing.assert_array_equal(arm.validation, other.validation)


def test_lanes_that_find_no_room_together_come_one_after_the_other(
    small: Overfitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerwise.inspection.cures.memory_budget", lambda: 1)
    for arm, other in zip(small.arms, laboratory(SMALL).arms, strict=True):
        np.testing.assert_array_equal(arm.validation, other.validation)


# ── the halves ──────────────────────────────────────────────────────────────────────────────────


def test_halves_share_out_the_validation_part_class_by_class() -> None:
    dataset = subject({"data": {"kind": "named", "name": "iris"}}).dataset
    choosing, judging = halves(dataset)
    assert sorted([*choosing, *judging]) == sorted(dataset.validation)
    counts = [np.bincount(dataset.y[half], minlength=3) for half in (choosing, judging)]
    assert np.abs(counts[0] - counts[1]).max() <= 1


def patients(path: Path, numbers: list[int], split: dict[str, Any]) -> Subject:
    """A table with a row of each patient (or day) in turn, round and round."""
    rows = [f"{patient},{n % 7},{n % 3}" for n, patient in enumerate(numbers)]
    path.write_text("\n".join(["patient,a,y", *rows]) + "\n")
    data = {"kind": "table", "path": str(path), "target": "y", "split": {"by": "patient", **split}}
    return subject({"data": data, "network": {"kind": "mlp", "hidden": [2]}, "train": {"epochs": 1}})


def test_no_patient_stands_in_both_halves(tmp_path: Path) -> None:
    numbers = [n % 20 for n in range(200)]
    dataset = patients(tmp_path / "rows.csv", numbers, {"kind": "group"}).dataset
    choosing, judging = halves(dataset)
    assert sorted([*choosing, *judging]) == sorted(dataset.validation)
    whose = [{numbers[row] for row in half} for half in (choosing, judging)]
    assert whose[0].isdisjoint(whose[1]) and [len(own) for own in whose] == [2, 2]


@given(st.lists(st.integers(1, 9), min_size=2, max_size=11))
def test_groups_make_halves_that_differ_by_no_more_than_the_largest_group(sizes: list[int]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    groups = groups[np.random.default_rng(0).permutation(groups.size)]
    validation = np.arange(groups.size)
    dataset = replace(subject(SMALL).dataset, split="group", groups=np.resize(groups, 100), validation=validation)
    choosing, judging = halves(dataset)
    assert choosing.size and judging.size and abs(choosing.size - judging.size) <= max(sizes)
    assert np.intersect1d(groups[choosing], groups[judging]).size == 0


def test_what_is_earlier_chooses_in_whatever_order_the_rows_stand(tmp_path: Path) -> None:
    days = [(n * 37) % 50 for n in range(200)]
    dataset = patients(tmp_path / "rows.csv", days, {"kind": "time"}).dataset
    choosing, judging = halves(dataset)
    assert max(days[row] for row in choosing) < min(days[row] for row in judging)
    assert choosing.size == judging.size == 20


def test_one_group_cannot_be_halved(tmp_path: Path) -> None:
    found = patients(tmp_path / "rows.csv", [n % 3 for n in range(90)], {"kind": "group"})
    with pytest.raises(DataError, match="30 rows of validation in 1 group"):
        overfit(found.recipe, found.objective, found.dataset, 2)


# ── the statistics ──────────────────────────────────────────────────────────────────────────────


def arm(name: str, validation: list[float]) -> Arm:
    """An arm of which nothing but the judged losses counts."""
    values = np.array(validation)
    curve = np.tile(values[:, None], (1, 2))
    return Arm(name, {}, curve, curve, np.full(values.size, 2), values * 0, values, values)


def test_paired_intervals_by_hand() -> None:
    """Differences -1, -2, -3: mean -2, s = 1; Student's t(0.9875; 2) = 6.205 for two comparisons."""
    none = arm("none", [10.0, 20.0, 30.0])
    first, second = compared([none, arm("L2", [9.0, 18.0, 27.0]), arm("dropout", [10.0, 20.0, 30.0])])
    assert first.difference.value == -2
    assert first.difference.high == pytest.approx(-2 + 6.20535 / np.sqrt(3), abs=1e-4)
    assert first.difference.low == pytest.approx(-2 - 6.20535 / np.sqrt(3), abs=1e-4)
    assert first.share == pytest.approx(-0.1)
    assert not first.real and not second.real
    assert second.words == "dropout: no difference seen (+0 to +0)"


def test_the_more_is_compared_the_more_a_difference_needs() -> None:
    """Differences of mean -3 and s = 1 over 3 seeds: half-widths 2.48 for one comparison, 4.41 for three."""
    none, better = arm("none", [10.0, 10.0, 10.0]), arm("L2", [8.0, 7.0, 6.0])
    (single,) = compared([none, better])
    assert single.real
    assert single.words == "L2 lowers the validation loss by 3 (0.52 to 5.5): real"
    several = compared([none, better, arm("L1", [10.0, 11.0, 9.0]), arm("dropout", [10.0, 11.0, 9.0])])
    assert several[0].difference.value == -3 and not several[0].real


def test_what_few_seeds_cannot_tell_is_no_sameness() -> None:
    """Differences of mean 0 and s = 1 over 3 seeds reach to 2.48; a tenth of the losses is 1 in one case, 100 in
    the other."""
    losses, other = np.array([10.0, 10.0, 10.0]), np.array([10.0, 11.0, 9.0])
    (untold,) = compared([arm("none", losses.tolist()), arm("L1", other.tolist())])
    assert not untold.told and untold.words == "L1: too few seeds to tell (-2.5 to +2.5)"
    (same,) = compared([arm("none", (losses + 990).tolist()), arm("L1", (other + 990).tolist())])
    assert same.told and same.words == "L1: no difference seen (-2.5 to +2.5)"
    assert plain(untold)["told"] is False and plain(untold)["without"] == 10


def test_few_seeds_may_not_tell_whether_a_network_over_fits(small: Overfitting) -> None:
    def gaps(*validation: float) -> str:
        none = replace(arm("none", [float(loss) for loss in validation]), training=np.full(3, 10.0))
        return replace(small, seeds=(1, 2, 3), arms=(none,)).words

    assert gaps(10, 11, 9).startswith("Too few seeds to tell whether the network over-fits")
    assert gaps(10, 10.1, 9.9).startswith("Without a cure no over-fitting is seen")
    assert gaps(15, 16, 14).startswith("Without a cure the validation loss ends above the training loss")
    assert "diverged" in gaps(15, float("nan"), 14)


def test_words_of_what_is_worse_small_or_lost() -> None:
    none = arm("none", [10.0, 11.0, 12.0])
    (worse,) = compared([none, arm("L1", [12.0, 13.0, 14.0])])
    assert worse.words == "L1 raises the validation loss by 2 (2 to 2): real"
    (small,) = compared([none, arm("L1", [10.1, 11.1, 12.1])])
    assert small.words.endswith("real, but only 0.9% of the loss")
    (lost,) = compared([none, arm("L1", [10.0, np.nan, 12.0])])
    assert lost.words == "L1: not compared, since training diverged with 1 of the seeds"
    assert not lost.real
    assert plain(lost)["difference"] is not None


# ── problems whose answer is known ──────────────────────────────────────────────────────────────


def test_few_noisy_points_and_a_large_network_over_fit_and_l2_helps() -> None:
    recipe = {
        "data": {
            "kind": "toy", "name": "moons", "n": 150, "noise": 0.3,
            "split": {"kind": "stratified", "validation": 0.6, "test": 0.1},
        },
        "network": {"kind": "mlp", "hidden": [64, 64]},
        "train": {"epochs": 200, "learning_rate": 0.01},
    }  # fmt: skip
    found = laboratory(recipe, seeds=5)
    (l2,) = [comparison for comparison in found.comparisons if comparison.arm == "L2"]
    assert l2.real and l2.difference.value < 0
    assert named(found, "none").gap.min() > 5 * named(found, "L2").gap.max() > 0


def test_plenty_of_data_and_a_small_network_need_no_cure() -> None:
    recipe = {
        "data": {"kind": "toy", "name": "moons", "n": 2000, "noise": 0.4},
        "network": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 40, "learning_rate": 0.01},
    }
    found = laboratory(recipe, seeds=5)
    assert [comparison.arm for comparison in found.comparisons if comparison.real] == []
    told = [comparison for comparison in found.comparisons if comparison.told]
    assert len(told) >= 3 and all("no difference seen" in comparison.words for comparison in told)
    assert "no over-fitting is seen" in found.words


# ── tasks and networks ──────────────────────────────────────────────────────────────────────────


REGRESSION: dict[str, Any] = {
    "data": {"kind": "named", "name": "diabetes"},
    "network": {"kind": "mlp", "hidden": [8], "activation": "linear"},
    "train": {"epochs": 3, "optimizer": "sgd", "learning_rate": 1e-3},
}


def test_a_regression() -> None:
    found = laboratory(REGRESSION)
    assert (found.loss, found.metric) == ("mse", "r2")
    assert all(np.isfinite(arm.metric).all() for arm in found.arms)


def test_labels(tmp_path: Path) -> None:
    rows = [f"{n % 7},{n % 5},{n % 2},{int(n % 3 == 0)}" for n in range(80)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,odd,third", *rows]) + "\n")
    data = {"kind": "table", "path": str(tmp_path / "rows.csv"), "target": ["odd", "third"]}
    found = laboratory({"data": data, "network": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 2}})
    assert found.metric == "accuracy" and np.isfinite(found.arms[0].validation).all()


def test_without_hidden_units_there_is_no_dropout() -> None:
    found = laboratory({"data": {"kind": "named", "name": "iris"}, "network": "linear", "train": {"epochs": 2}})
    assert [arm.name for arm in found.arms] == ["none", "L1", "L2", "early stopping", "all"]
    assert "no hidden units" in found.notes[0]


def test_after_the_largest_seed_comes_the_first() -> None:
    found = laboratory({**SMALL, "train": {"epochs": 1}, "seed": 2**32 - 2}, seeds=3)
    assert (found.seeds, found.choosing_seeds) == ((2**32 - 2, 2**32 - 1, 0), (1, 2))


def test_a_learning_rate_is_found_once_for_all() -> None:
    found = laboratory({**SMALL, "train": {"epochs": 2, "learning_rate": "find"}})
    assert np.isfinite(found.arms[0].validation).all()


def test_what_diverges_is_said_and_not_compared() -> None:
    found = laboratory({**REGRESSION, "train": {**REGRESSION["train"], "learning_rate": 1e6}})
    assert found.arms[0].diverged == 2
    assert all("diverged" in comparison.words for comparison in found.comparisons)


BY_HAND = [[[0.5, 1.0, -1.0]]]


@pytest.mark.parametrize(
    ("changes", "seeds", "said"),
    [
        ({"network": {"kind": "linear", "weights": BY_HAND}}, 2, "by hand"),
        ({"network": {"kind": "linear", "weights": BY_HAND}, "train": {}}, 2, "by hand"),
        ({"network": "perceptron", "train": {}}, 2, "perceptron"),
        ({"train": {"optimizer": "lbfgs"}}, 2, "L-BFGS"),
        ({"data": {"kind": "toy", "name": "xor", "n": 40, "split": "none"}}, 2, "0 rows of validation"),
        ({"data": {"kind": "toy", "name": "xor", "n": 40}}, 2, "8 rows of validation"),
        ({}, 1, "2 seeds"),
    ],
)
def test_what_cannot_be_tried_is_refused(changes: dict[str, Any], seeds: int, said: str) -> None:
    recipe = {**SMALL, **changes}
    if "network" in changes and "train" not in changes:
        recipe.pop("train")
    with pytest.raises(LayerwiseError, match=said) as caught:
        laboratory(recipe, seeds)
    assert caught.value.remedy
