"""The page of `layerwise inspect surface`: a network's decisions on a plane, and its hidden units."""

import datetime
from collections.abc import Sequence

from layerwise.inspection.decisions import DecisionSurface
from layerwise.inspection.planes import Axis, Component
from layerwise.plots import decision as plots
from layerwise.progress import wording
from layerwise.report.page import Figures, Html, section, table, tag, text, titled

MOST_OUTPUTS = 6  # labels or quantities that are shown where none is chosen
MOST_HELD = 12
WIDEST = 46  # rem: a plane is about as wide as high
LEAST = 560  # pixels that small pictures need


def decision(name: str, found: DecisionSurface, output: str | None = None, remarks: Sequence[str] = ()) -> bytes:
    """The page; `output` is the label or quantity to show, else it is all of them up to six.

    `remarks` is what there is to say of the training.
    """
    figures = Figures()
    lead = f"What the network says over {found.x.name} and {found.y.name}."
    content = [_surface(found, output, figures), *_units(found, figures), _facts(found, remarks)]
    return titled(f"{name}: decision surface", lead, content, figures)


def _surface(found: DecisionSurface, output: str | None, figures: Figures) -> Html:
    if found.kind == "quantities":
        aside = "Darker is more. Circles are training rows, diamonds validation rows, in the shade of their own value."
    else:
        aside = (
            "The color is that of the most probable class, paler where the network is less sure; the line is where "
            "two are as probable. Filled points are training rows, hollow ones validation rows."
        )
    if found.x.levels or found.y.levels:
        aside += " Rows of one category are spread over its width."
    shown: list[str | None] = [output]
    if output is None and found.kind in ("labels", "quantities"):
        shown = list(found.outputs[:MOST_OUTPUTS])
    heading = "What the network decides" if found.kind != "quantities" else "What the network predicts"
    one = len(shown) == 1
    drawn = [
        figures.add(plots.decision_surface(found, name), heading if one else str(name), _caption(found), wide=one)
        for name in shown
    ]
    shape = {"style": f"max-width:{WIDEST}rem"} if one else {"kind": "figures"}
    return section("Surface", aside, tag("div", *drawn, **shape))


def _caption(found: DecisionSurface) -> str:
    if found.components:
        return (
            "Rows are projected onto the plane; what the network does off it is not seen. --features A,B shows two of "
            "your columns instead."
        )
    return "The other inputs are held at their usual values; a row's own are others." if found.held else ""


def _units(found: DecisionSurface, figures: Figures) -> list[Html]:
    """A section on the hidden units, where they were asked for and there are some."""
    if found.units is None or not found.units.layers:
        return []
    aside = (
        "Each unit's activation on the same plane: blue where positive, orange where negative, from zero to the unit's "
        "own largest value."
    )
    places = []
    for number, (figure, layer) in enumerate(zip(plots.hidden_units(found), found.units.layers, strict=True), start=1):
        count = layer.shape[2]
        words = "" if count <= plots.MOST_UNITS else f"The first {plots.MOST_UNITS} of {count:,} units."
        places.append(figures.add(figure, f"Hidden layer {number}", words, wide=True, least=LEAST))
    return [section("Hidden units", aside, *places)]


def _facts(found: DecisionSurface, remarks: Sequence[str]) -> Html:
    rows = [[text(label), text(value)] for label, value in facts(found).items()]
    said = [tag("ul", *(tag("li", text(remark)) for remark in remarks))] if remarks else []
    return section("Plane", "", table(("", ""), rows, name="plane"), *said)


# ── in words, for the terminal, too ─────────────────────────────────────────────────────────────


def facts(found: DecisionSurface) -> dict[str, str]:
    """What the plane is, and how far it shows what the network does."""
    told = {}
    for axis, component in zip((found.x, found.y), found.components, strict=False):
        told[axis.name] = component_of(component)
    if found.components:
        told["variance on the plane"] = f"{sum(component.share for component in found.components):.1%}"
    counts = [
        f"{points.rows.size:,} {'training' if points.part == 'train' else points.part} rows"
        for points in found.points
        if points.rows.size
    ]
    told["points"] = f"{wording.listed(counts)}; the test part is left out"
    if found.kind == "quantities":
        mean = "mean " if len(found.outputs) > 1 else ""
        told["fidelity"] = f"{mean}R² {found.fidelity:.3g} of the plane's values for the network's own at these rows"
    else:
        told["fidelity"] = f"{found.fidelity:.1%} of these rows are decided on the plane as by their own inputs"
    if found.held:
        names = list(found.held)
        more = f", and {len(names) - MOST_HELD:,} more" if len(names) > MOST_HELD else ""
        told["held"] = ", ".join(f"{name} {found.held[name]}" for name in names[:MOST_HELD]) + more
    return told


def component_of(component: Component) -> str:
    """A component's share, and what it is made of.

    >>> component_of(Component(0.5, (("height", 0.8), ("age", -0.6))))
    '50.0% of the variance, mostly height +0.8, age -0.6'
    """
    most = ", ".join(f"{name} {weight:+.2g}" for name, weight in component.loadings)
    return f"{component.share:.1%} of the variance, mostly {most}"


def ends(axis: Axis) -> str:
    """The range of an axis.

    >>> import numpy as np
    >>> ends(Axis("sold", "date", np.array([0.0, 365.0]))), ends(Axis("color", "levels", np.arange(2.0), ("a", "b")))
    ('1970-01-01 to 1971-01-01', 'a, b')
    """
    if axis.levels:
        return ", ".join(axis.levels)
    low, high = axis.values[[0, -1]].tolist()
    if axis.kind == "date":
        start = datetime.date(1970, 1, 1)
        return " to ".join((start + datetime.timedelta(days=int(day))).isoformat() for day in (low, high))
    return f"{low:.3g} to {high:.3g}"
