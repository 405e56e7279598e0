"""What a page may play with and train on: generated and built-in data, uploads, and the file of the launch.

No other file of this machine is opened for a page, nothing is downloaded for it, and nothing is larger than
what it is for.
"""

import re

from layerwise.data.catalogue import entries
from layerwise.errors import RecipeError
from layerwise.recipe import Recipe
from layerwise.recipe import records as r
from layerwise.training.padded import ROWS

TOY_ROWS = 100_000  # generated for a run that a page begins
UPLOAD = re.compile(r"uploads/[0-9a-f]{16}\.(csv|parquet|jsonl)")  # how a recipe of a page names an upload


def check_data(recipe: Recipe, launched: Recipe) -> None:
    """Refuse data that a page may not play with: files but uploads and those of the launch, downloads, too much.

    Raises `RecipeError`.
    """
    data = recipe.data
    check_files(recipe, launched)
    if isinstance(data, r.ToyData) and data.n > ROWS:
        raise RecipeError(
            f"data that is played with has up to {ROWS:,} rows", received=f"{data.n:,}", remedy=f"use data.n = {ROWS}",
            place="data.n",
        )  # fmt: skip
    if isinstance(data, r.NamedData) and data != launched.data:
        listed = next((each for each in entries() if each.entry.name == data.name), None)
        if listed is not None and (listed.where == "to download" or listed.entry.rows > ROWS):
            raise RecipeError(
                f"data that is played with is on this machine, and has up to {ROWS:,} rows",
                received=f"{data.name}: {listed.entry.rows:,} rows, {listed.where}",
                remedy="train it for real: layerwise train",
                place="data.name",
            )


def check_training(recipe: Recipe, *known: Recipe) -> None:
    """Refuse data that a page may not train on: files but uploads and those of `known` recipes, downloads.

    Raises `RecipeError`.
    """
    check_files(recipe, *known)
    data = recipe.data
    if isinstance(data, r.NamedData):
        listed = next((each for each in entries() if each.entry.name == data.name), None)
        if listed is not None and listed.where == "to download":
            raise RecipeError(
                "a page trains on data that is on this machine",
                received=f"{data.name}, which is not",
                remedy=f"download it first: layerwise data get {data.name}",
                place="data.name",
            )
    if isinstance(data, r.ToyData) and data.n > TOY_ROWS:
        raise RecipeError(
            f"a page trains on up to {TOY_ROWS:,} generated rows", received=f"{data.n:,}",
            remedy=f"use data.n = {TOY_ROWS}, or the command line", place="data.n",
        )  # fmt: skip


def check_files(recipe: Recipe, *known: Recipe) -> None:
    """Refuse files that are neither uploads nor named by a recipe that is known. Raises `RecipeError`."""
    foreign = {path for path in files_of(recipe.data) if not UPLOAD.fullmatch(path)}
    for each in known:
        foreign -= files_of(each.data)
    if foreign:
        raise RecipeError(
            "the page plays with generated and built-in data, uploads, and the file that it was started with",
            received=", ".join(sorted(foreign)),
            remedy="drop the file on the page, or start it with a recipe for that file: layerwise play RECIPE",
            place="data",
        )


def files_of(data: r.Data) -> set[str]:
    """Every file that this data is read from."""
    named = [getattr(data, "path", "")]
    if isinstance(data.split, r.GivenSplit):
        named += [data.split.validation, data.split.test]
    return {path for path in named if path not in ("", "none")}
