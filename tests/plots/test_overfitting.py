"""What is drawn of the over-fitting laboratory."""

import numpy as np

from layerwise import plots
from layerwise.inspection.cures import Arm, Overfitting, compared
from layerwise.plots.style import INK, INK3

EPOCHS = 4


def arm(name: str, validation: list[float], stops: tuple[int, ...] = (), level: float = 0.5) -> Arm:
    """An arm of three seeds whose curves fall evenly, with early stopping after the epochs `stops`."""
    values = np.array(validation)
    curve = np.tile(level / np.arange(1.0, EPOCHS + 1), (3, 1)) * np.array([[0.9], [1.0], [1.1]])
    for seed, epoch in enumerate(stops):
        curve[seed, epoch:] = np.nan
    epoch = np.array(stops) if stops else np.full(3, EPOCHS)
    return Arm(name, {"patience": 1} if stops else {}, curve, curve + 0.01, epoch, values * 0, values, values)


def found(*arms: Arm) -> Overfitting:
    rows = {"train": 60, "choosing": 10, "judging": 10}
    return Overfitting("loss", "accuracy", (0, 1, 2), (3, 4), rows, {}, (), (), arms, compared(arms))


NONE = arm("none", [1.0, 1.1, 0.9])
LABORATORY = found(
    NONE,
    arm("L2", [0.5, 0.61, 0.4]),
    arm("dropout", [1.2, 0.9, 0.9]),
    arm("early stopping", [0.5, 0.5, np.nan], (2, 3, 4)),
)


def test_real_differences_are_dark_and_filled() -> None:
    figure = plots.differences(LABORATORY)
    assert list(figure.layout.yaxis.ticktext) == ["early stopping", "dropout", "L2"]
    marks = {trace.y[0]: trace for trace in figure.data if trace.error_x.array is not None}
    assert set(marks) == {1, 2}  # what diverged has no interval
    assert (marks[2].marker.color, marks[2].marker.symbol) == (INK, "circle")
    assert (marks[1].marker.color, marks[1].marker.symbol) == (INK3, "circle-open")
    interval = LABORATORY.comparisons[0].difference
    assert marks[2].x[0] == interval.value
    assert marks[2].x[0] + marks[2].error_x.array[0] == interval.high
    seeds = [trace for trace in figure.data if trace.error_x.array is None]
    np.testing.assert_allclose(sorted(seeds[-1].x), [-0.5, -0.5, -0.49])


def test_all_curves_have_the_same_axes() -> None:
    figures = plots.learning(LABORATORY)
    assert list(figures) == ["none", "L2", "dropout", "early stopping"]
    assert len({tuple(figure.layout.yaxis.range) for figure in figures.values()}) == 1
    assert len({tuple(figure.layout.xaxis.range) for figure in figures.values()}) == 1


def test_a_curve_is_the_mean_in_a_band_of_all_seeds() -> None:
    figure = plots.learning(LABORATORY)["none"]
    (band, mean, *_) = figure.data
    np.testing.assert_allclose(mean.y, NONE.training_curve.mean(axis=0))
    assert band.fill == "toself" and len(band.x) == 2 * EPOCHS
    np.testing.assert_allclose(band.y[:EPOCHS], NONE.training_curve.max(axis=0))


def test_early_stopping_draws_each_seed_and_where_its_weights_were_taken() -> None:
    figure = plots.learning(LABORATORY)["early stopping"]
    lines, (dots,) = [t for t in figure.data if t.mode == "lines"], [t for t in figure.data if t.mode == "markers"]
    assert [len(line.x) for line in lines] == [2, 3, 4, 2, 3, 4]
    assert list(dots.x) == [2, 3, 4]
    np.testing.assert_allclose(dots.y, [line.y[-1] for line in lines[3:]])


def test_losses_that_differ_much_are_drawn_by_their_logarithm() -> None:
    assert plots.learning(LABORATORY)["none"].layout.yaxis.type is None
    wide = found(NONE, arm("L2", [0.5, 0.6, 0.4], level=50.0))
    assert plots.learning(wide)["L2"].layout.yaxis.type == "log"


def test_where_everything_diverged_there_are_axes_and_no_curves() -> None:
    lost = np.full(3, np.nan)
    empty = Arm(
        "none", {}, np.full((3, EPOCHS), np.nan), np.full((3, EPOCHS), np.nan), np.zeros(3, int), lost, lost, lost
    )
    everything = found(empty, Arm(**{**vars(empty), "name": "L2"}))
    assert all(len(trace.x) == 0 for trace in plots.learning(everything)["L2"].data)
    assert len(plots.differences(everything).data) == 1
