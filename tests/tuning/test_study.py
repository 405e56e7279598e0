"""A study from its beginning to its end: what is trained, what is dropped, who wins, what is kept."""

import errno
import json
import math
import os
import shutil
import signal
import statistics
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

import layerwise
from layerwise.errors import RecipeError, RunError, StorageError
from layerwise.tasks.baselines import score_baselines
from layerwise.training.events import Scoring, TestTouched
from layerwise.training.folder import Folder
from layerwise.training.result import Baselines
from layerwise.tuning.events import Finalist, StudyFinished, StudyStarted, TrialEnded
from layerwise.tuning.study import Study
from layerwise.tuning.winner import interval


def ended(events):
    return {event.number: event for event in events if isinstance(event, TrialEnded)}


def alone(tmp_path, recipe, settings, **train):
    """A setting trained by itself; its curve and its run."""
    tree = {name: part for name, part in recipe.items() if name != "search"}
    tree["train"] = {**tree["train"], **{path.split(".")[1]: value for path, value in settings.items()}, **train}
    with layerwise.Run(tree, out=tmp_path / "alone") as run:
        events = [event for event in run if hasattr(event, "validation")]
    return [(event.loss, event.validation["loss"]) for event in events], run


@pytest.mark.parametrize("method", ["grid", "random", "sobol", "bayes"])
def test_every_method_searches_to_the_end_and_again_alike(study_of, method):
    study, events = study_of(search__method=method, search__trials=12)
    count = 9 if method == "grid" else 12
    assert (study.status, study.trials.height) == ("finished", count)
    assert isinstance(events[0], StudyStarted) and isinstance(events[-1], StudyFinished)
    assert events[0].trials == events[-1].done == count
    assert study.trials["state"].to_list() == ["finished"] * count
    assert study.trials["epochs"].to_list() == [8] * count
    assert study.trials["train.learning_rate"].is_between(1e-3, 1e-1).all()
    again, _ = study_of(search__method=method, search__trials=12)
    assert again.trials.equals(study.trials)
    assert msgspec.structs.replace(again.best, seconds=0.0) == msgspec.structs.replace(study.best, seconds=0.0)
    if method != "grid":
        other, _ = study_of(search__method=method, search__trials=12, seed=5)
        assert not other.trials.select("train.dropout").equals(study.trials.select("train.dropout"))


def test_a_trial_is_the_setting_trained_alone(study_of, recipe_with, tmp_path):
    _, events = study_of()
    for number in (0, 5):
        trial = ended(events)[number]
        curve, run = alone(tmp_path, recipe_with(), trial.settings)
        assert list(trial.curve) == curve, "to the last bit"
        assert trial.value == min(value for _, value in curve)
        shutil.rmtree(run.folder)


# ── successive halving ──────────────────────────────────────────────────────────────────────────


def test_halving_keeps_one_in_three_at_each_rung(study_of):
    """Eighteen lanes, eighteen epochs, rungs after 1 and 3: 18 begin, 6 go on, 2 come to the end.

    Which ones is worked out from the curves of the same study without halving.
    """
    _, calm = study_of(search__trials=18, train__epochs=18)
    curves = {number: [value for _, value in event.curve] for number, event in ended(calm).items()}
    after_1 = sorted(curves, key=lambda n: curves[n][0])[:6]
    after_3 = sorted(after_1, key=lambda n: min(curves[n][:3]))[:2]

    study, events = study_of(search__trials=18, train__epochs=18, search__halving=True)
    trials = ended(events)
    assert {n: len(event.curve) for n, event in trials.items()} == {
        n: 18 if n in after_3 else 3 if n in after_1 else 1 for n in range(18)
    }
    for number, event in trials.items():
        assert event.state == ("finished" if number in after_3 else "dropped")
        assert [value for _, value in event.curve] == curves[number][: len(event.curve)], "until then the same"
    finalists = [event.number for event in events if isinstance(event, Finalist)]
    runners_up = sorted(set(after_1) - set(after_3), key=lambda n: min(curves[n][:3]))
    assert finalists == [*sorted(after_3, key=lambda n: min(curves[n])), runners_up[0], None]
    assert study.status == "finished"


