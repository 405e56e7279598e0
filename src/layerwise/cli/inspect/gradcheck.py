"""`layerwise inspect gradcheck`: whether the gradients are the slopes of the loss, layer by layer."""

from typing import TYPE_CHECKING

import typer

from layerwise.cli.inspect.options import Html, Inspected, check, give, look
from layerwise.cli.training import Changes, Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.gradients import GradientCheck


def command(inspected: Inspected, settings: Changes = None, as_json: Json = False, html: Html = None) -> None:
    """Check every gradient of a small copy of the network by finite differences; exit code 1 where one is wrong.

    The copy has the same activations, loss and regularization, but few units and weights of its own.

    \b
    Examples:
      layerwise inspect gradcheck digits
      layerwise inspect gradcheck prices.toml --set network.activation=gelu --json
    """
    if html is not None:
        check(html)
    subject = look(inspected, settings)

    from layerwise.inspection.gradients import gradcheck, miniature
    from layerwise.recipe import records as r

    train = subject.recipe.train if isinstance(subject.recipe.train, r.Train) else None
    small = miniature(subject.network, subject.objective)
    found = gradcheck(small.network, small.x, small.y, small.objective, train, subject.recipe.task, small.weight)

    def page() -> bytes:
        from layerwise.report.gradients import gradients

        return gradients(subject.name, found)

    give(found, as_json, html, lambda: tables(found), page)
    if not found.passed:
        raise typer.Exit(1)


def tables(found: "GradientCheck") -> "list[RenderableType]":
    """A row for each layer, and what was done in a sentence."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.report.gradients import HEADING, rows, verdict

    layers = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for at, heading in enumerate(HEADING):
        layers.add_column(heading, justify="right" if 1 < at < 5 else "left")
    for row in rows(found):
        layers.add_row(*row, style="" if row[0] == "passed" else "bold red")
    return [layers, Text(), Text(verdict(found))]
