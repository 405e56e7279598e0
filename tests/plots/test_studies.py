"""The figures of studies hold the numbers that they are to show, also where there are few or none."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise import plots
from layerwise.errors import RunError
from layerwise.plots import style, trials
from layerwise.plots.studies import StudyFigures
from layerwise.tuning.picture import picture

Invent = Callable[..., Path]
RATE, DROPOUT = "train.learning_rate", "train.dropout"
VALUES = [0.5, None, 0.7, 0.3, 0.4]
FINALS = {4: [0.5, 0.6, 0.7], 0: [0.4, 0.5, 0.6], None: [0.8, 0.8, 0.8]}


def marks(figure: Any, name: str) -> list[tuple[float, float]]:
    """The points of the trace of that name."""
    (trace,) = (trace for trace in figure.data if trace.name == name)
    return [(float(x), float(y)) for x, y in zip(trace.x, trace.y, strict=True)]


@pytest.fixture
def shown(invent: Invent) -> Any:
    return picture(invent(VALUES, states={3: "dropped"}, finals=FINALS))


def test_best_so_far_is_a_staircase(shown: Any) -> None:
    figure = plots.best_so_far(shown, "trials")
    assert marks(figure, "best so far") == [(1, 0.5), (5, 0.4), (5, 0.4)]
    assert marks(figure, trials.DROPPED) == [(4, 0.3)]
    assert marks(figure, trials.WINNER) == [(1, 0.5)]  # trial 0: 0.5 on average over further seeds
    (diverged,) = marks(figure, trials.NONE)
    assert diverged[0] == 2 and diverged[1] == pytest.approx(figure.layout.yaxis.range[1])


def test_the_winner_stands_with_its_interval_not_with_its_lucky_value(shown: Any) -> None:
    figure = plots.best_so_far(shown, "seconds")
    (trace,) = (trace for trace in figure.data if trace.name == "winner on further seeds")
    assert trace.y == (0.5,)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert trace.error_y.array[0] == pytest.approx(half, rel=1e-5)
    assert trace.error_y.arrayminus[0] == pytest.approx(half, rel=1e-5)
    assert marks(figure, "best so far")[-1] == (5.0, 0.4)


def test_a_slice_shows_every_trial_at_its_setting(shown: Any) -> None:
    figure = plots.slice_of(shown, DROPOUT)
    assert marks(figure, trials.FINAL) == [(0.04, 0.4)]
    assert marks(figure, trials.TRAINED) == [(0.02, 0.7)]
    assert sum(len(trace.x) for trace in figure.data) == 5
    assert figure.layout.xaxis.type is None
    assert plots.slice_of(shown, RATE).layout.xaxis.type == "log"
    with pytest.raises(KeyError):
        plots.slice_of(shown, "train.l2")


def test_what_was_not_trained_to_its_end_looks_different(shown: Any) -> None:
    symbols = {trace.name: trace.marker.symbol for trace in plots.slice_of(shown, RATE).data}
    assert len(set(symbols.values())) == len(symbols) - 1  # finalists are larger circles
    assert "open" in symbols[trials.DROPPED] and "x" in symbols[trials.NONE]


def test_choices_stand_beside_their_number(invent: Invent) -> None:
    space = {"network.hidden": {"choice": [[8], [16, 8], [4]]}}
    settings = [{"network.hidden": hidden} for hidden in ([8], [16, 8], [4], [4])]
    figure = plots.slice_of(picture(invent([0.4, 0.3, 0.2, 0.1], space=space, settings=settings)), "network.hidden")
    places = [x for x, _ in marks(figure, trials.TRAINED)]
    assert [round(x) for x in places] == [0, 1, 2, 2] and places[2] != places[3]
    assert figure.layout.xaxis.ticktext == ("8", "16, 8", "4")


def test_parallel_lines_pass_through_every_setting(shown: Any) -> None:
    figure = plots.parallel(shown)
    lines = {}
    for trace in figure.data:
        y = np.array(trace.y).reshape(-1, 4)  # two settings, the value, a gap
        assert np.isnan(y[:, 3]).all()
        for line, text in zip(y, trace.hovertext[::4], strict=True):
            lines[int(re.search(r"trial (\d+)", text)[1])] = line[:3]
    assert lines.keys() == {0, 1, 2, 3, 4}
    assert lines[4][0] == pytest.approx(0.5) and lines[4][1] == pytest.approx(0.08)
    values = {number: line[2] for number, line in lines.items()}
    assert sorted(values, key=lambda number: -values[number]) == [3, 4, 0, 2, 1]  # better is higher


@pytest.mark.parametrize("draw", [plots.curves, plots.parallel], ids=["curves", "parallel"])
def test_the_best_lines_are_drawn_where_there_are_many(invent: Invent, draw: Callable[..., Any]) -> None:
    count = trials.MOST_LINES + 50
    space = {RATE: {"log": [1e-4, 1e-2]}}
    shown = picture(invent([1 + n / count for n in range(count)], space=space, settings=[{RATE: 1e-3}] * count))
    figure = draw(shown)
    drawn = {
        int(found) for trace in figure.data for text in trace.hovertext for found in re.findall(r"trial (\d+)", text)
    }
    assert len(drawn) == trials.MOST_LINES
    assert set(range(trials.MOST_LINES // 2)) <= drawn and count - 1 in drawn


def test_a_curve_has_gaps_where_nothing_was_measured(invent: Invent) -> None:
    (trace,) = plots.curves(picture(invent([0.25]))).data
    assert trace.x.tolist()[:2] == [1, 2]
    assert np.isnan(trace.y[0]) and trace.y[1] == 0.25


def test_a_curve_has_gaps_where_it_is_off_the_scale(invent: Invent) -> None:
    """An r2 of minus a million in the first epoch is no reason for a line along the axis' end."""
    path = invent([0.8, 0.81, 0.82, 0.83], monitor="r2")
    log = path / "events.jsonl"
    log.write_text(log.read_text().replace("[1.0,null],[0.5,0.82]", "[1.0,-1e6],[0.5,0.82]"))
    heights = np.concatenate([trace.y for trace in plots.curves(picture(path)).data])
    assert np.nanmin(heights) > 0.5


