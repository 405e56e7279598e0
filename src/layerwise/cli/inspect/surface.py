"""`layerwise inspect surface`: what a network decides at every point of a plane through its inputs."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from layerwise.cli import console
from layerwise.cli.inspect.options import Html, Inspected, check, give, look, trained
from layerwise.cli.training import Changes, Json
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.decisions import DecisionSurface
    from layerwise.inspection.subjects import Subject

WIDTH, HEIGHT = 60, 24  # of the picture, in letters
SHADES = " ░▒▓█"
SURE = 0.9  # probability from which on a letter is upper case


def command(
    inspected: Inspected,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B", show_default=False, help="Two columns; all others stay at their usual value."),
    ] = None,
    plane: Annotated[
        str | None,
        typer.Option(metavar="pca", show_default=False, help="The plane of the first two principal components."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="Of several labels or quantities the one to show."),
    ] = None,
    units: Annotated[bool, typer.Option("--units", help="Every hidden unit's activation, too.")] = False,
    settings: Changes = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """What the network decides on a plane through its inputs, with the data on it. A recipe is trained first.

    Where there are more than two inputs the plane is that of their first two principal components.

    \b
    Examples:
      layerwise inspect surface spiral --units --html surface.html
      layerwise inspect surface runs/prices-1 --features area,rooms
    """
    over = _over(features, plane)
    if html is not None:
        check(html)
    subject = look(inspected, settings)
    if output is not None:
        _check_output(subject, output)

    from layerwise.inspection.decisions import surface
    from layerwise.inspection.trajectories import needed

    training = needed(subject, path=False)
    if training is not None:
        trained(training)
    network = subject.network if training is None else training.network
    notes = () if training is None else training.notes
    for note in notes:
        console.say("note", note)
    found = surface(network, subject.objective, subject.dataset, over, units=units)

    def page() -> bytes:
        from layerwise.report.decision import decision

        return decision(subject.name, found, output, notes)

    give(found, as_json, html, lambda: tables(found, output), page)


def _over(features: str | None, plane: str | None) -> "tuple[str, str] | Literal['auto', 'pca']":
    """The plane that the options mean."""
    if plane not in (None, "pca") or (plane and features):
        raise LayerwiseError(
            "the plane is that of two columns, or of the principal components",
            received=f"--plane {plane}" + (f" with --features {features}" if features else ""),
            remedy="give either --features A,B or --plane pca",
        )
    if features is None:
        return "pca" if plane else "auto"
    names = [name.strip() for name in features.split(",")]
    if len(names) != 2:
        raise LayerwiseError(
            "a decision surface is over two columns",
            received=f"--features {features}",
            remedy="e.g. --features area,rooms",
        )
    return names[0], names[1]


def _check_output(subject: "Subject", output: str) -> None:
    from layerwise.data.dataset import Classes

    target = subject.dataset.target
    names: tuple[str, ...] = () if isinstance(target, Classes) else target.columns
    if output not in names:
        raise LayerwiseError(
            "--output names a label or a quantity of the target",
            received=output,
            remedy=f"the target has: {', '.join(names)}" if names else "leave it out: all classes are shown",
        )


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def tables(found: "DecisionSurface", output: str | None) -> "list[RenderableType]":
    """A small picture, what its letters mean, and the facts."""
    from rich.table import Table

    from layerwise.report.decision import facts

    told = Table(box=None, pad_edge=False, show_header=False)
    told.add_column(no_wrap=True)
    told.add_column(overflow="fold")
    for label, value in facts(found).items():
        told.add_row(label, value)
    hint = [] if found.held or found.x.kind != "component" else ["", _hint()]
    return [*picture(found, output), "", told, *hint]


def _hint() -> "RenderableType":
    from rich.text import Text

    return Text("--features A,B shows the plane over two of your columns.", style="dim")


def picture(found: "DecisionSurface", output: str | None) -> "list[RenderableType]":
    """The surface in letters: classes by letter and color, upper case where sure; quantities by shade."""
    import numpy as np
    from rich.text import Text

    place = found.outputs.index(output) if output in found.outputs else 0
    ys = np.linspace(found.y.values.size - 1, 0, min(HEIGHT, 2 * found.y.values.size)).round().astype(int)
    xs = np.linspace(0, found.x.values.size - 1, WIDTH).round().astype(int)
    values = found.values[ys][:, xs]
    if found.kind == "quantities":
        z = values[..., place]
        low, high = float(z.min()), float(z.max())
        shade = np.clip((z - low) / ((high - low) or 1) * len(SHADES), 0, len(SHADES) - 1).astype(int)
        lines: list[Any] = [Text("".join(SHADES[n] for n in row)) for row in shade.tolist()]
        ends = f"{found.outputs[place]}: {SHADES[1]} {low:.4g} to {SHADES[-1]} {high:.4g}"
        return [*lines, _under(found), Text(ends)]
    if found.kind == "labels":
        names: tuple[str, ...] = (f"not {found.outputs[place]}", found.outputs[place])
        values = np.stack([1 - values[..., place], values[..., place]], axis=-1)
    else:
        names = found.outputs
    return [*_letters(values, len(names)), _under(found), *_key(names)]


def _letters(values: Any, count: int) -> "list[RenderableType]":
    """The most probable class of each place."""
    from rich.text import Text

    from layerwise.plots.decision import colors

    chosen, sure = values.argmax(axis=2), values.max(axis=2)
    inks, lines = colors(count), []
    for classes, shares in zip(chosen.tolist(), sure.tolist(), strict=True):
        line = Text()
        for number, share in zip(classes, shares, strict=True):
            line.append(letter(number, share >= SURE), style=f"bold {inks[number]}" if share >= SURE else inks[number])
        lines.append(line)
    return list(lines)


def letter(number: int, sure: bool) -> str:
    """The letter of a class, counted from 0; the alphabet begins anew after 26.

    >>> letter(0, True), letter(27, False)
    ('A', 'b')
    """
    return chr((ord("A") if sure else ord("a")) + number % 26)


def _under(found: "DecisionSurface") -> "RenderableType":
    """The axes' names and ends."""
    from rich.text import Text

    from layerwise.report.decision import ends

    return Text(f"across: {found.x.name}, {ends(found.x)}   up: {found.y.name}, {ends(found.y)}", style="dim")


def _key(names: tuple[str, ...]) -> "list[RenderableType]":
    from rich.text import Text

    from layerwise.plots.decision import colors

    key = Text()
    for number, (name, ink) in enumerate(zip(names, colors(len(names)), strict=True)):
        key.append(f"{letter(number, True)} {name}   ", style=ink)
    return [key, Text(f"upper case: a probability of {SURE:.0%} or more", style="dim")]
