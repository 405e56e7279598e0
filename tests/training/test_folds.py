"""Cross-validation: every row is held out once, nothing leaks from it, and no interruption changes a bit."""

import json
import math
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from small_runs import RUN_FILES

import layerwise
from layerwise import CrossValidation, Run, cross_validate
from layerwise.errors import DataError, LayerwiseError, RecipeError, RunError
from layerwise.recipe import load
from layerwise.recipe.folds import fold_of, folded
from layerwise.tasks.intervals import Interval
from layerwise.training import folds as module
from layerwise.training.events import Epoch, Finished, Scoring, Started, TestTouched
from layerwise.training.folder import Folder
from layerwise.training.folds import mean_interval
from layerwise.training.result import Baselines

RECIPE = {
    "data": {"kind": "toy", "name": "xor", "n": 200, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "train": {"epochs": 20, "learning_rate": 0.01},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed cross-validation of three folds, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return cross_validate(RECIPE, 3, out=folder)


def weights(folder, fold):
    """The bytes of a fold's weights."""
    model = layerwise.load(folder / f"fold-{fold}" / "model.safetensors")
    return [layer.weight.tobytes() for layer in model.network.layers]


# ── what it comes to ────────────────────────────────────────────────────────────────────────────


def test_each_fold_is_the_run_that_its_own_recipe_gives(whole, tmp_path):
    assert {entry.name for entry in whole.folder.iterdir()} == {
        ".lock",
        "recipe.toml",
        "metrics.json",
        "fold-1",
        "fold-2",
        "fold-3",
    }
    for fold in whole.folds:
        assert {entry.name for entry in fold.folder.iterdir()} == RUN_FILES
    alone = layerwise.train(fold_of(folded(load(RECIPE), 3), 2), out=tmp_path / "alone")
    assert whole.folds[1].metrics == alone.metrics
    assert whole.folds[1].baselines == alone.baselines
    assert (whole.folds[1].number, whole.folds[1].epochs) == (2, alone.epochs)


def test_every_row_is_held_out_once_and_scored_once(whole):
    held_out = []
    for fold in whole.folds:
        run = Run.resume(fold.folder)
        with run:
            list(run)
        held_out += run.dataset.test.tolist()
        assert sum(isinstance(event, TestTouched) for event in Folder(fold.folder).events()) == 1
    assert sorted(held_out) == list(range(200))


def test_what_all_folds_come_to_follows_from_each(whole):
    values = [fold.metrics["test"]["accuracy"].value for fold in whole.folds]
    assert whole.scores("accuracy") == values
    assert whole.metrics["test"]["accuracy"].value == pytest.approx(np.mean(values))
    assert whole.spread["test"]["accuracy"] == pytest.approx(np.std(values, ddof=1))
    trees = [fold.baselines["decision_tree"]["test"]["log_loss"].value for fold in whole.folds]
    assert whole.baselines["decision_tree"]["test"]["log_loss"].value == pytest.approx(np.mean(trees))
    for metric, part, remedy in (
        ("acuracy", "test", "'accuracy'"),
        ("rmse", "test", "one of: "),
        ("loss", "all", "none"),
    ):
        with pytest.raises(LayerwiseError, match=remedy):
            whole.scores(metric, part)
    mean = f"{whole.metrics['test']['accuracy'].value:.4g}"
    folds = f"{len(values)} of {len(values)} folds over"
    assert repr(whole) == f"<CrossValidation: {whole.status}, {folds}, test accuracy {mean}, in {whole.folder}>"
    assert whole.epochs == sum(fold.epochs for fold in whole.folds)
    assert whole.seconds == pytest.approx(sum(fold.seconds for fold in whole.folds))


def test_the_figures_are_written_down(whole):
    found = json.loads((whole.folder / "metrics.json").read_text())
    interval = whole.metrics["test"]["macro_f1"]
    assert found["metrics"]["test"]["macro_f1"] == {"value": interval.value, "low": interval.low, "high": interval.high}
    assert (found["status"], found["epochs"], found["split"]["kind"]) == (whole.status, whole.epochs, "kfold")
    assert found["spread"] == whole.spread
    assert set(found["baselines"]) == set(whole.baselines) >= {"majority_class", "logistic_regression"}
    recipe = load(whole.folder / "recipe.toml")
    assert (recipe.data.split.folds, recipe.data.split.fold) == (3, "all")


def test_what_is_held_out_changes_nothing_but_its_score(tmp_path):
    """The fold's answers are replaced by nonsense: the weights and the validation figures stay, bit for bit."""
    dice = np.random.default_rng(0)
    x = dice.uniform(size=(90, 3))
    y = x.sum(axis=1)
    recipe = {"data": {"target": "y"}, "train": {"epochs": 8, "patience": 2}}

    def of(y, name):
        rows = [{"a": a, "b": b, "c": c, "y": answer} for (a, b, c), answer in zip(x.tolist(), y.tolist(), strict=True)]
        with CrossValidation(recipe, 3, data=rows, out=tmp_path / name) as found:
            first = next(event for event in found if isinstance(event, Finished))
        return found, first

    honest, first = of(y, "honest")
    held_out = Run.resume(honest.folds[0].folder)
    with held_out:
        list(held_out)
    nonsense = y.copy()
    nonsense[held_out.dataset.test] = 1000 * dice.standard_normal(held_out.dataset.test.size)
    _, second = of(nonsense, "other")
    assert weights(tmp_path / "honest", 1) == weights(tmp_path / "other", 1)
    assert first.metrics["validation"] == second.metrics["validation"]
    assert second.metrics["test"]["rmse"].value > 100 * first.metrics["test"]["rmse"].value


def test_a_metric_that_a_fold_does_not_define_is_left_out():
    area = {"test": {"accuracy": Interval(0.5, 0.4, 0.6), "roc_auc": Interval(0.7, 0.6, 0.8)}}
    bare = {"test": {"accuracy": Interval(0.7, 0.6, 0.8)}}
    means = module._means([area, bare, bare], 3)
    assert list(means) == ["test"] and list(means["test"]) == ["accuracy"]
    assert module._means([area, {}], 3) == {}
    assert module._means([area], 3) == area, "one fold has no spread: its own interval"
    assert module._spreads([area]) == {}


# ── the interval ────────────────────────────────────────────────────────────────────────────────


def test_the_interval_by_hand():
    """s^2 = (1 + 0 + 1) / 2 = 1, t(0.975; 2) = 4.302653, 1/3 + 1/2 = 0.833333: 4.302653 * 0.912871 = 3.927766."""
    found = mean_interval("rmse", [9.0, 10.0, 11.0], 3)
    assert (found.low, found.value, found.high) == pytest.approx((10 - 3.927766, 10.0, 10 + 3.927766))


def test_two_of_five_folds_say_less_than_five():
    few, all_five = mean_interval("rmse", [9.0, 11.0], 5), mean_interval("rmse", [9.0, 11.0, 9.0, 11.0, 10.0], 5)
    assert few.high - few.low > 3 * (all_five.high - all_five.low)


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("accuracy", [1.0, 0.9, 1.0], (0.0, 1.0)),
        ("log_loss", [0.0, 0.1, 0.0], (0.0, math.inf)),
        ("r2", [0.99, 0.9, 0.99], (-math.inf, 1.0)),
    ],
)
def test_no_interval_leaves_the_metrics_own_range(metric, values, expected):
    found = mean_interval(metric, values, 3)
    assert expected[0] <= found.low <= found.value <= found.high <= expected[1]
    assert mean_interval(metric, [1.0] * 3, 3) == Interval(1.0, 1.0, 1.0)


