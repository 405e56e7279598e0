"""`layerwise inspect overfit`: the same network without and with each cure for over-fitting, over several seeds."""

from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.inspect.options import Html, Inspected, check, give, look, waiting
from layerwise.cli.training import Changes, Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.cures import Overfitting
    from layerwise.inspection.subjects import Subject


def command(
    inspected: Inspected,
    seeds: Annotated[int, typer.Option(metavar="N", min=2, max=100, help="Seeds that each cure is trained on.")] = 5,
    settings: Changes = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Train with none, L1, L2, dropout, early stopping, and all: what helps, and which differences are real.

    Of a run its recipe is trained again. The validation part chooses and judges; the test part is not touched.

    \b
    Examples:
      layerwise inspect overfit moons
      layerwise inspect overfit prices.toml --seeds 10 --html cures.html
    """
    if html is not None:
        check(html)
    subject = look(inspected, settings)
    found = _found(subject, seeds)

    def page() -> bytes:
        from layerwise.report.overfitting import overfitting

        return overfitting(subject.name, found)

    give(found, as_json, html, lambda: tables(found), page)


def _found(subject: "Subject", seeds: int) -> "Overfitting":
    """The laboratory's result, with its progress shown."""
    from layerwise.inspection.cures import laboratory

    work = laboratory(subject.recipe, subject.objective, subject.dataset, seeds)
    stage = next(work)  # what is refused is refused before anything is shown
    while True:
        phase = stage.phase
        with waiting(phase) as tell:
            while stage.phase == phase:
                tell(stage.done / stage.epochs)
                try:
                    stage = next(work)
                except StopIteration as end:
                    found: Overfitting = end.value
                    return found


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def tables(found: "Overfitting") -> "list[RenderableType]":
    """The figures of each way to train, then the findings."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.cli.results import bullet
    from layerwise.report import overfitting as words

    heading, rows = words.figures_of(found)
    table = Table(box=None, pad_edge=False, header_style="bold")
    narrow = [0, 1, 3, 4, 5, 6]  # 80 columns have no room for the epochs, nor for the metric's interval
    for column in narrow:
        table.add_column(heading[column].removesuffix(" loss"), no_wrap=heading[column] != "strength")
    for row in rows:
        table.add_row(*(row[column].partition(" (")[0] if column == narrow[-1] else row[column] for column in narrow))
    said = [bullet(sentence) for sentence in words.findings(found)]
    method = [Text(sentence, style="dim") for sentence in words.method(found)]
    return [table, "", Text(found.words, style="bold"), *said, "", *method]
