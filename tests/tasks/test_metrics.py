"""The figures against scikit-learn's, on the part itself and on every single resample."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Bool, Float, Float64, Int
from sklearn import metrics as reference

from layerwise.tasks import bootstrap, metrics
from layerwise.tasks.bootstrap import difference, resampled
from layerwise.tasks.intervals import Interval

Figures = dict[str, Callable[[np.ndarray], float]]  # a metric of rows, repeated as a resample draws them


def probable(rng: np.random.Generator, rows: int, classes: int, skill: float, steps: int = 0) -> tuple[Any, Any]:
    """Classes and probabilities which know a little about them; `steps` rounds these, to make ties."""
    y = rng.integers(0, classes, rows).astype(np.int32)
    z = rng.normal(size=(rows, classes))
    z[np.arange(rows), y] += skill
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return (np.round(p * steps) / steps if steps else p).astype(np.float32), y


def resamples(rows: int, seed: int, many: int) -> Iterator[np.ndarray]:
    """The row numbers of the first draws: the part itself, then its resamples."""
    counts = resampled(rows, seed).counts
    for draw in range(many):
        yield np.repeat(np.arange(rows), counts[:, draw].astype(np.int64))


def agrees(draws: dict[str, np.ndarray], expected: Figures, rows: int, seed: int, many: int = 12) -> None:
    for draw, drawn in enumerate(resamples(rows, seed, many)):
        for name, figure in expected.items():
            assert draws[name][draw] == pytest.approx(figure(drawn), rel=1e-6, abs=1e-9), (name, draw)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What every draw gives, as it is handed on to become intervals."""
    seen: dict[str, np.ndarray] = {}
    intervals = metrics.percentiles

    def keep(figures: Any) -> dict[str, Interval]:
        seen.update(figures)
        return intervals(figures)

    monkeypatch.setattr(metrics, "percentiles", keep)
    return seen


