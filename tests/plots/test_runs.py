"""The figures of a run show its numbers, all of them, and what they leave out they say."""

import numpy as np
import pytest

from layerwise.inspection.evaluations import Decisions, Values, calibration, curve
from layerwise.plots import runs as plots
from layerwise.tasks.intervals import Interval


def test_rivals_stand_by_their_worth_and_the_far_worst_is_written_at_the_side() -> None:
    own = Interval(0.95, 0.93, 0.97)
    others = {"rbf_svm": Interval(0.97, 0.95, 0.99), "majority_class": Interval(0.1, 0.08, 0.12)}
    figure = plots.rivals(own, others, "accuracy")
    assert list(figure.layout.yaxis.ticktext) == ["majority class", "the network", "RBF SVM"]
    assert figure.layout.xaxis.range[0] > 0.9
    assert [trace.x[0] for trace in figure.data] == [0.95, 0.97]
    assert "0.100" in figure.layout.annotations[0].text


def test_errors_are_better_when_small() -> None:
    figure = plots.rivals(Interval(5.0, 4.0, 6.0), {"mean": Interval(7.0, 6.0, 8.0)}, "rmse")
    assert list(figure.layout.yaxis.ticktext) == ["mean", "the network"]


@pytest.mark.parametrize("classes", [2, 40])
def test_a_confusion_is_drawn_in_shares_and_told_in_counts(classes: int) -> None:
    counts = np.eye(classes, dtype=np.int64) * 3
    counts[0, 1] = 1
    names = tuple(f"<class {n}>" for n in range(classes))
    figure = plots.confusion(Decisions("test", names, counts, (), None))
    assert figure.data[0].z[0][:2].tolist() == [0.75, 0.25]
    numbers = [note.text for note in figure.layout.annotations]
    assert numbers == (["3", "1", "3"] if classes == 2 else [])
    assert "<class" not in str(figure.data[0].x[0])


def test_curves_and_calibration() -> None:
    yes = curve("yes", np.array([0.9, 0.2, 0.7]), np.array([True, False, False]))
    assert plots.roc([yes]).data[1].y.tolist() == yes.true_positive.tolist()
    assert plots.precision_recall([yes]).data[1].y.tolist() == yes.precision.tolist()
    drawn = plots.calibration(calibration(np.array([0.95, 0.96]), np.array([True, False]))).data[1]
    assert drawn.error_y.array[0] > 0 and drawn.error_y.arrayminus[0] > 0
    labels = plots.calibration(calibration(np.array([[0.95, 0.96]]), np.array([[True, False]]))).data[1]
    assert labels.error_y.array is None and labels.customdata.tolist() == [2]


def test_precision_stands_beside_the_prevalence() -> None:
    """One of three rows is of the class: a guess is right in a third of its cases."""
    yes = curve("yes", np.array([0.9, 0.2, 0.7]), np.array([True, False, False]))
    figure = plots.precision_recall([yes])
    assert list(figure.data[0].y) == [yes.prevalence] * 2 == [pytest.approx(1 / 3)] * 2
    assert [note.text for note in figure.layout.annotations] == ["prevalence 0.333"]
    several = plots.precision_recall([yes, curve("no", np.array([0.1, 0.8, 0.3]), np.array([False, True, True]))])
    assert [round(float(line.y[0]), 3) for line in several.data[:2]] == [0.333, 0.667]
    assert "no: prevalence 0.667" in several.data[1].hovertemplate and not several.layout.annotations


def test_predicted_values_that_are_not_finite_are_left_out() -> None:
    figure = plots.predicted(Values("test", "price", np.array([1.0, 2.0]), np.array([1.5, np.inf])))
    assert figure.data[1].x.tolist() == [1.0]
