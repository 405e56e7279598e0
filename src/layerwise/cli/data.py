"""The commands about data sets known by name: `data list`, `data show` and `data get`."""

from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli import console
from layerwise.errors import DataError
from layerwise.progress import wording
from layerwise.progress.screen import messages

if TYPE_CHECKING:
    from layerwise.data.catalogue import Entry, Listed

app = typer.Typer(help="Data sets known by name.", no_args_is_help=False)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="See: layerwise data list")]


@app.command("list")
def list_() -> None:
    """List the data sets and where each stands."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.data.catalogue import entries

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("inputs", justify="right", no_wrap=True)
    table.add_column("predicts", no_wrap=True)
    table.add_column("where")
    for listed in entries():
        entry = listed.entry
        kind = f"{len(entry.classes)} classes" if entry.classes else "a number"
        table.add_row(entry.name, f"{entry.rows:,}", f"{len(entry.features):,}", kind, Text(_where(listed)))
    console.show(table)


@app.command()
def show(name: Name) -> None:
    """Tell what is known of a data set."""
    from rich.table import Table
    from rich.text import Text

    listed = _find(name)
    entry = listed.entry
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    facts = {
        "name": entry.name,
        "what": entry.description,
        "rows": f"{entry.rows:,}",
        "inputs": _inputs(entry),
        "target": entry.target + (f": {_some(entry.classes)}" if entry.classes else ", a number"),
        "where": _where(listed),
        "license": entry.license,
        "source": entry.source,
        "home": entry.home,
    }
    for fact, text in facts.items():
        table.add_row(fact, Text(text))
    console.show(table)


@app.command()
def get(name: Name) -> None:
    """Download a data set, unless it is there already.

    After an interruption the next try goes on where this one stopped.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from layerwise.data.catalogue import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    screen = messages()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
                if not screen.is_terminal:
                    screen.print(f"downloading {file} ({wording.size(total)})", soft_wrap=True)
            bars.update(tasks[file], completed=done)

        arrays = fetch(name, tell)
    console.write(f"{name}: {len(arrays.x):,} rows, {_where(_find(name))}")


def _find(name: str) -> "Listed":
    from layerwise.data.catalogue import entries
    from layerwise.recipe.wording import nearest

    known = {listed.entry.name: listed for listed in entries()}
    if name not in known:
        raise DataError(
            "a named data set stands in the catalogue",
            received=repr(name),
            remedy=nearest(name, known) or f"one of: {', '.join(known)}",
        )
    return known[name]


def _where(listed: "Listed") -> str:
    size = f" ({wording.size(listed.entry.bytes)})" if listed.where == "to download" else ""
    return {"embedded": "embedded", "here": "on this machine", "to download": f"to download{size}"}[listed.where]


def _inputs(entry: "Entry") -> str:
    if len(entry.shape) > 1:
        return f"{len(entry.features):,} ({' x '.join(map(str, entry.shape))})"
    return f"{len(entry.features):,}: {_some(entry.features)}"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
