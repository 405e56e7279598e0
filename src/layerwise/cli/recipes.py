"""The commands about recipes: `recipes` lists and prints the built-in ones, `init` writes a first one."""

from typing import Annotated

import typer

from layerwise.cli import console
from layerwise.errors import RecipeError
from layerwise.progress.screen import messages


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", show_default=False, help="Print this one, to start from.")
    ] = None,
) -> None:
    """List the built-in recipes, or print one.

    \b
    Example:
      layerwise recipes digits > mine.toml
    """
    from layerwise.recipe.reading import builtin
    from layerwise.recipe.wording import nearest

    texts = builtin()
    if name is not None:
        if name not in texts:
            raise RecipeError(
                "this prints a built-in recipe",
                received=repr(name),
                remedy=nearest(name, texts) or "list them with: layerwise recipes",
            )
        console.write(texts[name])
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    for each, text in texts.items():
        table.add_row(each, about(text))
    console.show(table)
    if console.interactive():
        messages().print("\nTrain one: layerwise train NAME", style="dim")


def about(text: str) -> str:
    """The first sentence of a recipe's opening comment.

    >>> about("# Moons, interleaved: a curve parts them. And\\n# more.\\nlayerwise = 1")
    'Moons, interleaved: a curve parts them.'
    """
    comment: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    sentence, stop, _ = " ".join(comment).partition(". ")
    return sentence + stop.rstrip()


def init(
    data: Annotated[
        str, typer.Argument(metavar="DATA", show_default=False, help="A table: CSV, Parquet or JSON Lines.")
    ],
    target: Annotated[
        str, typer.Option("--target", "-t", metavar="COLUMN", show_default=False, help="The column to predict.")
    ],
) -> None:
    """Look at a table and print a recipe for it.

    What was found stands in it as comments.

    \b
    Example:
      layerwise init prices.csv --target price > prices.toml
    """
    from layerwise.data.sketch import sketch

    console.write(sketch(data, target))
