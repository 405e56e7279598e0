"""What the `inspect` commands have in common: their options, and how they give what they found."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli import console
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.subjects import Subject

Inspected = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_RECIPE",
        show_default=False,
        help="The folder of a run or study, a model file, a recipe file, or a built-in name.",
    ),
]
Example = Annotated[
    int | None,
    typer.Option(metavar="N", show_default=False, help="The row of the data to look at, from 1."),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", show_default=False, help="Write a page with the figures."),
]


def look(inspected: str, settings: Sequence[str] | None = None) -> "Subject":
    """The network and data that the user means; a bare name may be that of a run in `runs`.

    `settings` change a recipe; raises `LayerwiseError` where they are given for anything else.
    """
    from layerwise.cli.folders import HOME, run_folder
    from layerwise.cli.using import model_file

    with console.importing():
        from layerwise.inspection.subjects import subject
        from layerwise.recipe import load

    path = Path(inspected)
    if path.is_dir() or (not path.exists() and (HOME / path / "recipe.toml").is_file()):
        path = run_folder(path)
        model_file(path)  # says of a cross-validation that it has one for each fold
    trained = path.is_dir() or path.suffix == ".safetensors"
    if settings and trained:
        raise LayerwiseError(
            "settings change a recipe",
            received=f"--set with {inspected}, which is trained already",
            remedy="leave --set out, or name the recipe",
        )
    if settings:
        return subject(load(inspected, settings))
    return subject(str(path) if trained else inspected)


def give(
    record: Any,
    as_json: bool,
    html: Path | None,
    shown: "Callable[[], Sequence[RenderableType]]",
    page: Callable[[], bytes],
) -> None:
    """Write the page where one is asked for; and the record as JSON, or as tables."""
    from layerwise import files
    from layerwise.inspection.plain import plain

    if html is not None:
        check(html)
        files.write(html, page())
        console.say("done", f"written to {html}")
    if as_json:
        console.write_json(plain(record))
    elif html is None:
        console.show(*shown())


def check(html: Path) -> None:
    """Refuse a place where no page can be written, before anything is computed."""
    from layerwise.cli.training import check_writable

    if html.is_dir() or not html.absolute().parent.is_dir():
        raise LayerwiseError(
            "a page is written to a file in a folder that exists",
            received=str(html),
            remedy="e.g. --html look.html",
        )
    check_writable(html.absolute().parent)