def test_halving_by_a_quantity_that_should_be_large(study_of):
    """Eight lanes, eight epochs: both rungs are after 1, where two go on (more where they are level)."""
    _, calm = study_of(search__trials=8, train__monitor="accuracy")
    curves = {number: [value for _, value in event.curve] for number, event in ended(calm).items()}
    first = {number: curve[0] for number, curve in curves.items()}
    after_1 = {n for n, value in first.items() if value >= sorted(first.values())[-2]}
    study, events = study_of(search__trials=8, train__monitor="accuracy", search__halving=True)
    assert {n for n, event in ended(events).items() if event.state == "finished"} == after_1
    assert {event.epochs for n, event in ended(events).items() if n not in after_1} == {1}
    assert study.best.mean == max(event.mean for event in events if isinstance(event, Finalist))


# ── an honest winner ────────────────────────────────────────────────────────────────────────────


def test_the_winner_is_named_by_seeds_the_search_did_not_see(study_of, recipe_with, tmp_path):
    study, events = study_of()
    best = sorted(ended(events).values(), key=lambda event: event.value)[:3]
    finals = [event for event in events if isinstance(event, Finalist)]
    assert [final.number for final in finals] == [event.number for event in best] + [None]
    assert finals[-1].settings == {}, "the recipe as written is among them"
    for final, trial in zip(finals, best, strict=False):
        assert final.searched == trial.value and final.settings == trial.settings
        assert trial.value not in final.values and len(set(final.values)) == 3
    for final in finals:
        assert final.mean == pytest.approx(statistics.fmean(final.values))
        half = 4.302653 * statistics.stdev(final.values) / math.sqrt(3)  # Student's t, two degrees of freedom
        assert (final.low, final.high) == (pytest.approx(final.mean - half), pytest.approx(final.mean + half))
    assert study.best == min(finals, key=lambda final: final.mean)
    assert study.best == events[-1].winner

    # Its model is the lane of the search's own seed, trained on as if alone.
    settings = {**study.best.settings}
    _, run = alone(tmp_path, recipe_with(), settings)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    assert (run.model.predict_proba(points) == study.model.predict_proba(points)).all()
    assert study.metrics == run.metrics


def test_seeds_of_the_final_are_the_next_ones(study_of, recipe_with, tmp_path):
    """The split stays the study's, whatever the seed of weights and batches."""
    _, events = study_of(search__trials=2)
    final = next(event for event in events if isinstance(event, Finalist) and event.number is not None)
    values = []
    with Study(recipe_with(search__trials=2), out=tmp_path / "more") as more:
        for event in more:
            if isinstance(event, StudyStarted):
                for seed in (1, 2, 3):
                    lane = more._waves.trial(0, final.settings, seed)
                    while lane.trainer.running:
                        lane.hear(lane.trainer.advance(0.0), "loss")
                    values.append(lane.value("loss"))
    assert tuple(values) == final.values


def test_the_test_part_is_touched_once(study_of):
    study, events = study_of()
    assert sum(isinstance(event, TestTouched) for event in events) == 1
    log = Folder(study.folder / "best").events()
    assert [event.count for event in log if isinstance(event, TestTouched)] == [1]
    assert json.loads((study.folder / "best/metrics.json").read_text())["test_touches"] == 1
    assert set(study.metrics) == {"validation", "test"}
    with Study.resume(study.folder) as again:
        assert [type(event) for event in again] == [StudyFinished], "what is over is over"
    assert again.metrics == study.metrics and again.best == study.best
    assert again.trials.equals(study.trials)
    assert [event.count for event in Folder(study.folder / "best").events() if isinstance(event, TestTouched)] == [1]


