"""What is drawn of a decision surface."""

from typing import Any

import numpy as np
import pytest

from layerwise import plots
from layerwise.inspection import subject, surface
from layerwise.inspection.decisions import DecisionSurface, HiddenUnits, Points
from layerwise.inspection.planes import Axis
from layerwise.plots.style import NEGATIVE, PAPER, POSITIVE


def shown(name: str, over: Any = "auto", **options: Any) -> DecisionSurface:
    found = subject({"data": {"kind": "named", "name": name}, "network": {"kind": "mlp", "hidden": [4]}})
    return surface(found.network, found.objective, found.dataset, over, **options)


def invented(
    kind: Any, values: np.ndarray, target: np.ndarray, outputs: tuple[str, ...], **given: Any
) -> DecisionSurface:
    """A surface that no network made, with points at its corners."""
    ys, xs, _ = values.shape
    spots = np.arange(float(len(target))) % xs
    points = Points("train", np.arange(len(target)), spots, spots, target)
    axes = {"x": Axis("a", "number", np.arange(float(xs))), "y": Axis("b", "number", np.arange(float(ys))), **given}
    empty = Points("validation", np.arange(0), spots[:0], spots[:0], target[:0])
    return DecisionSurface(
        kind, outputs, values=values, points=(points, empty), held={}, components=(), fidelity=1.0, **axes
    )


def traces(figure: Any, kind: str) -> list[Any]:
    return [trace for trace in figure.data if trace.type == kind]


def two(probability: np.ndarray) -> np.ndarray:
    return np.stack([1 - probability, probability], axis=-1).astype(np.float32)


def test_two_classes_are_the_two_signs_with_one_line_between_them() -> None:
    x = np.linspace(0, 1, 5)
    values = two(np.tile(x, (4, 1)))
    figure = plots.decision_surface(invented("binary", values, np.array([0, 1, 1]), ("no", "yes")))
    (ground,), (line,) = traces(figure, "heatmap"), traces(figure, "contour")
    # Class and certainty in one number: 0 to 1 is the first class, 1 to 2 the second, whole numbers in doubt.
    np.testing.assert_allclose(ground.z[0], [0.999, 0.5, 0.001, 1.5, 1.999], atol=1e-6)
    assert [stop[1] for stop in ground.colorscale][1::2] == [NEGATIVE, POSITIVE]
    np.testing.assert_allclose(line.z[0], 2 * x - 1, atol=1e-6)
    assert {trace.marker.color for trace in traces(figure, "scatter") if len(trace.x)} == {NEGATIVE, POSITIVE}


def test_a_network_that_always_says_the_same_has_no_line() -> None:
    values = two(np.full((4, 5), 0.9))
    figure = plots.decision_surface(invented("binary", values, np.array([0, 1]), ("no", "yes")))
    assert traces(figure, "contour") == []


def test_between_levels_there_is_no_line() -> None:
    values = two(np.tile([0.0, 1.0], (4, 1)))
    axis = Axis("color", "levels", np.arange(2.0), ("red", "<b>blue</b>"))
    figure = plots.decision_surface(invented("binary", values, np.array([0, 1]), ("no", "yes"), x=axis))
    assert traces(figure, "contour") == []
    assert list(figure.layout.xaxis.ticktext) == ["red", "&lt;b&gt;blue&lt;/b&gt;"]
    spots = np.concatenate([trace.x for trace in traces(figure, "scatter")])
    assert np.abs(spots - spots.round()).max() <= 0.3


def test_of_labels_and_quantities_one_is_shown() -> None:
    values = np.stack([np.full((4, 5), 0.25), np.full((4, 5), 0.75)], axis=-1).astype(np.float32)
    target = np.array([[0, 1], [1, 1]], np.float32)
    labels = invented("labels", values, target, ("warm", "wet"))
    first, second = (plots.decision_surface(labels, name) for name in (None, "wet"))
    assert {trace.name for trace in traces(first, "scatter")} == {"not warm", "warm"}
    assert traces(first, "heatmap")[0].z[0][0] == pytest.approx(0.001 + 0.998 * 0.5)
    assert traces(second, "heatmap")[0].z[0][0] == pytest.approx(1.001 + 0.998 * 0.5)
    quantity = plots.decision_surface(invented("quantities", values, target, ("price", "area")), "area")
    assert traces(quantity, "heatmap")[0].z[0][0] == 0.75
    assert list(traces(quantity, "scatter")[0].marker.color) == [1, 1]


def test_validation_rows_are_hollow() -> None:
    figure = plots.decision_surface(shown("iris"))
    hollow = [trace for trace in traces(figure, "scatter") if "validation" in (trace.hovertext or [""])[0]]
    assert len(hollow) == 3 and {trace.marker.color for trace in hollow} == {PAPER}
    assert not any(trace.showlegend for trace in hollow)


def test_classes_of_one_color_differ_by_symbol() -> None:
    figure = plots.decision_surface(shown("digits"))
    marks = [(t.marker.line.color, t.marker.symbol) for t in traces(figure, "scatter") if not t.showlegend]
    assert len(marks) == len(set(marks)) == 10


def test_dates_are_drawn_as_dates() -> None:
    axis = Axis("sold", "date", np.array([0.0, 1.0, 365.5]))
    values = two(np.tile([0.0, 0.5, 1.0], (4, 1)))
    figure = plots.decision_surface(invented("binary", values, np.array([0, 1]), ("no", "yes"), x=axis))
    assert figure.layout.xaxis.type == "date"
    assert list(traces(figure, "heatmap")[0].x)[2] == "1971-01-01T12:00:00"


def test_every_hidden_unit_has_its_picture_up_to_64_a_layer() -> None:
    layers = tuple(np.zeros((3, 3, width), np.float32) for width in (5, 100))
    layers[0][..., 1] = -2
    layers[0][0, 0, 2] = -3
    found = invented("binary", two(np.zeros((3, 3))), np.array([0]), ("no", "yes"))
    units = HiddenUnits(found.x.values, found.y.values, layers)
    first, second = plots.hidden_units(DecisionSurface(**{**vars(found), "units": units}))
    assert len(first.data) == 5 and len(second.data) == 64
    assert [note.text for note in first.layout.annotations] == ["1 flat", "2 flat", "3", "4 flat", "5 flat"]
    assert (first.data[2].zmin, first.data[2].zmax) == (-3, 3)
    assert plots.hidden_units(found) == []
