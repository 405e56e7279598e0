"""`layerwise inspect landscape`: the loss around the solution, how curved it is, and where other starts end."""

from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.inspect.options import Html, Inspected, check, give, look, trained, waiting
from layerwise.cli.training import Changes, Json
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.basins import Minima, Starts
    from layerwise.inspection.landscapes import Landscape
    from layerwise.inspection.subjects import Subject
    from layerwise.inspection.surroundings import Surroundings

SHADES = "█▓▒░· "  # high to low
MOST_STARTS = 10_000


def command(
    inspected: Inspected,
    starts: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=MOST_STARTS, show_default=False, help="Train from N random starts, too."),
    ] = None,
    directions: Annotated[
        str | None,
        typer.Option(
            metavar="path|random", show_default=False, help="The plane: through the path of training, or random."
        ),
    ] = None,
    settings: Changes = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """The loss over a plane through the solution, with the path of training, and its largest curvature.

    A recipe is trained first; a run is trained again from its seed, which goes the same way, to see its path.

    \b
    Examples:
      layerwise inspect landscape runs/digits-1 --html surface.html
      layerwise inspect landscape xor --starts 50
    """
    if directions not in (None, "path", "random"):
        raise LayerwiseError(
            "directions are those of the path, or random ones",
            received=f"--directions {directions}",
            remedy="give path or random",
        )
    if html is not None:
        check(html)
    subject = look(inspected, settings)
    lanes = _starts(subject, starts) if starts is not None else None  # refused before anything is trained
    around = _around(subject, directions)
    found = _ended(lanes) if lanes is not None else None
    record = {"landscape": around.landscape, "curvature": around.curvature, "minima": found, "notes": around.notes}

    def page() -> bytes:
        from layerwise.report import landscapes

        return landscapes.landscape(subject.name, around, found)

    give(record, as_json, html, lambda: tables(around, found), page)


def _around(subject: "Subject", directions: str | None) -> "Surroundings":
    """What surrounds the solution, which is trained first where that is needed."""
    from layerwise.inspection.surroundings import has_path, surroundings
    from layerwise.inspection.trajectories import needed

    training = needed(subject, path=directions == "path" or (directions is None and has_path(subject)))
    if training is not None:
        trained(training)
    with waiting("measuring the loss around the solution"):
        return surroundings(subject, training)


def _starts(subject: "Subject", count: int) -> "Starts":
    from layerwise.inspection.basins import Starts

    return Starts(subject, count)


def _ended(starts: "Starts") -> "Minima":
    """Where many starts end."""
    from layerwise.inspection.basins import minima
    from layerwise.inspection.samples import sample
    from layerwise.training.events import Progress

    subject = starts.subject
    epochs: dict[int, float] = {}
    with waiting(f"training {starts.count:,} starts") as tell:
        for report in starts:
            reached = [event.epoch for event in report.events if isinstance(event, Progress)]
            epochs[report.lane] = starts.epochs if report.over else max(reached, default=0.0)
            tell(sum(epochs.values()) / (starts.count * starts.epochs))
    return minima(starts.networks, subject.objective, sample(subject, "train"), sample(subject, "validation"))


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def tables(around: "Surroundings", found: "Minima | None") -> "list[RenderableType]":
    """The facts, then a small map of the surface, or the basins of many starts."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.cli.results import bullet
    from layerwise.progress import wording

    seen, curved, notes = around.landscape, around.curvature, around.notes
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_row("loss at the solution", f"{seen.loss:.4g}, on {wording.counted(seen.examples, 'training row')}")
    how = f"after {wording.counted(curved.products, 'product')} with the Hessian"
    sure = how if curved.converged else f"or more: not settled {how}"
    facts.add_row("largest curvature", f"{curved.largest:.4g}, {sure}")
    facts.add_row("norm of the gradient", f"{curved.gradient:.3g}")
    if seen.directions == "path":
        words = (
            f"{wording.counted(int(seen.epochs[-1]), 'epoch')}; the plane holds {sum(seen.shares):.1%} of its variance"
        )
        facts.add_row("path of training", words)
    blocks: list[RenderableType] = [facts, "", *(bullet(note) for note in notes), *[""] * bool(notes)]
    if found is None:
        return [*blocks, *contour(seen)]
    from layerwise.report import landscapes

    heading, rows = landscapes.basins(found)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for word in heading:
        table.add_column(word, justify="left" if word in ("basin", "") else "right")
    for row in rows:
        table.add_row(*row)
    return [*blocks, Text(landscapes.stuck(found), style="bold"), "", table]


def contour(seen: "Landscape") -> "list[RenderableType]":
    """A map of the surface in letters: every second row, since letters are twice as high as wide."""
    import numpy as np
    from rich.text import Text

    from layerwise.plots.landscapes import Heights

    heights = Heights(seen.losses)
    low, high = heights.ends
    center = (int(np.abs(seen.ys).argmin()), int(np.abs(seen.xs).argmin()))
    kept = np.arange(center[0] % 2, seen.ys.size, 2)
    level = (high - heights.of(seen.losses[kept])) / (high - low) * len(SHADES)
    drawn = np.array(list(SHADES))[np.clip(np.nan_to_num(level), 0, len(SHADES) - 1).astype(int)]
    signs = {(int(kept.searchsorted(center[0])), center[1]): "◆"}
    for number, (x, y) in enumerate(seen.path[:-1]):
        place = int(np.abs(seen.ys[kept] - y).argmin()), int(np.abs(seen.xs - x).argmin())
        signs.setdefault(place, "○" if number == 0 else "•")
    lines = []
    for row in reversed(range(len(kept))):
        line = Text()
        for column, shade in enumerate(drawn[row]):
            sign = signs.get((row, column))
            line.append(sign or str(shade), style="bold" if sign else "dim")
        lines.append(line)
    steps = [heights.loss(high - (high - low) * step / len(SHADES)) for step in range(len(SHADES) + 1)]
    legend = "   ".join(f"{shade} {steps[n + 1]:.2g}" if shade != " " else "" for n, shade in enumerate(SHADES))
    words = "◆ solution" + ("   ○ before training   • on the way" if len(seen.path) else "")
    return [*lines, "", Text(words), Text(f"loss above: {legend.rstrip()}", style="dim")]
