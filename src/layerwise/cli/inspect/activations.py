"""`layerwise inspect activations`: the activation functions, or what the units of a network do on its data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.inspect.options import Html, check, give, look, waiting
from layerwise.cli.training import Changes, Json
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.curves import Curve
    from layerwise.inspection.units import Activations, Histogram

SLOPES_AT = (-4.0, -1.0, 0.5, 4.0)  # where the table shows how steep each function is
BARS = 12  # of a histogram on the terminal


def command(
    inspected: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_OR_RECIPE]",
            show_default=False,
            help="The folder of a run or study, a model file, a recipe file, or a built-in name; else the functions.",
        ),
    ] = None,
    settings: Changes = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """What the units of a network do on its training rows; or, without one, the activation functions.

    \b
    Examples:
      layerwise inspect activations
      layerwise inspect activations runs/digits-1 --html units.html
    """
    if html is not None:
        check(html)
    if inspected is None:
        if settings:
            raise LayerwiseError(
                "settings change a recipe", received="--set without a recipe", remedy="name the recipe before it"
            )
        _functions(as_json, html)
    else:
        _network(inspected, settings, as_json, html)


def _functions(as_json: bool, html: Html) -> None:
    from layerwise.cli import console

    with console.importing():
        from layerwise.inspection.curves import KINDS, activation

    found = [activation(kind) for kind in KINDS]

    def page() -> bytes:
        from layerwise.report import activations

        return activations.functions(found)

    give({"curves": found}, as_json, html, lambda: function_tables(found), page)


def _network(inspected: str, settings: list[str] | None, as_json: bool, html: Html) -> None:
    subject = look(inspected, settings)

    from layerwise.inspection.curves import zones
    from layerwise.inspection.samples import sample
    from layerwise.inspection.units import activations, update

    with waiting("looking at the units"):
        found = activations(subject.network, subject.objective, sample(subject), update(subject))

    def page() -> bytes:
        from layerwise.report import activations as pages

        kinds = zip(found.layers, subject.network.activations, strict=True)
        return pages.layers(subject.name, found, {part.name: zones(kind) for part, kind in kinds})

    give(found, as_json, html, lambda: layer_tables(found), page)


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def function_tables(found: "Sequence[Curve]") -> "list[RenderableType]":
    """The functions with their slopes at a few weighted sums, and their zones."""
    import numpy as np
    from rich.table import Table
    from rich.text import Text

    from layerwise.report import activations as words

    slopes = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("function", *(f"g'({z:g})" for z in SLOPES_AT), "saturated", "dead"):
        slopes.add_column(heading, justify="right" if "(" in heading else "left", no_wrap=True)
    formulas = Table(box=None, pad_edge=False, show_header=False)
    for curve in found:
        steep = [f"{np.interp(z, curve.z, curve.slope):.3f}" for z in SLOPES_AT]
        zones = [words.ranges(some) for some in curve.zones]
        slopes.add_row(words.title(curve.name), *steep, *zones)
        formulas.add_row(words.title(curve.name), curve.formula)
    said = (
        "An error is multiplied by the slope g' on its way back. Saturated: the slope is at most a twentieth of the "
        "steepest and tends to 0. Dead: it is 0."
    )
    return [slopes, "", formulas, "", Text(said, style="dim")]


def layer_tables(found: "Activations") -> "list[RenderableType]":
    """The layers: their values, their norms."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.report import activations as words

    rows = words.rows_of(found)
    values = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (*words.HEADING[:6], "weighted sums z"):
        values.add_column(heading, justify="left" if heading in (*words.HEADING[:2], "weighted sums z") else "right")
    norms = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("norm of", *words.HEADING[6:]):
        norms.add_column(heading, justify="left" if heading == "norm of" else "right")
    for part, row in zip(found.layers, rows, strict=True):
        values.add_row(*row[:6], _drawn(part.sums))
        norms.add_row(row[0], *row[6:])
    seen = f"{found.rows:,} training rows, without dropout and noise; loss {found.loss:.3g}"
    step = f"One step: {found.step}." if found.step else "Nothing is trained, so there is no step."
    explained = (Text(said, style="dim") for said in (words.EXPLAINED, step))
    return [Text(seen, style="bold"), "", values, "", norms, "", *explained]


def _drawn(found: "Histogram") -> str:
    """A histogram in a row of signs, between its ends."""
    from layerwise.progress.wording import sparkline

    per = -(-len(found.counts) // BARS)
    counts = [int(found.counts[first : first + per].sum()) for first in range(0, len(found.counts), per)]
    most = max(1, *counts)
    # Zero among them keeps the heights in proportion: sparkline would draw mere positive values by their logarithm.
    bars = sparkline([0.0, *(count / most for count in counts)], len(counts) + 1)[1:]
    return f"{found.edges[0]:.2g} {bars} {found.edges[-1]:.2g}"
