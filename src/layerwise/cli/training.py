"""The commands that train: `train` and `resume`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from layerwise.cli import console
from layerwise.errors import RecipeError, StorageError
from layerwise.progress.screen import messages

if TYPE_CHECKING:
    from layerwise.progress.board import Board
    from layerwise.recipe import Recipe
    from layerwise.training.folds import CrossValidation
    from layerwise.training.run import Run

Json = Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", show_default=False, help="Change a setting of the recipe; repeatable."),
]
Limit = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        show_default=False,
        help="End after training (each fold) for so long, e.g. 90s or 5m, with the best weights.",
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", show_default=False, help="Another seed.")]


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", show_default=False, help="A recipe file, or a built-in name.")
    ],
    settings: Changes = None,
    seed: Seed = None,
    folds: Annotated[
        int | None,
        typer.Option(metavar="K", show_default=False, help="Cross-validate: train once for each of K folds."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", show_default=False, help="The folder to make; else runs/NAME-1, -2, ..."),
    ] = None,
    time_limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network, score it and save it.

    Ctrl-C ends it in order: the best weights are scored and saved, the exit code is 0, and `resume` goes on.
    A second Ctrl-C stops at once.

    \b
    Examples:
      layerwise train digits
      layerwise train prices.toml --set train.epochs=50 --out runs/prices
      layerwise train prices.toml --folds 5
    """
    from layerwise.tasks import apart

    checked = _recipe(recipe, settings or [], seed, time_limit, folds)
    name = Path(recipe).stem or "run"
    if out is not None:
        check_folder(out)
    apart.prepare()  # now: its imports take as long as ours, and another core

    def begin() -> "Run | CrossValidation":
        return _kind(checked)(checked, out=out, name=name)

    _go(begin, _board(checked, name), as_json, quiet)


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", show_default=False, help="The folder of a run.")],
    time_limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted, or that its time limit ended.

    Without --time-limit the recipe's own holds again, for as long once more.

    \b
    Examples:
      layerwise resume runs/digits-1
      layerwise resume runs/digits-1 --time-limit none
    """
    from layerwise.cli.folders import run_folder
    from layerwise.recipe import check_duration, load

    if time_limit is not None:
        check_duration(time_limit)
    folder = run_folder(run)

    recipe = load(folder / "recipe.toml")

    def begin() -> "Run | CrossValidation":
        return _kind(recipe).resume(folder, time_limit=time_limit)

    _go(begin, _board(recipe, folder.name), as_json, quiet)


def _recipe(source: str, settings: list[str], seed: int | None, time_limit: str | None, folds: int | None) -> "Recipe":
    """The recipe with all that the command line changes in it."""
    from layerwise.recipe.folds import folded

    checked = _timed(source, settings, seed, time_limit)
    return checked if folds is None else folded(checked, folds)


def _timed(source: str, settings: list[str], seed: int | None, time_limit: str | None) -> "Recipe":
    from layerwise.recipe import check_duration, load

    if time_limit is not None:
        check_duration(time_limit)
    if seed is not None:
        settings = [*settings, f"seed={seed}"]
    recipe = load(source, settings)
    if time_limit is None:
        return recipe
    by_hand = recipe.train == "auto" and bool(getattr(recipe.network, "weights", ()))
    if recipe.train == "none" or by_hand:
        raise RecipeError(
            "a time limit is for a recipe that trains",
            received=f"--time-limit {time_limit} with weights set by hand",
            remedy="leave --time-limit out",
        )
    return load(source, [*settings, f'train.time_limit="{time_limit}"'])


def check_folder(out: Path) -> None:
    """Refuse a folder that a run cannot be written to, before anything is trained."""
    if out.exists() and not out.is_dir():
        raise StorageError("a run is written to a folder", received=f"the file {out}", remedy="choose another --out")
    if out.is_dir() and any(out.iterdir()):
        if (out / "recipe.toml").is_file():
            from layerwise.training.folder import Folder

            raise Folder(out).taken(fresh=True)
        raise StorageError(
            "a run is written to a new or an empty folder",
            received=f"{out}, which holds other files",
            remedy="choose another --out",
        )
    standing = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not standing.is_dir():
        raise StorageError(
            "a run is written to a folder", received=f"{standing} is a file", remedy="choose another --out"
        )
    check_writable(standing)


def check_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be made."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            "the folder can be written to",
            received=f"{folder} is read-only",
            remedy="choose another --out, or change the folder's permissions",
        )


def _kind(recipe: "Recipe") -> "type[Run] | type[CrossValidation]":
    from layerwise.recipe.folds import folds_of

    with console.importing():
        from layerwise.training.folds import CrossValidation
        from layerwise.training.run import Run

    return CrossValidation if folds_of(recipe) else Run


def _board(recipe: "Recipe", name: str) -> "Board":
    from layerwise.progress.board import Board
    from layerwise.recipe.folds import folds_of

    return Board(name, several=folds_of(recipe) > 0)


def _go(begin: "Callable[[], Run | CrossValidation]", board: "Board", as_json: bool, quiet: bool) -> None:
    """Train to the end and print the result."""
    from layerwise.progress.calls import attend
    from layerwise.progress.screen import silently
    from layerwise.progress.view import watching

    work = attend(begin, board, silently() if quiet else watching(board, messages()))
    if board.several:
        _tell_folds(cast("CrossValidation", work), as_json)
    else:
        _tell(cast("Run", work), as_json)


def _tell(run: "Run", as_json: bool) -> None:
    from layerwise.cli import results

    result = results.of(run)
    if as_json:
        console.write_json(results.payload(result))
    else:
        console.show(*results.summary(result, console.results().width))
    if results.is_empty(result):
        raise typer.Exit(130)
    # no model came of it that is worth its name
    if result.status == "diverged" and (result.epochs == 0 or not any(result.metrics.values())):
        raise typer.Exit(1)


def _tell_folds(found: "CrossValidation", as_json: bool) -> None:
    from layerwise.cli import folds

    if as_json:
        console.write_json(folds.payload(found))
    else:
        console.show(*folds.summary(found, console.results().width))
    if not any(found.metrics.values()):
        raise typer.Exit(130 if found.status == "interrupted" else 1)