def expected_calibration_error(p: Float[np.ndarray, "n k"], y: Int[np.ndarray, " n"]) -> float:
    """Guo et al. 2017, equation 5, bin by bin."""
    top, right = p.max(axis=1).astype(np.float64), p.argmax(axis=1) == y
    error = 0.0
    for b in range(15):
        inside = (top > b / 15) & (top <= (b + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - top[inside].mean())
    return error


@pytest.mark.parametrize("steps", [0, 5], ids=["smooth", "tied"])
@pytest.mark.parametrize("classes", [2, 4])
def test_classification_is_scikit_learns_on_every_resample(
    classes: int, steps: int, draws: dict[str, np.ndarray]
) -> None:
    p, y = probable(np.random.default_rng(1), 150, classes, 1.0, steps)
    metrics.classification(p, y, seed=3)
    clipped = np.clip(p, np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps).astype(np.float64)

    def area(i: np.ndarray) -> float:
        each = [reference.roc_auc_score(y[i] == c, p[i, c]) for c in range(classes)]
        return float(each[1] if classes == 2 else np.mean(each))

    agrees(
        draws,
        {
            "accuracy": lambda i: reference.accuracy_score(y[i], p[i].argmax(1)),
            "balanced_accuracy": lambda i: reference.balanced_accuracy_score(y[i], p[i].argmax(1)),
            "macro_f1": lambda i: reference.f1_score(y[i], p[i].argmax(1), average="macro"),
            "log_loss": lambda i: float(-np.log(clipped[i, y[i]]).mean()),
            "roc_auc": area,
        },
        rows=150,
        seed=3,
    )
    assert draws["calibration_error"][0] == pytest.approx(expected_calibration_error(p, y), abs=1e-7)
    assert draws["calibration_error"][1:].mean() == pytest.approx(draws["calibration_error"][0], rel=0.05)


def test_log_loss_is_scikit_learns() -> None:
    p, y = probable(np.random.default_rng(2), 80, 3, 1.0)
    p = p.astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    found = metrics.classification(p, y, seed=0).metrics["log_loss"]
    assert found.value == pytest.approx(reference.log_loss(y, p), rel=1e-6)


def test_multilabel_is_scikit_learns_on_every_resample(draws: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    y = (rng.random((90, 3)) < [0.5, 0.2, 0.08]).astype(np.float32)
    p = np.clip(0.3 * y + rng.random((90, 3)) * 0.7, 0, 1).astype(np.float32)
    metrics.multilabel(p, y, seed=5)
    said = (p > 0.5).astype(np.float32)
    agrees(
        draws,
        {
            "accuracy": lambda i: 1 - reference.hamming_loss(y[i], said[i]),
            "exact_match": lambda i: reference.accuracy_score(y[i], said[i]),
            "balanced_accuracy": lambda i: float(
                np.mean([reference.balanced_accuracy_score(y[i, j], said[i, j]) for j in range(3)])
            ),
            "macro_f1": lambda i: reference.f1_score(y[i], said[i], average="macro", zero_division=np.nan),
            "log_loss": lambda i: float(
                np.mean([reference.log_loss(y[i, j], p[i, j].astype(np.float64), labels=[0, 1]) for j in range(3)])
            ),
            "roc_auc": lambda i: reference.roc_auc_score(y[i], p[i]),
        },
        rows=90,
        seed=5,
    )
    pooled = np.stack([1 - p.ravel(), p.ravel()], axis=1)
    assert draws["calibration_error"][0] == pytest.approx(
        expected_calibration_error(pooled, y.ravel().astype(np.int64)), abs=1e-6
    )


@pytest.mark.parametrize("quantities", [1, 3])
def test_regression_is_scikit_learns_on_every_resample(quantities: int, draws: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(6)
    y = (1000 + 20 * rng.normal(size=(120, quantities))).astype(np.float32)
    guess = (y + 5 * rng.normal(size=y.shape)).astype(np.float32)
    metrics.regression(guess, y, seed=7)
    precise, truth = guess.astype(np.float64), y.astype(np.float64)
    agrees(
        draws,
        {
            "rmse": lambda i: reference.root_mean_squared_error(truth[i], precise[i]),
            "mae": lambda i: reference.mean_absolute_error(truth[i], precise[i]),
            "r2": lambda i: reference.r2_score(truth[i], precise[i]),
        },
        rows=120,
        seed=7,
    )


# ── intervals ───────────────────────────────────────────────────────────────────────────────────


@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 3]))
def test_no_figure_is_undefined_and_each_stands_in_its_interval(rows: int, classes: int, seed: int, steps: int) -> None:
    p, y = probable(np.random.default_rng(seed), rows, classes, 0.5, steps)
    figures = metrics.classification(p, y, seed).metrics
    for interval in figures.values():
        assert interval.low <= interval.value <= interval.high
    assert ("roc_auc" in figures) == (len(np.unique(y)) > 1)
    assert figures == metrics.classification(p, y, seed).metrics


def test_the_interval_of_a_share_is_the_binomials() -> None:
    # 240 of 300: the normal approximation gives 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 300) = 0.8 +- 0.0453
    right = np.arange(300) < 240
    p = np.stack([right, ~right], axis=1).astype(np.float32)
    accuracy = metrics.classification(p, np.zeros(300, np.int32), seed=0).metrics["accuracy"]
    assert accuracy.value == pytest.approx(0.8)
    assert accuracy.low == pytest.approx(0.8 - 0.0453, abs=0.006)
    assert accuracy.high == pytest.approx(0.8 + 0.0453, abs=0.006)


def test_a_row_more_or_another_seed_is_another_set_of_resamples() -> None:
    first = resampled(50, 0).counts
    assert (first.sum(axis=0) == 50).all()
    assert not np.array_equal(first, resampled(50, 1).counts)
    assert np.array_equal(first, bootstrap.Resampling(50, 0).counts)


def test_one_class_leaves_the_area_out() -> None:
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], np.float32)
    figures = metrics.classification(p, np.zeros(3, np.int32), seed=0).metrics
    assert "roc_auc" not in figures
    assert figures["accuracy"].value == pytest.approx(2 / 3)