def test_the_interval_holds_what_it_says():
    """Linear discriminants on two Gaussians, each cross-validated anew: 95% hold the true mean accuracy."""
    dice = np.random.default_rng(1)

    def sample(rows):
        y = dice.integers(0, 2, rows)
        return dice.standard_normal((rows, 8)) + 0.35 * (2 * y[:, None] - 1), y

    def accuracy(train, test):
        (x, y), (u, v) = train, test
        high, low = x[y == 1].mean(axis=0), x[y == 0].mean(axis=0)
        direction = np.linalg.solve(np.cov(np.concatenate([x[y == 1] - high, x[y == 0] - low]).T), high - low)
        return float((((u - (high + low) / 2) @ direction > 0) == v).mean())

    plenty = sample(20_000)
    truth = np.mean([accuracy(sample(80), plenty) for _ in range(100)])
    held = 0
    for _ in range(400):
        x, y = sample(100)
        folds = [np.arange(fold, 100, 5) for fold in range(5)]
        scores = [accuracy((np.delete(x, f, axis=0), np.delete(y, f)), (x[f], y[f])) for f in folds]
        found = mean_interval("accuracy", scores, 5)
        held += found.low <= truth <= found.high
    assert held / 400 > 0.94


# ── a baseline that is better ───────────────────────────────────────────────────────────────────