def test_a_search_in_vain_says_so(study_of):
    """The recipe as written is good; the space has nothing but worse."""
    study, _ = study_of(
        train__learning_rate=0.05,
        search__trials=4,
        search__space={"train.learning_rate": {"log": [1e-6, 1e-5]}},
    )
    assert study.best.number is None and study.best.settings == {}
    assert any("recipe as written did best" in remark for remark in study.remarks)
    assert study.run.recipe.train.learning_rate == 0.05


def test_an_interval_needs_no_luck():
    mean, low, high = msgspec.structs.astuple(interval("loss", [1.0, 2.0, 4.0]))
    assert mean == pytest.approx(7 / 3)
    assert (high - mean) == pytest.approx(mean - low) == pytest.approx(4.302653 * 1.527525 / math.sqrt(3))


# ── bad lanes ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("halving", [False, True])
def test_a_lane_that_explodes_harms_nobody(study_of, halving):
    """Told as failed; every other trial has the same bits as in a study without it."""
    changes = {"search__method": "grid", "search__trials": 8, "search__halving": halving}
    optimizer = {"train__optimizer": {"kind": "momentum", "momentum": 0.9}, "network__activation": "relu"}
    rates = [0.01, 1e30, 0.02, 0.03]
    drop = {"train.dropout": {"uniform": [0, 0.3]}}
    study, events = study_of(search__space={"train.learning_rate": {"choice": rates}, **drop}, **changes, **optimizer)
    calm, calmly = study_of(
        search__space={"train.learning_rate": {"choice": rates[:1] + rates[2:]}, **drop},
        **{**changes, "search__trials": 6},
        **optimizer,
    )
    bad = [event for event in ended(events).values() if event.settings["train.learning_rate"] == 1e30]
    assert [event.state for event in bad] == ["diverged"] * 2
    assert [event.value for event in bad] == [None] * 2
    rows = study.trials.filter(study.trials["train.learning_rate"] == 1e30)
    assert rows["state"].to_list() == ["diverged"] * 2 and rows["value"].null_count() == 2

    def others(of):
        found = {json.dumps(event.settings): event for event in ended(of).values() if event not in bad}
        return {key: (event.state, event.value, event.curve) for key, event in found.items()}

    assert others(events) == others(calmly)
    assert study.best.values == calm.best.values and study.status == "finished"


def test_a_study_of_nothing_but_explosions_ends_in_order(study_of):
    study, events = study_of(
        train__optimizer={"kind": "momentum", "momentum": 0.9},
        network__activation="relu",
        search__trials=8,
        search__space={"train.learning_rate": {"choice": [1e29, 1e30]}, "train.dropout": {"uniform": [0, 0.3]}},
    )
    assert study.status == events[-1].status == "diverged"
    assert study.best is None and study.metrics == {}
    with pytest.raises(RunError, match="winner"):
        study.model  # noqa: B018
    with Study.resume(study.folder) as again:
        assert [type(event) for event in again] == [StudyFinished]
    assert again.status == "diverged"


def test_settings_that_do_not_fit_the_data_are_refused_alone(study_of):
    """L-BFGS over more rows than it is for, say; here, a batch of more rows than there are is merely reduced."""
    sizes = {"train.batch_size": {"choice": [16, 100_000]}, "train.dropout": {"uniform": [0, 0.3]}}
    study, _ = study_of(search__space=sizes, search__trials=8)
    assert study.trials["state"].to_list() == ["finished"] * 8


def test_a_split_without_validation_is_refused(tmp_path, recipe_with, finish):
    tree = recipe_with(data__split={"kind": "random", "validation": 0.0, "test": 0.2})
    with pytest.raises(RecipeError, match="compared on a validation part"):
        finish(Study(tree, out=tmp_path / "x"))


# ── ends before the end ─────────────────────────────────────────────────────────────────────────


def check_interrupted(study, events, status):
    """The best so far is restored, evaluated and saved; nothing claims more than was done."""
    assert study.status == events[-1].status == status
    assert study.best is None, "no winner was confirmed"
    assert any("before its winner was confirmed" in remark for remark in study.remarks)
    kept = layerwise.load(study.folder / "best/model.safetensors")
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    assert (kept.predict_proba(points) == study.model.predict_proba(points)).all()
    assert set(study.metrics) == {"validation", "test"}