def test_a_target_that_does_not_vary_leaves_r2_out() -> None:
    y = np.full((20, 1), 1234.56, np.float32)
    assert set(metrics.regression(y + np.float32(1), y, seed=0).metrics) == {"rmse", "mae"}


@pytest.mark.parametrize("broken", [np.inf, np.nan])
def test_predictions_that_are_no_numbers_leave_all_out(broken: float) -> None:
    rows = np.full((5, 2), 0.5, np.float32)
    rows[3, 1] = broken
    assert metrics.regression(rows, np.zeros((5, 2), np.float32), seed=0).metrics == {}
    assert metrics.multilabel(rows, np.zeros((5, 2), np.float32), seed=0).metrics == {}
    assert metrics.classification(rows, np.zeros(5, np.int32), seed=0).metrics == {}
    assert metrics.classification_by_score(rows, np.zeros(5, np.int32), seed=0).metrics == {}


def test_nothing_to_score_gives_no_figures() -> None:
    assert metrics.classification(np.empty((0, 3), np.float32), np.empty(0, np.int32), seed=0).metrics == {}
    assert metrics.multilabel(np.empty((0, 3), np.float32), np.empty((0, 3), np.float32), seed=0).metrics == {}
    assert metrics.regression(np.empty((0, 1), np.float32), np.empty((0, 1), np.float32), seed=0).metrics == {}


