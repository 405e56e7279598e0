"""The pages of `layerwise inspect activations`: the functions themselves, or the layers of a network on data."""

import math
from collections.abc import Sequence

from layerwise.inspection.curves import Curve, Zone, Zones
from layerwise.inspection.units import Activations, LayerActivations
from layerwise.plots import activations as plots
from layerwise.progress import wording
from layerwise.report.page import Figures, section, table, tag, text, titled

HEADING = ("layer", "function", "units", "saturated", "off", "dead units", "weights", "gradient", "one step", "ratio")


def functions(found: Sequence[Curve]) -> bytes:
    """All activation functions on one page."""
    figures = Figures()
    aside = (
        "The line is g(z), the dashed one its slope g'(z): what an error is multiplied by on its way back. On a light "
        "grey ground the slope is at most a twentieth of the steepest, and further out it tends to 0: the function is "
        "saturated. On a darker one it is exactly 0: nothing comes back. The band of the "
        "noisy ReLU holds two thirds of its values while training."
    )
    places = [figures.add(plots.activation(curve), title(curve.name), equation(curve), least=260) for curve in found]
    lead = "What each makes of a weighted sum, and how much of an error it lets back."
    content = [section("Functions", aside, tag("div", *places, kind="figures"))]
    return titled("Activation functions", lead, content, figures)


def layers(name: str, found: Activations, zones: dict[str, Zones]) -> bytes:
    """The layers of a network on one page; `zones` are those of each function, by its layer's name."""
    figures = Figures()
    rows = [[text(cell) for cell in row] for row in rows_of(found)]
    shown = table(HEADING, rows, name="layers")
    histograms = [
        figures.add(plots.layer(part, zones[part.name]), part.name, told(part), least=280) for part in found.layers
    ]
    step = f" One step is {found.step}." if found.step else " Nothing is trained, so there is no step."
    about = "The norms are of weights and biases together; the gradient is that of the mean loss over these rows."
    content = [
        section("Layers", EXPLAINED, shown),
        section(
            "Values",
            "Over all units and rows. On a light grey ground the function is saturated, on a darker one its "
            "slope is 0.",
            tag("div", *histograms, kind="figures"),
        ),
        section("Norms", about + step, figures.add(plots.norms(found), "Norms layer by layer", wide=True, least=280)),
    ]
    lead = f"On {wording.counted(found.rows, 'training row')}, without dropout and noise; the loss is {found.loss:.3g}."
    return titled(f"{name}: activations", lead, content, figures)


# The usual ratio is the rule of thumb of the CS231n notes.
EXPLAINED = (
    "Saturated and off are shares of all values: those where the slope is small, and those where it is 0. A unit that "
    "is off on every row is dead. The ratio is that of one step to the weights; about 1/1000 is usual."
)


# ── in words, for the terminal, too ─────────────────────────────────────────────────────────────


def title(name: str) -> str:
    """A function's name for people.

    >>> title("leaky_relu"), title("tanh"), title("elu")
    ('leaky ReLU', 'tanh', 'ELU')
    """
    names = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "noisy_relu": "noisy ReLU", "elu": "ELU", "gelu": "GELU"}
    return names.get(name, "SiLU" if name == "silu" else name)


def equation(found: Curve) -> str:
    """Both formulas."""
    return f"{found.formula}; {found.slope_formula}"


def ranges(zones: Sequence[Zone]) -> str:
    """Zones as one would say them.

    >>> ranges([Zone(-math.inf, -2.184), Zone(2.184, math.inf)]), ranges([Zone(-math.inf, math.inf)]), ranges([])
    ('|z| > 2.18', 'everywhere', '')
    """
    if len(zones) == 2 and zones[0].high == -zones[1].low:
        return f"|z| > {zones[1].low:.3g}"
    return " or ".join(_range(zone) for zone in zones)


def _range(zone: Zone) -> str:
    if math.isinf(zone.low) and math.isinf(zone.high):
        return "everywhere"
    return f"z < {zone.high:.3g}" if math.isinf(zone.low) else f"z > {zone.low:.3g}"


def rows_of(found: Activations) -> list[list[str]]:
    """A row for each layer, as in `HEADING`."""
    return [
        [
            part.name,
            title(part.activation),
            f"{part.units:,}",
            f"{part.saturated:.0%}",
            f"{part.off:.0%}",
            f"{len(part.dead):,}",
            *(_number(value) for value in (part.weight_norm, part.gradient_norm, part.update_norm, part.update_ratio)),
        ]
        for part in found.layers
    ]


def told(found: LayerActivations) -> str:
    """A sentence on a layer's units."""
    said = [f"{found.units:,} {title(found.activation)} units"]
    if found.saturated:
        said.append(f"{found.saturated:.0%} of the values saturated")
    if found.off:
        said.append(f"{found.off:.0%} off")
    if found.dead:
        said.append(f"{len(found.dead):,} dead")
    return ", ".join(said)


def _number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else ""