def test_control_c_ends_with_the_best_so_far(tmp_path, recipe_with, finish):
    events = []
    with Study(recipe_with(search__method="bayes", search__trials=24), out=tmp_path / "s") as study:
        for event in study:
            events.append(event)
            if len(ended(events)) == 9 and isinstance(event, TrialEnded):
                os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert 9 <= len(ended(events)) < 24
    check_interrupted(study, events, "interrupted")
    best = min(event.value for event in ended(events).values())
    assert study.metrics["validation"]["log_loss"].value == pytest.approx(best, rel=1e-5)

    with Study.resume(tmp_path / "s") as resumed:
        later = list(resumed)
    assert resumed.status == "finished" and resumed.best is not None
    assert len(ended(later)) == 24 - len(ended(events))
    calm = finish(Study(recipe_with(search__method="bayes", search__trials=24), out=tmp_path / "calm"))
    assert resumed.trials.equals(calm.trials)
    assert resumed.best.values == calm.best.values
    touches = [event.count for event in Folder(tmp_path / "s/best").events() if isinstance(event, TestTouched)]
    assert touches == [1, 2], "it was looked at twice, and that is not hidden"


def test_ctrl_c_while_the_winner_is_scored_can_be_gone_on_with(tmp_path, recipe_with, monkeypatch):
    """What is over is only read, so a winner whose classical methods were left out is not yet over."""
    start = Baselines.start
    monkeypatch.setattr("layerwise.training.result.score_baselines", score_baselines)
    monkeypatch.setattr(Baselines, "start", lambda self: None)  # so that none is over before Ctrl-C
    with Study(recipe_with(), out=tmp_path / "s") as study:
        for event in study:
            if isinstance(event, Scoring):
                study.cancel()
                monkeypatch.setattr(Baselines, "start", start)
    assert study.status == "interrupted" and study.best is not None and not study.baselines
    with Study.resume(tmp_path / "s") as resumed:
        list(resumed)
    assert resumed.status == "finished" and len(resumed.baselines) == 8
    assert resumed.metrics == study.metrics and resumed.best.values == study.best.values
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}
    with Study.resume(tmp_path / "s") as over:
        list(over)
    assert (over.baselines, over.run.baselines) == (resumed.baselines, resumed.baselines)
    assert {path: path.read_bytes() for path in before} == before


def test_a_time_limit_that_is_none_is_refused(tmp_path, recipe_with):
    with pytest.raises(RecipeError, match=r"train\.time_limit must be"):
        Study(recipe_with(), out=tmp_path / "s", time_limit="5 min")
    assert not (tmp_path / "s").exists()


def test_leaving_the_loop_ends_it_too(tmp_path, recipe_with):
    with Study(recipe_with(search__method="bayes", search__trials=24), out=tmp_path / "s") as study:
        for event in study:
            if isinstance(event, TrialEnded):
                break
    check_interrupted(study, [msgspec.structs.replace(study._files.events()[-1])], "interrupted")


def test_the_best_of_an_earlier_session_is_not_forgotten(tmp_path, recipe_with, monkeypatch):
    """Killed after the best trial, resumed, and interrupted at once."""
    monkeypatch.setattr("layerwise.tuning.waves.CHAMPION_EVERY", 0.0)
    tree = recipe_with(search__method="bayes", search__trials=24)
    seen = []
    study = Study(tree, out=tmp_path / "s")
    study.__enter__()
    for event in study:
        seen += [event.value] if isinstance(event, TrialEnded) else []
        if len(seen) == 15:
            break
    study._ledger.close()  # as if killed: nothing else is tidied up
    study._files.release()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Study.resume(tmp_path / "s") as resumed:
        for event in resumed:
            if isinstance(event, StudyStarted):
                assert event.done >= 14
                resumed.cancel()
    assert resumed.status == "interrupted"
    assert resumed.metrics["validation"]["log_loss"].value == pytest.approx(min(seen), rel=1e-5)