def test_scores_give_the_figures_that_need_no_probabilities() -> None:
    p, y = probable(np.random.default_rng(8), 60, 3, 1.0)
    by_score = metrics.classification_by_score(100 * p - 3, y, seed=1).metrics
    whole = metrics.classification(p, y, seed=1).metrics
    assert by_score == {name: whole[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc")}

    labels = (y[:, None] == np.arange(3)).astype(np.float32)
    by_score = metrics.multilabel_by_score(np.log(p / (1 - p)), labels, seed=1).metrics
    whole = metrics.multilabel(p, labels, seed=1).metrics
    assert by_score.keys() == whole.keys() - {"log_loss", "calibration_error"}
    assert by_score == {name: whole[name] for name in by_score}


# ── large parts ─────────────────────────────────────────────────────────────────────────────────


def wide(a: Interval) -> float:
    return a.high - a.low


def test_buckets_of_rows_give_the_same_figures_and_like_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    p, y = probable(np.random.default_rng(9), 3000, 3, 1.5)
    exact = metrics.classification(p, y, seed=2).metrics
    monkeypatch.setattr(bootstrap, "BUCKETS", 1000)
    resampled.cache_clear()
    dealt = metrics.classification(p, y, seed=2).metrics
    resampled.cache_clear()
    assert dealt.keys() == exact.keys()
    for name, interval in exact.items():
        assert dealt[name].value == pytest.approx(interval.value, abs=1e-9)
        assert wide(dealt[name]) == pytest.approx(wide(interval), rel=0.2), name


def test_placements_expand_the_area_to_first_order() -> None:
    p, y = probable(np.random.default_rng(10), 4000, 2, 1.0, steps=50)
    resampling = resampled(len(y), 0)
    exact = metrics._area(p[:, 1], y == 1, resampling)
    expanded = metrics._area_by_placements(p[:, 1], y == 1, resampling)
    assert expanded[0] == pytest.approx(exact[0], abs=1e-12)
    assert np.abs(expanded - exact).max() < 0.1 * exact.std()


def pairs(score: Float64[np.ndarray, " n"], positive: np.ndarray) -> float:
    """The area as it is defined, pair by pair."""
    above = score[positive][:, None] - score[~positive][None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_area_by_blocks_and_by_placements_are_the_share_of_ordered_pairs(rows: list[tuple[int, bool]]) -> None:
    score, positive = np.array([s for s, _ in rows], np.float64), np.array([b for _, b in rows])
    resampling = resampled(len(rows), 0)
    areas = [f(score, positive, resampling)[0] for f in (metrics._area, metrics._area_by_placements)]
    if positive.all() or not positive.any():
        assert np.isnan(areas).all()
    else:
        assert areas == pytest.approx([pairs(score, positive)] * 2, abs=1e-12)


def test_no_mistake_in_a_few_rows_is_no_certainty():
    """The exact bound of Clopper and Pearson: p^n = 0.025 for n rows without a mistake."""
    for rows in (1, 8, 69):
        y = np.arange(rows) % 2
        right = np.eye(2)[y] * 0.98 + 0.01
        found = metrics.classification(right, y, seed=0).metrics
        assert found["accuracy"].value == found["accuracy"].high == 1
        assert found["accuracy"].low ** rows == pytest.approx(0.025)
        assert found["balanced_accuracy"].low <= found["accuracy"].low
        wrong = metrics.classification(right[:, ::-1], y, seed=0).metrics
        assert wrong["accuracy"] == Interval(0.0, 0.0, pytest.approx(1 - found["accuracy"].low))


def test_classes_told_apart_without_a_mistake_have_a_bound_by_disjoint_pairs() -> None:
    """a^n = 0.025 for the n examples of the rarer class, whatever the others."""
    y = np.arange(200) < 30
    score = np.where(y, 0.4, 0.1) + np.arange(200) / 1000  # none above 0.5 but some: accuracy is not perfect
    found = metrics.classification(np.stack([1 - score, score], 1), y.astype(int), seed=0).metrics["roc_auc"]
    assert (found.value, found.high) == (1, 1)
    assert found.low**30 == pytest.approx(0.025)
    upside_down = metrics.classification(np.stack([score, 1 - score], 1), y.astype(int), seed=0).metrics["roc_auc"]
    assert upside_down == Interval(0.0, 0.0, pytest.approx(1 - found.low))

    y = np.repeat([0, 1, 2], [10, 20, 60])
    found = metrics.classification(np.eye(3)[y] * 0.7 + 0.1, y, seed=0).metrics["roc_auc"]
    assert found.low == pytest.approx(np.mean([0.025 ** (1 / rows) for rows in (10, 20, 30)]))

    labels = np.stack([np.arange(40) < 5, np.arange(40) < 32, np.zeros(40)], 1)
    found = metrics.multilabel(labels * 0.3 + 0.1, labels, seed=0).metrics["roc_auc"]
    assert found.low == pytest.approx(np.mean([0.025 ** (1 / rows) for rows in (5, 8)]))


def test_the_bound_of_the_area_holds_where_it_is_tight() -> None:
    """Of 20 examples each is below all others with chance 1 - a: all are above, at the bound, in 2.5% of samples."""
    bound, random = 0.025 ** (1 / 20), np.random.default_rng(0)
    y = np.repeat([1, 0], [20, 50])
    above = np.sum(random.random((4000, 20)) < bound, 1)  # of one sample each
    # The area is that of the number above, whichever they are: one look for each number does.
    score = {n: np.concatenate([np.where(np.arange(20) < n, 1.0, -1.0), np.zeros(50)]) for n in range(21)}
    perfect = [n for n in score if reference.roc_auc_score(y, score[n]) == 1]
    assert 0.018 < np.isin(above, perfect).mean() < 0.033


def test_certain_and_right_in_a_few_rows_is_no_certainty() -> None:
    y = np.arange(20) % 2
    found = metrics.classification(np.eye(2)[y], y, seed=0).metrics
    rare = 1 - 0.025 ** (1 / 20)
    assert found["calibration_error"] == Interval(0.0, 0.0, pytest.approx(rare))
    assert found["log_loss"].low == found["log_loss"].value == pytest.approx(metrics.SMALLEST, rel=1e-6)
    assert found["log_loss"].high == pytest.approx(rare * metrics.WORST, rel=1e-6)
    unsure = np.eye(2)[y] * 0.2 + 0.4 + np.linspace(0, 0.1, 20)[:, None] * np.eye(2)[y]  # right, but not so sure
    assert metrics.classification(unsure, y, seed=0).metrics["calibration_error"].high > 0.2 > rare


def test_quantities_that_are_all_met_may_miss_others_as_the_mean_does() -> None:
    y = np.random.default_rng(3).normal(5, 2, (50, 1))
    found = metrics.regression(y, y, seed=0).metrics
    rare = 1 - 0.025 ** (1 / 50)
    assert found["r2"] == Interval(1.0, pytest.approx(1 - rare), 1.0)
    assert found["rmse"] == Interval(0.0, 0.0, pytest.approx(y.std() * rare**0.5))
    assert found["mae"] == Interval(0.0, 0.0, pytest.approx(np.abs(y - y.mean()).mean() * rare))
    # an RMSE that follows: had that share the errors of the mean, R2 were at its bound
    assert 1 - found["rmse"].high ** 2 / y.var() == pytest.approx(found["r2"].low)
    missed = metrics.regression(y + np.where(np.arange(50) < 3, 1.0, 0.0)[:, None], y, seed=0).metrics
    assert 0 < missed["rmse"].value < missed["rmse"].high and missed["r2"].high <= 1


def test_a_label_that_is_said_and_never_occurs() -> None:
    found = metrics.multilabel(np.full((9, 1), 0.9), np.zeros((9, 1)), seed=0).metrics
    assert found["macro_f1"] == Interval(0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / 9)))
    assert "balanced_accuracy" not in found


# ── differences on the same rows ────────────────────────────────────────────────────────────────


def test_a_difference_is_that_of_paired_resamples() -> None:
    """Against drawing rows again and again, and taking both figures on the same draw."""
    random = np.random.default_rng(1)
    y = random.standard_normal((80, 1))
    one, other = y + random.standard_normal((80, 1)), y + 0.7 * random.standard_normal((80, 1))
    found = difference(metrics.regression(one, y, 0).draws, metrics.regression(other, y, 0).draws)
    assert found is not None
    draws = []
    for _ in range(4000):
        rows = random.integers(0, 80, 80)
        draws.append(np.sqrt(((one[rows] - y[rows]) ** 2).mean()) - np.sqrt(((other[rows] - y[rows]) ** 2).mean()))
    low, high = np.percentile(draws, [2.5, 97.5])
    assert found.value == pytest.approx(np.sqrt(((one - y) ** 2).mean()) - np.sqrt(((other - y) ** 2).mean()))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))


