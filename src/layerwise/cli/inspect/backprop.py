"""`layerwise inspect backprop`: every number of one step of back-propagation, with its equations."""

from typing import TYPE_CHECKING

from layerwise.cli.inspect.options import Example, Html, Inspected, check, give, look
from layerwise.cli.training import Changes, Json
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.sheets import BackpropSheet

MOST_JSON = 2_000_000  # numbers of all weights; JSON has each four times, and is read as a whole


def command(
    inspected: Inspected,
    example: Example = None,
    settings: Changes = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """One step of back-propagation in numbers, by the chain rule and by automatic differentiation.

    Without --example it is that of a batch: the first training rows.

    \b
    Examples:
      layerwise inspect backprop xor --example 1
      layerwise inspect backprop runs/digits-1 --example 42 --html sheet.html
    """
    if html is not None:
        check(html)
    subject = look(inspected, settings)

    from layerwise.inspection.sheets import backprop, in_own_unit
    from layerwise.recipe import records as r
    from layerwise.report import backprop as report

    _check_size(sum(layer.weight.size for layer in subject.network.layers), as_json)
    train = subject.recipe.train if isinstance(subject.recipe.train, r.Train) else None
    size = (train or r.Train()).batch_size
    rows = subject.dataset.train[:size] if example is None else subject.example(example)
    x, y, weight = subject.batch(rows)
    sheet = backprop(subject.network, x, y, subject.objective, train, subject.recipe.task, weight)
    sheet = in_own_unit(sheet, subject.dataset.target)
    told = report.facts(subject, rows, sheet)
    give(sheet, as_json, html, lambda: tables(told, sheet), lambda: report.backprop(subject.name, told, sheet))


def _check_size(weights: int, as_json: bool) -> None:
    if as_json and weights > MOST_JSON:
        raise LayerwiseError(
            f"JSON has the numbers of up to {MOST_JSON:,} weights",
            received=f"{weights:,} weights",
            remedy="leave --json out, or use Python: layerwise.inspection.backprop gives arrays",
        )


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def tables(told: dict[str, str], sheet: "BackpropSheet") -> "list[RenderableType]":
    """The facts, then stage by stage the equations and the numbers."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.report.backprop import TERMINAL, parts

    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in told.items():
        facts.add_row(label, value)
    shown: list[RenderableType] = [facts]
    left_out = False
    for part in parts(sheet, TERMINAL):
        shown += [Text(), Text(part.title, style="bold"), *(Text(f"  {line}") for line in part.equations)]
        for block in part.blocks:
            rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
            rows.add_column(f"    {block.heading[0]}", no_wrap=True)
            for heading in block.heading[1:]:
                rows.add_column(heading, justify="right", no_wrap=True)
            for first, *rest in block.rows:
                rows.add_row(f"    {first}", *rest)
            said = "   ".join((block.caption, *block.equations))
            shown += [Text(), Text(f"  {said}"), rows]
            if block.left_out:
                shown.append(Text(f"    {block.left_out}", style="dim"))
                left_out = True
    if left_out:
        shown += [Text(), Text("--json has every number.", style="dim")]
    return shown
