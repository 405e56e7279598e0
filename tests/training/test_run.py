"""A whole run: its events, its folder, its model, and all the ways in which it can end."""

import json
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from small_runs import LONG, RECIPE, RUN_FILES, first_epoch

import layerwise
from layerwise import train
from layerwise.errors import DataError, RecipeError, RunError, StorageError
from layerwise.training.events import Epoch, Finished, Progress, RolledBack, Scoring, Started, TestTouched
from layerwise.training.folder import Folder
from layerwise.training.run import Run


def ends_soon(name):
    """Whether the threads of a name are gone within a minute."""
    until = time.monotonic() + 60
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(until - time.monotonic())
    return not any(thread.name == name for thread in threading.enumerate())


# ── an ordinary run ─────────────────────────────────────────────────────────────────────────────


def test_events_come_in_order_and_files_are_written(tmp_path):
    with Run(RECIPE, out=tmp_path / "run") as run:
        events = list(run)
    kinds = [type(event) for event in events]
    assert kinds[0] is Started and kinds[-3:] == [Scoring, TestTouched, Finished]
    assert set(kinds[1:-3]) == {Epoch, Progress}
    assert [event.epoch for event in events if isinstance(event, Epoch)] == list(range(1, 31))
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)
    assert Folder(tmp_path / "run").events() == events
    assert {f.name for f in (tmp_path / "run").iterdir()} == RUN_FILES
    assert (run.status, run.epochs, run.folder, run.model_path.name) == (
        "finished", 30, tmp_path / "run", "model.safetensors",
    )  # fmt: skip
    assert run.seconds == events[-1].seconds, "the clock stands still after the end"
    assert ends_soon("baselines")
    again = train(tmp_path / "run" / "recipe.toml", out=tmp_path / "again")
    assert again.metrics == run.metrics


def test_metrics_json_has_all_that_the_run_found(tmp_path):
    run = train(RECIPE, out=tmp_path / "run")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["metrics"]["test"]["accuracy"] == {
        name: getattr(run.metrics["test"]["accuracy"], name) for name in ("value", "low", "high")
    }
    assert found["metrics"]["test"]["accuracy"]["value"] > 0.9
    assert (found["status"], found["epochs"], found["test_touches"]) == ("finished", 30, 1)
    assert found["rows"] == {"train": 120, "validation": 40, "test": 40}
    assert set(found["metrics"]) == {"validation", "test"}
    assert set(found["baselines"]) == set(run.baselines) >= {"majority_class", "decision_tree"}
    assert 0 < found["training_seconds"] <= found["seconds"]
    assert found["split"]["kind"] == "stratified"
    assert found["environment"]["versions"]["jax"]
    model = layerwise.load(run.model_path)
    assert model.info["metrics"] == found["metrics"]


def test_the_models_score_is_the_reported_one(tmp_path):
    run = train(RECIPE, out=tmp_path / "run")
    data, model = run.dataset, layerwise.load(run.model_path)
    said = model.predict(data.raw(data.test))
    right = np.mean([name == data.target.names[y] for name, y in zip(said, data.y[data.test], strict=True)])
    assert run.metrics["test"]["accuracy"].value == pytest.approx(right)
    best = min(event.validation["loss"] for event in Folder(run.folder).events() if isinstance(event, Epoch))
    assert run.metrics["validation"]["log_loss"].value == pytest.approx(best, rel=1e-4)


def test_rows_are_weighed_once_for_network_and_baselines_alike(tmp_path, monkeypatch):
    from layerwise.training import run as module

    found, given = [], []
    weigh, baselines = module.training_weights, module.Baselines
    monkeypatch.setattr(module, "training_weights", lambda *both: found.append(weigh(*both)) or found[-1])
    monkeypatch.setattr(module, "Baselines", lambda *all: given.append(all[2]) or baselines(*all))
    run = train({**RECIPE, "task": {"kind": "classify", "class_weight": {"1": 3.0}}}, out=tmp_path / "run")
    assert len(found) == 1 and given[0] is found[0]
    assert sorted(set(found[0])) == [1, 3]
    assert run.status == "finished"