def judged(right: Bool[np.ndarray, " rows"]) -> metrics.Scored:
    """A classifier of one class that is right on these rows."""
    return metrics.classification(np.stack([~right, right], 1).astype(float), np.ones(len(right), int), 0)


def test_a_model_against_itself_makes_no_difference() -> None:
    draws = judged(np.array([True, False, True])).draws
    assert difference(draws, draws) == Interval(0.0, 0.0, 0.0)


def test_overlapping_intervals_may_hide_a_difference() -> None:
    """Two classifiers that err on the same rows, but for a few: each alone is known far worse than their difference."""
    right = np.arange(400) % 4 > 0
    one, other = judged(right), judged(right | (np.arange(400) % 40 == 0))
    assert other.metrics["accuracy"].low < one.metrics["accuracy"].high
    found = difference(other.draws, one.draws)
    assert found is not None and found.low > 0 and found.value == pytest.approx(0.025)


def test_other_numbers_of_rows_do_not_compare() -> None:
    assert difference(judged(np.ones(5, bool)).draws, np.zeros(0)) is None


def test_the_draws_are_those_of_the_headline_figure() -> None:
    labels = metrics.multilabel(np.array([[0.9, 0.2], [0.9, 0.9]]), np.array([[1, 1], [1, 1]]), 0)
    assert labels.draws[0] == labels.metrics["accuracy"].value == 0.75
    quantities = metrics.regression(np.array([[1.0], [4.0]]), np.array([[1.0], [2.0]]), 0)
    assert quantities.draws[0] == quantities.metrics["rmse"].value == pytest.approx(2**0.5)
    assert metrics.regression(np.empty((0, 1)), np.empty((0, 1)), 0).draws.size == 0
