"""What a study shows, as numbers: worked by hand on studies that nobody searched."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.errors import RunError
from layerwise.tuning.events import StudyStarted, TrialEnded
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.ledger import Ledger
from layerwise.tuning.picture import FEWEST, Record, SearchedAxis, picture
from layerwise.tuning.space import Space

Invent = Callable[..., Path]


def test_the_best_so_far(invent: Invent) -> None:
    """A diverged trial and one that halving dropped are over, but break no record."""
    shown = picture(invent([0.5, None, 0.7, 0.3, 0.4], states={3: "dropped"}))
    assert shown.best_so_far() == [Record(1, 1.0, 0.5, 0), Record(5, 5.0, 0.4, 4)]
    assert [trial.number for trial in shown.completed()] == [4, 0, 2]
    assert shown.counts() == {"diverged": 1, "dropped": 1, "finished": 3}


def test_where_more_is_better(invent: Invent) -> None:
    shown = picture(invent([0.5, 0.4, 0.6], monitor="accuracy"))
    assert [record.value for record in shown.best_so_far()] == [0.5, 0.6]
    assert [trial.number for trial in shown.completed()] == [2, 0, 1]


def test_equal_values_stay_in_order(invent: Invent) -> None:
    shown = picture(invent([0.5, 0.5, 0.5]))
    assert len(shown.best_so_far()) == 1
    assert [trial.number for trial in shown.completed()] == [0, 1, 2]


def test_nothing_finite(invent: Invent) -> None:
    shown = picture(invent([None, None], status="diverged"))
    assert shown.best_so_far() == [] and shown.completed() == []
    assert "here are 0" in shown.importance().reason


def test_the_finalists_are_sorted_and_the_best_of_them_won(invent: Invent) -> None:
    shown = picture(invent([0.1, 0.2], finals={0: [0.3, 0.4, 0.5], 1: [0.2, 0.2, 0.2], None: [0.6, 0.6, 0.9]}))
    assert [final.number for final in shown.finalists] == [1, 0, None]
    assert shown.winner is not None and shown.winner.number == 1
    assert shown.touches == 1


def test_finals_that_were_cut_short_do_not_count_twice(invent: Invent) -> None:
    folder = StudyFolder(invent([0.1], finals={0: [0.3, 0.4, 0.5]}, status=""))
    events = folder.events()
    started, finalist = events[0], events[-1]
    assert isinstance(started, StudyStarted)
    folder.append(started)  # it was killed, and resumed
    folder.append(finalist)
    assert len(picture(folder.path).finalists) == 1
    assert picture(folder.path).outcome is None


def test_a_study_that_goes_on_shows_what_it_has(invent: Invent) -> None:
    shown = picture(invent([0.5, 0.4], status=""))
    assert shown.outcome is None and shown.winner is None
    assert len(shown.trials) == 2


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a study is a folder"):
        picture(tmp_path)


def test_a_study_in_which_nothing_began(invent: Invent) -> None:
    path = invent([0.5])
    (path / "events.jsonl").unlink()
    with pytest.raises(RunError, match="none began"):
        picture(path)


# ── axes ────────────────────────────────────────────────────────────────────────────────────────


def test_axes_know_what_the_recipe_says_without_them(invent: Invent) -> None:
    space = {
        "train.epochs": {"int": [5, 50]},
        "train.learning_rate": {"log": [1e-4, 1e-2]},
        "network.hidden": {"choice": [[32], [64, 64]]},
        "train.weight_decay": {"uniform": [0, 1]},
        "train.optimizer": {"choice": ["sgd", "adam"]},
    }
    settings = {"train.epochs": 5, "train.learning_rate": 1e-3, "network.hidden": [32], "train.weight_decay": 0.5}
    shown = picture(invent([0.5], space=space, settings=[{**settings, "train.optimizer": "sgd"}]))
    axes = {axis.path: axis for axis in shown.axes}
    assert [axis.scale for axis in shown.axes] == ["whole", "log", "choice", "linear", "choice"]
    assert isinstance(axes["train.epochs"].written, int)
    assert axes["train.weight_decay"].written is None  # "auto" has no place on it
    assert axes["network.hidden"].share([64, 64]) == 1
    assert axes["train.learning_rate"].name == "learning rate"


def test_shares_of_an_axis() -> None:
    assert SearchedAxis("a", "linear", -1.0, 3.0).share(0.0) == 0.25
    assert SearchedAxis("a", "whole", 2.0, 4.0).share(3) == 0.5
    assert math.isclose(SearchedAxis("a", "log", 1e-4, 1.0).share(1e-1), 0.75)
    assert SearchedAxis("a", "choice", choices=("only",)).share("only") == 0


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e6), st.floats(0, 1))
def test_a_share_leads_back_to_its_value(low: float, times: float, share: float) -> None:
    axis = SearchedAxis("a", "log", low, low * times)
    assert math.isclose(axis.share(low * times**share), share, abs_tol=1e-6)


# ── importance ──────────────────────────────────────────────────────────────────────────────────


def test_importance_finds_the_setting_that_matters(invent: Invent) -> None:
    settings = [
        {"train.learning_rate": 10 ** (-4 + 2 * (n * 0.618 % 1)), "train.dropout": (n * 0.414 % 1) / 2}
        for n in range(40)
    ]
    values = [math.log10(chosen["train.learning_rate"]) ** 2 for chosen in settings]
    found = picture(invent(values, settings=settings)).importance()
    assert list(found.shares) == ["train.learning_rate", "train.dropout"]
    assert found.shares["train.learning_rate"] > 0.9
    assert math.isclose(sum(found.shares.values()), 1)
    assert found == picture(invent(values, "again", settings=settings)).importance()


@pytest.mark.parametrize(
    ("values", "reason"),
    [([0.1 * n for n in range(FEWEST - 1)], "at least 16"), ([0.5] * FEWEST, "the same value")],
    ids=["too few", "all alike"],
)
def test_importance_says_why_there_is_none(invent: Invent, values: list[float], reason: str) -> None:
    found = picture(invent(values)).importance()
    assert found.shares == {} and reason in found.reason


# ── several processes ───────────────────────────────────────────────────────────────────────────


def shared(invent: Invent, tmp_path: Path) -> Path:
    """A study in a database: this folder's process trained trial 0, another one trial 1."""
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    path = invent([], storage=url, status="")
    folder = StudyFolder(path)
    space = Space(folder.read_recipe())
    given: dict[str, Any] = {"name": folder.name, "space": space, "method": "random", "trials": 2, "seed": 0}
    with Ledger(url, owner="owner", direction="minimize", **given) as ledger:
        (mine,) = ledger.take(1)
        ended = TrialEnded(
            seconds=7, number=mine.number, settings=mine.settings, state="finished", value=0.5, epochs=1,
            curve=((0.6, 0.5),),
        )  # fmt: skip
        folder.append(ended)
        ledger.tell(mine.number, "finished", 0.5)
    with Ledger(url, owner="another", direction="minimize", **given) as ledger:
        (other,) = ledger.take(1)
        ledger.tell(other.number, "finished", 0.25)
    return path


def test_the_trials_of_other_processes_are_shown_too(invent: Invent, tmp_path: Path) -> None:
    shown = picture(shared(invent, tmp_path))
    assert [(trial.value, bool(trial.curve)) for trial in shown.trials] == [(0.5, True), (0.25, False)]
    assert set(shown.trials[1].settings) == set(shown.trials[0].settings)
    assert 0 <= shown.trials[0].seconds <= shown.trials[1].seconds < 7  # by the database's clock
    assert any("other processes trained 1" in note for note in shown.notes)


def test_without_its_database_a_study_shows_its_own_trials(invent: Invent, tmp_path: Path) -> None:
    path = shared(invent, tmp_path)
    (tmp_path / "trials.db").unlink()
    shown = picture(path)
    assert [trial.value for trial in shown.trials] == [0.5]
    assert any("only this process's trials" in note for note in shown.notes)