def test_finalists_with_their_seeds_and_what_the_search_saw(shown: Any) -> None:
    figure = plots.finalists(shown)
    assert [x for x, _ in marks(figure, "mean, 95% interval")] == pytest.approx([0.5, 0.6, 0.8])
    assert marks(figure, "what the search saw") == [(0.5, 0), (0.4, 1)]
    assert len(marks(figure, "a seed each")) == 9
    assert figure.layout.yaxis.ticktext == ("<b>trial 0</b>", "trial 4", "recipe as written")


def test_finalists_that_are_all_alike_have_an_axis(invent: Invent) -> None:
    low, high = plots.finalists(picture(invent([0.5], finals={0: [0.5] * 3, None: [0.5] * 3}))).layout.xaxis.range
    assert 0.4 < low < 0.5 < high < 0.6


def test_importance_is_drawn_or_says_why_not(invent: Invent) -> None:
    settings = [{RATE: 10 ** (-4 + n / 10), DROPOUT: n * 7 % 20 / 40} for n in range(20)]
    figure = plots.importance(picture(invent([0.1 + n for n in range(20)], settings=settings)))
    assert figure.data[0].y[0] == "learning rate" and figure.data[0].x[0] > 0.5
    few = plots.importance(picture(invent([0.5], "few")))
    assert not few.data and "at least 16" in few.layout.annotations[0].text.replace("<br>", " ")


# ── where there is little to show ───────────────────────────────────────────────────────────────

AWKWARD: dict[str, dict[str, Any]] = {
    "one trial": {"values": [0.5]},
    "all diverged": {"values": [None, None, None], "status": "diverged"},
    "one axis": {
        "values": [0.5, 0.4],
        "space": {RATE: {"log": [1e-4, 1e-2]}},
        "settings": [{RATE: 1e-3}, {RATE: 1e-2}],
    },
    "one choice": {"values": [0.5], "space": {"train.epochs": {"choice": [3]}}, "settings": [{"train.epochs": 3}]},
    "choices of all kinds": {
        "values": [0.5, 0.4, 0.3],
        "space": {
            "train.optimizer": {"choice": ["sgd", {"kind": "adam", "beta1": 0.8}]},
            "network.hidden": {"choice": [[4], []]},
        },
        "settings": [
            {"train.optimizer": optimizer, "network.hidden": hidden}
            for optimizer, hidden in (("sgd", [4]), ({"kind": "adam", "beta1": 0.8}, []), ("sgd", []))
        ],
    },
    "going on": {"values": [0.5, None], "status": ""},
    "interrupted": {"values": [0.5], "status": "interrupted"},
    "curves elsewhere": {"values": [0.5, 0.4], "curves": False},
    "all dropped": {"values": [0.5, 0.4], "states": {0: "dropped", 1: "dropped"}},
    "refused": {"values": [None, 0.5], "states": {0: "refused"}},
    "nothing over": {"values": [], "status": ""},
    "all alike": {"values": [0.5] * 20, "finals": {3: [0.5, 0.5, 0.5], None: [0.5, 0.5, 0.5]}},
    "accuracies": {"values": [0.5, 1.0], "monitor": "accuracy", "finals": {1: [1.0, 1.0, 1.0]}},
    "an interval below zero": {"values": [0.001, 10.0], "finals": {0: [0.001, 0.5, 0.01]}},
}  # fmt: skip


@pytest.mark.parametrize("case", AWKWARD)
def test_every_figure_can_be_drawn(invent: Invent, case: str) -> None:
    figures = plots.study(invent(**AWKWARD[case]))
    for figure in figures.all().values():
        text = figure.to_json()
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert set(re.findall(r"#[0-9a-f]{6}\b", text)) <= set(style.DARK)


def test_figures_by_name(invent: Invent) -> None:
    figures = plots.study(str(invent(VALUES)))
    assert isinstance(figures, StudyFigures)
    assert list(figures.slices) == [RATE, DROPOUT]
    assert len(figures.all()) == 8


def test_words_from_a_recipe_are_no_markup(invent: Invent) -> None:
    space = {"train.optimizer": {"choice": ["sgd", "adam"]}}
    shown = picture(invent([0.5], space=space, settings=[{"train.optimizer": "sgd"}]))
    assert trials.told(shown, shown.trials[0]).startswith("<b>trial 0</b><br>validation loss 0.5")
    assert style.folded("<i>x</i>", 40) == "&lt;i&gt;x&lt;/i&gt;"


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        plots.study(tmp_path)


def test_importing_the_room_is_light() -> None:
    code = "import sys, layerwise; layerwise.plots.study; print('plotly' in sys.modules, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]