def test_a_time_limit_ends_with_the_best_so_far(tmp_path, recipe_with):
    events = []
    tree = recipe_with(search__trials=4, train__epochs=1_000_000)
    with Study(tree, out=tmp_path / "s", time_limit="3s") as study:
        events = list(study)
    check_interrupted(study, events, "time_limit")
    assert [event.status for event in events if isinstance(event, Scoring)] == ["time_limit"]
    assert not any("not scored" in remark for remark in study.remarks), "the classical methods have their time"


def test_a_limit_that_is_over_before_anything_trained(tmp_path, recipe_with):
    with Study(recipe_with(), out=tmp_path / "s", time_limit="1ms") as study:
        events = list(study)
    assert study.status == events[-1].status == "time_limit"
    assert study.best is None and study.trials.height == 8
    with Study.resume(tmp_path / "s") as resumed:
        list(resumed)
    assert resumed.status == "finished"


# ── folders ─────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_has_one_study_and_one_process(tmp_path, recipe_with):
    with Study(recipe_with(), out=tmp_path / "s") as study:
        assert isinstance(next(iter(study)), StudyStarted)
        before = {path.name: path.read_bytes() for path in study.folder.iterdir() if path.is_file()}
        with pytest.raises(RunError, match="one process at a time"), Study.resume(tmp_path / "s") as second:
            next(iter(second))
        with pytest.raises(RunError, match="a folder of its own"):
            Study(recipe_with(seed=9), out=tmp_path / "s")
        after = {path.name: path.read_bytes() for path in study.folder.iterdir() if path.is_file()}
        assert before == after, "the second has changed nothing"
        list(study)
    assert study.status == "finished"


def test_a_study_does_not_bury_a_run(tmp_path, recipe_with):
    _, run = alone(tmp_path, recipe_with(), {}, epochs=1)
    with pytest.raises(RunError, match="which holds a run"):
        Study(recipe_with(), out=run.folder)
    assert Path(run.folder / "recipe.toml").is_file() and not (run.folder / "study.json").exists()


def test_what_is_no_study_is_not_resumed(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(RunError, match="a study is a folder"):
            Study.resume(folder)
    (tmp_path / "recipe.toml").write_text('data = { kind = "toy", name = "xor" }\nsearch = {}\n')
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(RunError, match="says whose it is"), Study.resume(tmp_path) as study:
        next(iter(study))


def test_a_folder_without_room(tmp_path, recipe_with, finish, monkeypatch):
    """The disk fills up while the study writes down its trials."""
    from layerwise.tuning.storage import Journal

    real, calls = Journal._write, []

    def full(journal, content):
        calls.append(len(content))
        if len(calls) > 20:
            real(journal, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(journal, content)

    with monkeypatch.context() as patch, pytest.raises(StorageError) as refused:
        patch.setattr(Journal, "_write", full)
        finish(Study(recipe_with(), out=tmp_path / "s"))
    assert "free some space" in refused.value.remedy and refused.value.place.endswith("trials.journal")
    with Study.resume(tmp_path / "s") as resumed:
        list(resumed)
    calm = finish(Study(recipe_with(), out=tmp_path / "calm"))
    assert resumed.trials.equals(calm.trials)


def test_a_folder_that_is_read_only(recipe_with):
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = Path(name) / "locked"
        folder.mkdir()
        folder.chmod(0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(StorageError, match="cannot be written"), Study(recipe_with(), out=folder / "s") as s:
                next(iter(s))
        finally:
            os.seteuid(before)
            folder.chmod(0o755)


def test_a_log_that_a_crash_cut_short(study_of):
    """Half a last line in either file: what was half said was not said."""
    study, events = study_of()
    log = study.folder / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    journal = study.folder / "trials.journal"
    journal.write_bytes(journal.read_bytes()[:-9])
    with Study.resume(study.folder) as again:
        list(again)
    assert again.status == "finished"
    assert again.trials.equals(study.trials)
    assert again.best.values == study.best.values
    assert ended(again._files.events()).keys() == ended(events).keys()
