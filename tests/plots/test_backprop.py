"""The drawing of both passes: every unit, its numbers and its two colors; of large networks a cell for each."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from layerwise.inspection import backprop
from layerwise.nets.build import build
from layerwise.plots import backprop_picture
from layerwise.plots.backprop import FIELD
from layerwise.recipe import records as r

SVG = "{http://www.w3.org/2000/svg}"


def drawn(hidden, inputs=2, outputs=1, rows=1, x=None):
    net = build(r.Mlp(hidden=hidden, activation=r.Sigmoid()), inputs=inputs, outputs=outputs, codes=(), seed=0)
    x = np.ones((rows, inputs), np.float32) if x is None else x
    sheet = backprop(net, x, np.zeros(rows, np.int32))
    return sheet, ElementTree.fromstring(backprop_picture(sheet))


def words(picture, color=None):
    return [text.text for text in picture.iter(f"{SVG}text") if color is None or text.get("class") == color]


def test_small_networks_show_every_number():
    sheet, picture = drawn((2,))
    hidden, output = sheet.layers
    forward, backward = words(picture, "bp-f"), words(picture, "bp-b")
    for g in (*hidden.g.worked[0], *output.g.worked[0], *sheet.predicted[0]):
        assert f"{g:.4f}" in forward
    for error in (*hidden.error.worked[0], *output.error.worked[0]):
        assert f"{error:.4f}" in backward
    for gradient in hidden.weight_gradient.worked.ravel():
        assert f"{gradient:.4f}" in backward
    assert len(list(picture.iter(f"{SVG}line"))) == 4 + 2 + 1


def test_large_ones_are_fields_of_cells():
    _, picture = drawn((300,), inputs=20, outputs=3)
    cells = [rect.get("class") for rect in picture.iter(f"{SVG}rect") if rect.get("class")]
    assert cells.count("bp-f") == 20 + FIELD + 3 and cells.count("bp-b") == FIELD + 3
    assert "256 of 300 units" in words(picture)


@pytest.mark.parametrize(
    ("hidden", "inputs", "outputs"), [((), 1, 1), ((8, 8, 8), 8, 8), ((9,), 2, 1), ((1,) * 9, 1, 2)]
)
def test_nothing_leaves_the_drawing_or_lies_over_another(hidden, inputs, outputs):
    _, picture = drawn(hidden, inputs, outputs, rows=3)
    width, height = float(picture.get("width")), float(picture.get("height"))
    boxes = [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height")) for rect in picture.iter(f"{SVG}rect")
        if not rect.get("class")
    ]  # fmt: skip
    for at, (x, y, wide, high) in enumerate(boxes):
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
        for a, b, c, d in boxes[:at]:
            assert x >= a + c or a >= x + wide or y >= b + d or b >= y + high
    for text in picture.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height


def test_numbers_that_are_none_are_drawn_too():
    _, picture = drawn((2,), x=np.array([[np.nan, 1]], np.float32))
    assert "nan" in words(picture)
    drawn((20,), x=np.array([[np.nan, 1]], np.float32))