def beaten(pairs, metric="accuracy"):
    """What is said where the network and a tree score `pairs` in the folds."""
    folds = [
        module.Fold(
            number, Path(), "finished", 1, 1.0,
            {"test": {metric: Interval(own, own, own)}}, {"decision_tree": {"test": {metric: Interval(its, its, its)}}},
        )
        for number, (own, its) in enumerate(pairs, start=1)
    ]  # fmt: skip
    return module._beaten(folds, len(folds))


def test_a_baseline_is_compared_fold_by_fold():
    """The folds differ by far more than the two methods do, so intervals of the means would say nothing.

    s^2 = (2 * 0.000333^2 + 0.000667^2) / 2 = 3.333e-7; 4.302653 * 0.912871 * s = 0.002268.
    """
    assert beaten([(0.5, 0.52), (0.7, 0.72), (0.9, 0.921)]) == [
        "decision_tree beats the network, in 3 of 3 folds: on average its accuracy is better by "
        "0.02033 (0.01807 to 0.0226), which is hardly chance."
    ]
    assert "in 2 of 3 folds" in beaten([(0.5, 0.6), (0.7, 0.8), (0.9, 0.85)])[0]
    assert beaten([(0.5, 0.6), (0.7, 0.8), (0.9, 0.85)])[0].endswith("which may be chance.")
    assert beaten([(0.5, 0.4), (0.7, 0.6)]) == []
    assert beaten([(3.0, 2.0), (4.0, 2.9)], "rmse")[0].startswith(
        "decision_tree is ahead of the network, in 2 of 2 folds: on average its rmse"
    )
    assert beaten([(2.0, 3.0), (2.9, 4.0)], "rmse") == []
    assert beaten([(0.5, 0.6)]) == []


# ── interruptions ───────────────────────────────────────────────────────────────────────────────


def same_as(whole, found):
    """Whether a cross-validation came to the same bits."""
    return (
        [fold.metrics for fold in found.folds] == [fold.metrics for fold in whole.folds]
        and found.metrics == whole.metrics
        and all(weights(found.folder, n) == weights(whole.folder, n) for n in (1, 2, 3))
    )


def touches(folder):
    """How often the held-out rows of each fold were scored."""
    return [sum(isinstance(event, TestTouched) for event in Folder(folder / f"fold-{n}").events()) for n in (1, 2, 3)]


def resumed(folder):
    with CrossValidation.resume(folder) as found:
        events = list(found)
    return found, events


