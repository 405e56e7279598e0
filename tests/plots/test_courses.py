"""The course of runs: every epoch is drawn, the axis fits, and each line has its name at its end."""

import numpy as np
import pytest

from layerwise.plots import courses
from layerwise.training.events import Epoch


def epochs(losses: list[float], best: int) -> list[Epoch]:
    return [
        Epoch(
            seconds=0.0, epoch=n, step=n, loss=loss / 2, validation={"loss": loss}, best=n == best, learning_rate=0.1
        )
        for n, loss in enumerate(losses, start=1)
    ]  # fmt: skip


def test_a_course_shows_every_epoch_and_the_one_that_was_kept() -> None:
    figure = courses.course(epochs([2.0, 1.5, 1.6, 1.7], best=2), "loss")
    training, validation = figure.data
    assert list(validation.y) == [2.0, 1.5, 1.6, 1.7] and list(training.y) == [1.0, 0.75, 0.8, 0.85]
    assert figure.layout.shapes[0].x0 == 2 and "kept: epoch 2" in [note.text for note in figure.layout.annotations]
    assert figure.layout.yaxis.type is None


def test_losses_that_fall_far_have_a_logarithmic_axis() -> None:
    assert courses.course(epochs([2.0, 0.2, 0.02], best=3), "loss").layout.yaxis.type == "log"


def test_nothing_trained_is_said() -> None:
    figure = courses.course([], "loss")
    assert not figure.data and "Nothing was trained" in figure.layout.annotations[0].text


def test_a_long_course_is_thinned_and_keeps_its_last_epoch() -> None:
    figure = courses.course(epochs([1.0 + 1 / n for n in range(1, 5002)], best=9), "loss")
    assert len(figure.data[0].x) == courses.MOST_EPOCHS and figure.data[0].x[-1] == 5001


def test_names_stand_at_the_ends_of_their_lines_and_apart() -> None:
    runs = {name: epochs([2.0, 1.0 + 0.001 * at][: 2 - at % 2], best=1) for at, name in enumerate("ABCDEFGH")}
    figure = courses.together(runs)
    names = {note.text: note for note in figure.layout.annotations}
    assert list(runs) == sorted(names) and [names["A"].x, names["B"].x] == [2, 1]
    heights = sorted(note.y for note in names.values())
    low, high = figure.layout.yaxis.range
    assert min(np.diff(heights)) == pytest.approx(courses.LINE_OF_TEXT * (high - low) / courses.ROOM)
    assert low <= heights[0] and heights[-1] <= high
    dashes = [(trace.line.dash, trace.line.color) for trace in figure.data]
    assert len(set(dashes)) == len(runs)


def test_what_is_no_number_is_a_gap_and_no_end() -> None:
    figure = courses.course(epochs([2.0, 1.0, float("nan")], best=2), "loss")
    assert [note.x for note in figure.layout.annotations if note.text == "validation"] == [2]
    assert not courses.together({"A": []}).data


def test_names_are_shown_as_they_are() -> None:
    figure = courses.together({"<b>": epochs([2.0, 1.0], best=2)})
    assert figure.layout.annotations[0].text == "&lt;b&gt;"