@pytest.mark.parametrize("seed", range(10))
def test_xor_is_learned_from_any_seed(tmp_path, seed):
    run = train(layerwise.recipe.load("xor", [f"seed={seed}"]), out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"].value == 1


def test_weights_by_hand_are_scored_without_training(tmp_path):
    run = train("xor-by-hand", out=tmp_path / "run")
    assert (run.status, run.epochs) == ("finished", 0)
    assert run.metrics["train"]["accuracy"].value == 1
    assert layerwise.load(run.model_path).predict([{"x1": 0, "x2": 1}, {"x1": 1, "x2": 1}]).tolist() == ["1", "0"]
    assert {f.name for f in run.folder.iterdir()} == RUN_FILES - {"state.safetensors"}


# ── other ends ──────────────────────────────────────────────────────────────────────────────────


def test_leaving_the_loop_still_leaves_a_model(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        for event in run:
            if isinstance(event, Epoch):
                break
    assert run.status == "interrupted"
    assert {f.name for f in run.folder.iterdir()} == RUN_FILES | {"baselines.json"}
    assert isinstance(Folder(run.folder).events()[-1], Finished)
    assert run.metrics["test"]
    assert layerwise.load(run.model_path).predict([{"x1": 0.0, "x2": 1.0}]).shape == (1,)


def test_a_loop_that_was_left_may_be_entered_again(tmp_path):
    with Run(RECIPE, out=tmp_path / "run") as run:
        first_epoch(run)
        rest = list(run)
    assert run.status == "finished"
    assert isinstance(rest[-1], Finished)


def test_a_run_that_is_not_begun_writes_nothing(tmp_path):
    with Run(RECIPE, out=tmp_path / "run") as run:
        pass
    assert not (tmp_path / "run").exists()
    for ask in (lambda: run.model, lambda: run.dataset):
        with pytest.raises(RunError, match="once the run has begun"):
            ask()


def test_the_model_is_there_at_every_moment(tmp_path):
    with Run(RECIPE, out=tmp_path / "run") as run:
        for event in run:
            assert run.model.predict_proba(np.zeros((1, 2), np.float32)).sum() == pytest.approx(1), event


def test_cancel_ends_in_order(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        first_epoch(run)
        threading.Timer(0.2, run.cancel).start()
        events = list(run)
    assert run.status == "interrupted"
    assert isinstance(events[-1], Finished)


def test_a_time_limit_ends_in_order(tmp_path):
    run = train({**LONG, "train": {**LONG["train"], "time_limit": "300ms"}}, out=tmp_path / "run")
    assert run.status == "time_limit"
    assert run.metrics["test"]
    layerwise.load(run.model_path)


def test_divergence_ends_with_the_best_weights_there_were(tmp_path):
    recipe = {
        "data": {"kind": "toy", "name": "plane", "n": 60},
        "network": "linear",
        "train": {"learning_rate": 1e30, "optimizer": "sgd", "epochs": 5},
    }
    with Run(recipe, out=tmp_path / "run") as run:
        events = list(run)
    assert run.status == "diverged"
    assert [event.attempt for event in events if isinstance(event, RolledBack)] == [1, 2, 3]
    assert all(np.isfinite(interval.value) for interval in run.metrics["test"].values())
    assert np.isfinite(layerwise.load(run.model_path).predict(np.zeros((3, 2), np.float32))).all()
    json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert Folder(run.folder).events() == events


def test_an_error_in_the_body_passes_through_and_leaves_no_thread(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Run(LONG, out=tmp_path / "run") as run:
        for event in run:
            if isinstance(event, Epoch):
                _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is handler
    assert ends_soon("baselines")
    shorter = Run.resume(tmp_path / "run")
    with shorter:
        first_epoch(shorter)
    assert shorter.status == "interrupted"


def test_ctrl_c_ends_in_order_and_a_second_one_at_once(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with Run(LONG, out=tmp_path / "run") as run:
        first_epoch(run)
        signal.raise_signal(signal.SIGINT)
        events = list(run)
    assert (run.status, type(events[-1])) == ("interrupted", Finished)
    with pytest.raises(KeyboardInterrupt), Run(LONG, out=tmp_path / "other") as run:
        first_epoch(run)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert ends_soon("baselines")


def test_cancelled_before_its_first_step_nothing_is_scored(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        run.cancel()
        events = list(run)
    assert [type(event) for event in events] == [Started, Finished]
    assert (run.status, run.metrics, run.epochs) == ("interrupted", {}, 0)
    assert not run.model_path.exists()
    with Run.resume(tmp_path / "run") as resumed:
        first_epoch(resumed)
    assert resumed.metrics["test"]
    touches = [event.count for event in Folder(run.folder).events() if isinstance(event, TestTouched)]
    assert touches == [1]


def test_a_time_limit_that_reading_took_up_trains_all_the_same(tmp_path):
    run = train({**LONG, "train": {**LONG["train"], "time_limit": "1ms"}}, out=tmp_path / "run")
    assert (run.status, run.model_path.exists()) == ("time_limit", True)
    steps = [event.step for event in Folder(run.folder).events() if isinstance(event, Progress)]
    assert steps and steps[0] > 0


def test_a_time_limit_is_counted_from_the_end_of_the_first_call(tmp_path, monkeypatch):
    """What is read and compiled takes longer than the limit, which is all left for the training."""
    clock = iter(range(0, 10**9, 10))  # each look at it takes ten seconds
    monkeypatch.setattr("layerwise.training.run.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    run = train({**LONG, "train": {**LONG["train"], "time_limit": "10m"}}, out=tmp_path / "run")
    ends = [event.seconds for event in Folder(run.folder).events() if isinstance(event, Progress)]
    assert run.status == "time_limit" and ends[-1] - ends[0] >= 600


PROGRAM = """
import json, sys
from layerwise import train
print(train(json.loads(sys.argv[2]), out=sys.argv[1]).status)
"""


def test_ctrl_c_in_a_process_of_its_own(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "run"), json.dumps(LONG)], stdout=-1)
    log = tmp_path / "run" / "events.jsonl"
    deadline = time.monotonic() + 60
    while not (log.exists() and b'"event":"epoch"' in log.read_bytes()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"interrupted\n")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "interrupted"
    layerwise.load(tmp_path / "run" / "model.safetensors")


# ── what is refused before anything is written ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"data": {"kind": "table", "path": "absent.csv", "target": "y"}}, DataError),
        ({"task": {"kind": "regress"}}, DataError),
        ({"train": {"monitor": "r2"}}, RecipeError),
        ({"network": {"kind": "lstm"}}, RecipeError),
        ({"network": {"kind": "mlp", "hidden": [2], "weights": [[[0, 1], [0, 1]], [[0, 1, 1]]]}}, RecipeError),
    ],
)
def test_a_run_that_cannot_be_leaves_no_folder(tmp_path, change, kind):
    with pytest.raises(kind), Run({**RECIPE, **change}, out=tmp_path / "run") as run:
        list(run)
    assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(StorageError), Run(RECIPE, out=tmp_path / "taken" / "run") as run:
        list(run)
    assert ends_soon("baselines")


def test_a_disk_that_fills_up_during_training_is_told(tmp_path, monkeypatch):
    """The state cannot be written any more; what was written before stays readable."""
    from layerwise import files

    whole = files.write

    def full(path, content):
        if path.name == "state.safetensors":
            raise StorageError("the file cannot be written", received="No space left on device", place=str(path))
        whole(path, content)

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(StorageError, match="No space left"), Run(RECIPE, out=tmp_path / "run") as run:
        list(run)
    assert ends_soon("baselines")
    monkeypatch.undo()
    resumed = Run.resume(tmp_path / "run")
    with resumed:
        list(resumed)
    assert resumed.status == "finished"


def test_a_study_is_not_taken_for_a_run(tmp_path):
    """A run written into its folder would bury what the study came to."""
    (tmp_path / "recipe.toml").write_text('data = { kind = "toy", name = "xor" }')
    (tmp_path / "study.json").write_text("{}")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RunError, match="tune --resume"):
        Run.resume(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