def test_ctrl_c_keeps_the_folds_that_are_over_and_resuming_comes_to_the_same_bits(whole, tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    begun, epochs = 0, 0
    with CrossValidation(RECIPE, 3, out=tmp_path / "run") as found:
        for event in found:
            begun += isinstance(event, Started)
            epochs += isinstance(event, Epoch) and begun == 2
            if epochs == 5:
                epochs += 1
                signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (found.status, len(found.folds)) == ("interrupted", 1)
    assert found.metrics == whole.folds[0].metrics
    assert touches(found.folder) == [1, 0, 0], "the fold that was cut short is not scored"
    assert json.loads((found.folder / "metrics.json").read_text())["status"] == "interrupted"
    again, events = resumed(found.folder)
    assert sum(isinstance(event, Finished) for event in events) == 2
    assert events[0].first_step > 0, "the fold that was cut short goes on"
    assert same_as(whole, again)
    assert touches(found.folder) == [1, 1, 1]


def test_ctrl_c_while_a_fold_is_scored_keeps_it(tmp_path):
    with CrossValidation(RECIPE, 3, out=tmp_path / "run") as found:
        for event in found:
            if isinstance(event, Scoring):
                signal.raise_signal(signal.SIGINT)
    assert (found.status, len(found.folds)) == ("interrupted", 1)
    assert found.folds[0].metrics["test"]


def test_ctrl_c_while_the_last_fold_is_scored_is_said_and_made_good(whole, tmp_path, monkeypatch):
    start, scoring = Baselines.start, []
    monkeypatch.setattr(Baselines, "start", lambda self: start(self) if scoring else None)  # none is over before
    with CrossValidation(RECIPE, 3, out=tmp_path / "run") as found:
        for event in found:
            if isinstance(event, Scoring):
                scoring.append(event)
                if len(found.folds) == 2:
                    signal.raise_signal(signal.SIGINT)
            elif isinstance(event, Finished):
                scoring.clear()
    monkeypatch.undo()
    assert len(found.folds) == 3 and found.can_go_on and found.folds[2].unscored == 8
    assert "in 1 of 3 folds not all classical methods were scored: it was interrupted." in found.remarks
    with CrossValidation.resume(tmp_path / "run") as again:
        assert {event.count for event in again if isinstance(event, TestTouched)} == {2}
    assert not again.can_go_on and again.baselines == whole.baselines


def test_folds_that_came_to_their_time_limit_go_on_where_they_are_given_another(tmp_path):
    endless = {**RECIPE, "train": {"epochs": 1_000_000, "patience": 0, "time_limit": "1ms"}}
    found = cross_validate(endless, 2, out=tmp_path / "run")
    assert found.status == "time_limit"
    with CrossValidation.resume(found.folder) as again:
        assert not list(again)
    assert module.OVER in again.remarks
    with CrossValidation.resume(found.folder, time_limit="50ms") as longer:
        list(longer)
    assert all(after.epochs > before.epochs for before, after in zip(found.folds, longer.folds, strict=True))
    assert 'time_limit = "1ms"' in (found.folder / "fold-2" / "recipe.toml").read_text()
    with pytest.raises(RecipeError, match=r"train\.time_limit must be"):
        CrossValidation.resume(found.folder, time_limit="soon")


def test_ctrl_c_twice_ends_at_once(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), CrossValidation(RECIPE, 3, out=tmp_path / "run") as found:
        for event in found:
            if isinstance(event, Epoch):
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler


def test_leaving_the_loop_or_failing_in_it_can_be_resumed(whole, tmp_path):
    with CrossValidation(RECIPE, 3, out=tmp_path / "left") as left:
        for event in left:
            if isinstance(event, Epoch):
                break
    assert (left.status, left.folds, left.metrics) == ("interrupted", [], {})
    with pytest.raises(ZeroDivisionError), CrossValidation(RECIPE, 3, out=tmp_path / "failed") as failed:
        for event in failed:
            if isinstance(event, Scoring):
                _ = 1 / 0
    for folder in (left.folder, failed.folder):
        assert touches(folder)[1:] == [0, 0]
        assert same_as(whole, resumed(folder)[0])


def test_what_is_over_is_read_from_its_folder(whole):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in whole.folder.rglob("*") if path.is_file()}
    again, events = resumed(whole.folder)
    assert events == []
    assert same_as(whole, again)
    assert (again.status, again.epochs, again.spread) == (whole.status, whole.epochs, whole.spread)
    assert "over already" in again.remarks[0]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_figures_that_a_crash_kept_from_being_written_are_written_when_it_is_resumed(whole, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    again, events = resumed(tmp_path / "run")
    assert (events, again.remarks) == ([], whole.remarks)
    found, expected = (json.loads((folder / "metrics.json").read_text()) for folder in (again.folder, whole.folder))
    assert found == expected


def test_a_table_in_memory_is_kept_once(tmp_path):
    dice = np.random.default_rng(0)
    rows = [{"a": float(a), "b": "xyz"[i % 3], "y": float(a) * 2 + i % 3} for i, a in enumerate(dice.uniform(size=90))]
    recipe = {"data": {"target": "y"}, "network": "linear", "train": {"epochs": 3}}
    with CrossValidation(recipe, 3, data=rows, out=tmp_path / "run") as found:
        next(event for event in found if isinstance(event, Finished))
    assert sorted(path.name for path in found.folder.rglob("*.parquet")) == ["data.parquet"]
    again, _ = resumed(found.folder)
    assert len(again.scores("rmse")) == 3
    assert again.scores("rmse")[0] == found.scores("rmse")[0]


# ── what is refused ─────────────────────────────────────────────────────────────────────────────


def test_bad_data_leaves_no_folder(tmp_path):
    recipe = {**RECIPE, "data": {"kind": "table", "path": str(tmp_path / "absent.csv"), "target": "y"}}
    with pytest.raises(DataError):
        cross_validate(recipe, out=tmp_path / "run")
    with pytest.raises(DataError, match="a row for each fold"):
        cross_validate(RECIPE, 201, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_single_run_is_not_resumed_as_folds_nor_folds_as_a_single_run(whole):
    with pytest.raises(RunError, match="fold"):
        CrossValidation.resume(whole.folds[0].folder)
    with pytest.raises(DataError, match="holds out one fold") as error, Run(folded(load(RECIPE))) as run:
        list(run)
    assert "cross_validate" in error.value.remedy
    with pytest.raises(RecipeError, match="folds"):
        cross_validate(RECIPE, 1)


def test_other_threads_may_cross_validate(tmp_path):
    """Signals belong to the main thread; without them all else is the same."""
    from threading import Thread

    found = []
    thread = Thread(target=lambda: found.append(cross_validate(RECIPE, 2, out=tmp_path / "run")))
    thread.start()
    thread.join()
    assert len(found[0].folds) == 2
