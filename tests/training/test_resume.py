"""A run that is gone on with, and the folder that it has to itself."""

import json
import threading
import time
from collections import UserList
from pathlib import Path

import numpy as np
import pytest
from small_runs import LONG, RECIPE, first_epoch

import layerwise
from layerwise import train
from layerwise.data import load as load_data
from layerwise.errors import RecipeError, RunError
from layerwise.tasks.baselines import score_baselines
from layerwise.training.events import Epoch, Finished, Scoring, TestTouched
from layerwise.training.folder import Folder
from layerwise.training.result import Baselines
from layerwise.training.run import OVER, Run


def unfinished(folder):
    """As if the run had been killed before it wrote the log's last line."""
    log = folder / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))


def snapshot(folder):
    """Every file with its bytes, its number on the disk and the time of its last change."""
    return {p.name: (p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_finished_run_given_more_epochs_goes_on_to_the_same_bits(tmp_path):
    short = train({**RECIPE, "train": {**RECIPE["train"], "patience": 0}}, out=tmp_path / "run")
    recipe = short.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 30", "epochs = 40"))
    resumed = Run.resume(short.folder)
    with resumed:
        events = list(resumed)
    assert events[0].first_step == 30 * 4
    assert [event.epoch for event in events if isinstance(event, Epoch)] == list(range(31, 41))
    whole = train({**RECIPE, "train": {**RECIPE["train"], "patience": 0, "epochs": 40}}, out=tmp_path / "whole")
    assert resumed.model.network.layers[0].weight.tolist() == whole.model.network.layers[0].weight.tolist()
    assert resumed.epochs == 40
    before = [event.seconds for event in Folder(short.folder).events() if isinstance(event, Epoch)][29]
    assert before < events[0].seconds < resumed.seconds == events[-1].seconds


ENDS = {
    "finished": RECIPE,
    "stopped_early": {**RECIPE, "train": {"epochs": 500, "patience": 1, "tolerance": 0.5}},
    "diverged": {
        "data": {"kind": "toy", "name": "plane", "n": 60},
        "network": "linear",
        "train": {"learning_rate": 1e30, "optimizer": "sgd", "epochs": 5},
    },
    "converged": {"data": {"kind": "toy", "name": "and", "n": 4, "split": "none"}, "network": "perceptron"},
    "by hand": "xor-by-hand",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_is_over_gives_its_result_again_and_is_not_touched(tmp_path, end, monkeypatch):
    run = train(ENDS[end], out=tmp_path / "run")
    assert run.status == {"converged": "finished", "by hand": "finished"}.get(end, end)
    before = snapshot(run.folder)
    loaded = []
    monkeypatch.setattr("layerwise.training.run.load_data", lambda *all: loaded.append(all) or load_data(*all))
    for _ in range(2):
        resumed = Run.resume(run.folder)
        with resumed:
            (finished,) = resumed
        assert isinstance(finished, Finished)
        assert finished.remarks == resumed.remarks == (OVER, *run.remarks)
        for name in ("status", "epochs", "metrics", "baselines", "seconds"):
            assert getattr(finished, name) == getattr(resumed, name) == getattr(run, name), name
        assert snapshot(run.folder) == before
        assert not loaded, "the data need not even be there any more"
        points = np.random.default_rng(0).uniform(-1, 1, (9, 2)).astype(np.float32)
        np.testing.assert_array_equal(resumed.model.predict(points), run.model.predict(points))
    assert resumed.dataset.x.tobytes() == run.dataset.x.tobytes()
    assert snapshot(run.folder) == before


def test_more_epochs_help_no_perceptron_that_makes_no_mistake(tmp_path):
    run = train(ENDS["converged"], out=tmp_path / "run")
    assert run.epochs < 100
    recipe = run.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 100", "epochs = 200"))
    before = snapshot(run.folder)
    with Run.resume(run.folder) as resumed:
        assert [type(event) for event in resumed] == [Finished]
    assert snapshot(run.folder) == before


@pytest.mark.parametrize("damage", ["the last line", "the model", "a bit of the model"])
def test_a_run_without_all_of_its_result_is_scored_again_and_counted(tmp_path, damage):
    run = train(RECIPE, out=tmp_path / "run")
    match damage:
        case "the last line":
            unfinished(run.folder)
        case "the model":
            run.model_path.unlink()
        case _:
            content = bytearray(run.model_path.read_bytes())
            content[-5] ^= 1
            run.model_path.write_bytes(content)
    with Run.resume(run.folder) as resumed:
        events = list(resumed)
    assert [event.count for event in events if isinstance(event, TestTouched)] == [2]
    assert (resumed.status, resumed.metrics) == ("finished", run.metrics)
    assert OVER not in resumed.remarks
    layerwise.load(run.model_path)


def test_another_seed_in_the_recipe_is_refused(tmp_path):
    """The rows would be dealt anew, and those that were trained on be scored as if they were new."""
    run = train(RECIPE, out=tmp_path / "run")
    recipe = run.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1"))
    before = snapshot(run.folder)
    with pytest.raises(RunError, match="dealt into other training, validation and test rows"):
        list(Run.resume(run.folder))
    assert snapshot(run.folder) == before


@pytest.mark.parametrize(
    "change", ["a row more", "other rows", "another order", "another answer", "a class less", "one cell"]
)
def test_other_data_is_refused(tmp_path, change):
    rows = [f"{i / 7:.3f},{'abcde'[i % 5]},{'yes' if i % 3 else 'no'}" for i in range(60)]
    table = tmp_path / "data.csv"

    def write(lines):
        table.write_text("\n".join(["a,b,y", *lines]))

    write(rows)
    recipe = {"data": {"kind": "table", "path": str(table), "target": "y"}, "train": {"epochs": 10**6, "patience": 0}}
    with Run(recipe, out=tmp_path / "run") as run:
        first_epoch(run)
    other = [f"{i / 3:.3f},{'abcd'[i % 4]},{'yes' if i % 3 else 'no'}" for i in range(60)]
    answered = [row.replace("no", "?").replace("yes", "no").replace("?", "yes") for row in rows]
    write(
        {
            "a row more": [*rows, "9,9,yes"],
            "other rows": other,
            "another order": rows[::-1],
            "another answer": answered,
            "one cell": [*rows[:-1], rows[-1].replace(",e,", ",a,")],
            "a class less": [row.replace("e,", "d,") for row in rows],
        }[change]
    )
    with pytest.raises(RunError, match="goes on with the data that it was trained on") as error:
        list(Run.resume(run.folder))
    assert error.value.place == str(table) and str(run.folder / "recipe.toml") in error.value.remedy
    write(rows)
    with Run.resume(run.folder) as resumed:
        assert next(iter(resumed)).first_step > 0


def test_a_run_that_its_time_limit_ended_goes_on(tmp_path):
    run = train({**LONG, "train": {**LONG["train"], "time_limit": "1ms"}}, out=tmp_path / "run")
    assert run.status == "time_limit"
    with Run.resume(run.folder, time_limit="none") as resumed:
        for event in resumed:
            if isinstance(event, Epoch) and event.epoch > 3 * run.epochs:
                break
    assert resumed.status == "interrupted" and resumed.recipe.train.time_limit == "1ms"
    assert 'time_limit = "1ms"' in (run.folder / "recipe.toml").read_text()
    with Run.resume(run.folder, time_limit="100ms") as again:
        list(again)
    assert again.status == "time_limit" and again.epochs > resumed.epochs


@pytest.fixture
def asked(monkeypatch):
    """The methods that are asked, in the process's own thread; `asked.most` of them answer until it is cancelled."""
    monkeypatch.setattr("layerwise.training.result.SENT_UP_TO", 0)
    told = UserList()
    told.most = 8
    gate = threading.Event()

    def score(problem):
        for answer in score_baselines(problem):
            if len(told) == told.most:
                gate.wait(60)
            told.append(answer.method)
            yield answer

    def cancel(self):
        cancelled(self)
        gate.set()

    cancelled = Baselines.cancel
    monkeypatch.setattr(Baselines, "cancel", cancel)
    monkeypatch.setattr("layerwise.training.result.score_baselines", score)
    return told


def until_asked(run, asked, count):
    """Go on until so many methods have been asked."""
    next(event for event in run if isinstance(event, Epoch) and len(asked) == count)


def test_baselines_are_not_asked_again(tmp_path, asked):
    with Run(LONG, out=tmp_path / "run") as run:
        until_asked(run, asked, 8)
    assert len(run.baselines) == 8
    with Run.resume(run.folder) as resumed:
        first_epoch(resumed)
    assert len(asked) == 8 and resumed.baselines == run.baselines
    assert not any("not scored" in remark for remark in resumed.remarks)


@pytest.mark.parametrize("change", ["class weights", "a damaged file", "another problem"])
def test_baselines_are_asked_again_where_the_question_is_another(tmp_path, asked, change):
    """The rows are the same, so the run goes on; what was answered before may be of other weights."""
    uneven = {**LONG["data"], "name": "and"}  # one class has three times as many rows
    with Run({**LONG, "data": uneven}, out=tmp_path / "run") as run:
        until_asked(run, asked, 8)
    kept = run.folder / "baselines.json"
    match change:
        case "class weights":
            recipe = run.folder / "recipe.toml"
            recipe.write_text(recipe.read_text().replace('class_weight = "none"', 'class_weight = "balanced"'))
            assert "balanced" in recipe.read_text()
        case "a damaged file":
            kept.write_bytes(kept.read_bytes()[:-9])
        case _:
            kept.write_text(kept.read_text().replace('"problem":"', '"problem":"0'))
    asked.clear()
    with Run.resume(run.folder) as resumed:
        until_asked(resumed, asked, 8)
    assert len(resumed.baselines) == 8
    if change in ("a damaged file", "another problem"):
        assert resumed.baselines == run.baselines


def test_what_an_interruption_left_unscored_is_scored_later(tmp_path, asked):
    asked.most = 3
    with Run(RECIPE, out=tmp_path / "run") as run:
        for event in run:
            if isinstance(event, Scoring):
                while len(asked) < 3:
                    time.sleep(0.001)
                run.cancel()
    assert run.status == "finished" and run.can_go_on and len(run.baselines) in (3, 4)
    left = 8 - len(run.baselines)
    assert f"{left} of 8 classical methods were not scored: it was interrupted." in run.remarks
    looked = Run.read(run.folder)
    assert (looked.metrics, looked.baselines, looked.remarks) == (run.metrics, run.baselines, run.remarks)
    asked.clear()
    asked.most = 8
    with Run.resume(run.folder) as resumed:
        assert not any(isinstance(event, Epoch) for event in resumed)
    assert len(asked) == left and len(resumed.baselines) == 8
    assert list(resumed.baselines) == list(train(RECIPE, out=tmp_path / "calm").baselines)
    assert resumed.metrics == run.metrics
    assert not (run.folder / "baselines.json").exists(), "nobody will ask any more"
    with Run.resume(run.folder) as over:
        assert [type(event) for event in over] == [Finished]


def test_a_time_limit_that_is_none_is_refused(tmp_path):
    run = train({**RECIPE, "train": {"epochs": 2}}, out=tmp_path / "run")
    before = snapshot(run.folder)
    with pytest.raises(RecipeError, match=r"train\.time_limit must be"):
        Run.resume(run.folder, time_limit="5 min")
    assert snapshot(run.folder) == before


def test_what_has_not_ended_is_not_read(tmp_path):
    run = train({**RECIPE, "train": {"epochs": 2}}, out=tmp_path / "run")
    assert Run.read(run.folder).model.predict(np.zeros((1, 2), np.float32)).shape == (1,)
    unfinished(run.folder)
    with pytest.raises(RunError, match="once it has come to an end"):
        Run.read(run.folder)


def test_a_folder_with_a_run_is_refused(tmp_path):
    run = train(RECIPE, out=tmp_path / "run")
    before = snapshot(run.folder)
    for settings in ({}, {"data": [{"a": 1.0, "y": 0.0}, {"a": 2.0, "y": 1.0}]}):
        with pytest.raises(RunError, match="a run has a folder of its own"):
            Run(RECIPE, out=run.folder, **settings)
    assert snapshot(run.folder) == before


def test_two_that_begin_at_once_are_two_runs(tmp_path, monkeypatch):
    """Both look for a free name before either has a folder."""
    monkeypatch.chdir(tmp_path)
    one, other = Run(LONG, name="twin"), Run(LONG, name="twin")
    assert one.folder == other.folder
    with one, other:
        first_epoch(one)
        first_epoch(other)
        with pytest.raises(RunError, match="in which another is at work"), Run.resume(one.folder) as third:
            list(third)
    assert [one.folder, other.folder] == [Path("runs/twin-1"), Path("runs/twin-2")]
    assert Folder(one.folder).events()[-1].epochs == one.epochs
    with Run.resume(one.folder) as resumed:
        first_epoch(resumed)


def test_an_earlier_state_is_not_gone_on_with(tmp_path):
    train(RECIPE, out=tmp_path / "run")
    (tmp_path / "run" / "recipe.toml").unlink()
    with Run(LONG, out=tmp_path / "run") as run:
        assert next(iter(run)).first_step == 0
        assert not (tmp_path / "run" / "state.safetensors").exists()


def test_a_table_in_memory_is_kept_for_resuming(tmp_path):
    dice = np.random.default_rng(0)
    rows = [{"a": float(a), "b": "xyz"[i % 3], "y": float(a) * 2 + i % 3} for i, a in enumerate(dice.uniform(size=90))]
    recipe = {"data": {"target": "y"}, "network": "linear", "train": {"epochs": 3}}
    run = train(recipe, data=rows, out=tmp_path / "run")
    assert run.metrics["test"]["rmse"].value > 0
    unfinished(run.folder)
    resumed = Run.resume(tmp_path / "run")
    with resumed:
        list(resumed)
    assert resumed.metrics == run.metrics


def test_a_test_part_looked_at_twice_is_said(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        first_epoch(run)
    resumed = Run.resume(tmp_path / "run")
    with resumed:
        first_epoch(resumed)
    touches = [event.count for event in Folder(tmp_path / "run").events() if isinstance(event, TestTouched)]
    assert touches == [1, 2]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test_touches"] == 2


def test_a_state_of_another_network_is_refused(tmp_path):
    run = train({**RECIPE, "train": {"epochs": 2}}, out=tmp_path / "run")
    recipe = run.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("hidden = [8]", "hidden = [9]"))
    resumed = Run.resume(run.folder)
    assert resumed.recipe.network.hidden == (9,)
    with pytest.raises(RunError, match="belongs to its recipe"), resumed:
        list(resumed)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"recipe\.toml"):
        Run.resume(tmp_path)
