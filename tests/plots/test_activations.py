"""Figures of activation functions and of units: zones where they are, lines broken at jumps, shares that sum to one."""

import numpy as np
import pytest

from layerwise import plots
from layerwise.inspection import KINDS, activation, activations, sample, subject, update
from layerwise.inspection.curves import zones
from layerwise.inspection.units import Activations
from layerwise.plots.style import FILL, LINE
from layerwise.recipe import records as r


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_functions(kind: r.Activation) -> None:
    found = activation(kind)
    figure = plots.activation(found)
    g, slope = figure.data[-2:]
    assert (g.name, slope.name) == ("g(z)", "g'(z)")
    drawn = np.isfinite(g.y)
    np.testing.assert_allclose(np.interp(found.z, g.x[drawn], g.y[drawn]), found.value, atol=1e-12)
    colors = [shape.fillcolor for shape in figure.layout.shapes]
    assert colors == [FILL] * len(found.zones.saturated) + [LINE] * len(found.zones.dead)
    assert all(-6 <= shape.x0 < shape.x1 <= 6 for shape in figure.layout.shapes)
    assert len(figure.data) == 2 + isinstance(kind, r.NoisyRelu)


def test_lines_break_where_they_jump() -> None:
    def breaks(kind: r.Activation) -> list[int]:
        return [int(np.isnan(line.y).sum()) for line in plots.activation(activation(kind)).data[-2:]]

    assert breaks(r.Step()) == [1, 0]
    assert breaks(r.Relu()) == breaks(r.LeakyRelu()) == [0, 1]
    assert breaks(r.Elu()) == breaks(r.Tanh()) == [0, 0]
    assert breaks(r.Elu(alpha=3.0)) == [0, 1]


@pytest.fixture(scope="module")
def seen() -> Activations:
    found = subject({"data": {"kind": "named", "name": "iris"}, "network": {"kind": "mlp", "hidden": [8, 4]}})
    return activations(found.network, found.objective, sample(found), update(found))


def test_histograms_are_shares(seen: Activations) -> None:
    figure = plots.layer(seen.layers[0], zones(r.Relu()))
    sums, values = figure.data
    assert sum(sums.y) == pytest.approx(1) and sum(values.y) == pytest.approx(1)
    (dead,) = figure.layout.shapes
    assert dead.fillcolor == LINE and dead.x1 == 0 and dead.x0 == seen.layers[0].sums.edges[0]


def test_norms(seen: Activations) -> None:
    figure = plots.norms(seen)
    assert [trace.name for trace in figure.data] == ["weights", "gradient", "one step"]
    assert list(figure.data[1].y) == [layer.gradient_norm for layer in seen.layers]
    low, high = figure.layout.yaxis.range
    assert all(low < np.log10(value) < high for trace in figure.data for value in trace.y)


def test_nothing_trained_has_no_step_and_steps_no_gradient() -> None:
    found = subject("xor-by-hand")
    figure = plots.norms(activations(found.network, found.objective, sample(found)))
    assert [trace.name for trace in figure.data] == ["weights"]
