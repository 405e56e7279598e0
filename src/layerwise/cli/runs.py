"""The commands about finished and unfinished runs: `runs list`, `runs compare` and `runs remove`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli import console
from layerwise.errors import LayerwiseError
from layerwise.progress import wording

if TYPE_CHECKING:
    from rich.text import Text

    from layerwise.tuning.listing import Record

app = typer.Typer(help="The folders of earlier runs.", no_args_is_help=False)


@app.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder that holds the runs.")] = Path("runs"),
) -> None:
    """List the runs and studies of a folder, the newest first."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.tuning.listing import read, run_folders

    found = [read(path) for path in run_folders(folder)]
    if not found:
        console.say("note", f"there are no runs in {folder}; begin one with: layerwise train digits")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("run", style="bold", overflow="fold")
    for heading in ("kind", "status", "length", "time"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("length", "time") else "left")
    table.add_column("score")
    for run in found:
        time = wording.duration(run.seconds) if run.epochs or run.trials else ""
        status = run.status.replace("_", " ")
        table.add_row(Text(str(run.folder)), run.kind, status, _length(run), time, Text(_headline(run)))
    console.show(table)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", show_default=False, help="Two runs or more.")],
) -> None:
    """Put runs side by side: the settings in which they differ, and their scores.

    \b
    Example:
      layerwise runs compare digits-1 digits-2
    """
    from rich.table import Table
    from rich.text import Text

    from layerwise.cli.folders import run_folder
    from layerwise.tuning.listing import differences, read

    if len(runs) < 2:
        raise LayerwiseError(
            "two runs or more are compared", received=str(runs[0]), remedy="name another; list: layerwise runs list"
        )
    found = [read(run_folder(path)) for path in runs]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for run in found:
        table.add_column(Text(run.folder.name), overflow="fold")
    for path, values in differences([run.settings for run in found]).items():
        table.add_row(Text(path, style="cyan"), *(Text(value) for value in values))
    table.add_row("status", *(run.status.replace("_", " ") for run in found))
    table.add_row("length", *map(_length, found))
    alike = len({run.split for run in found}) == 1
    for part in ("train", "validation", "test"):
        names = dict.fromkeys(name for run in found for name in run.metrics.get(part, {}))
        if names:
            table.add_section()
        for name in names:
            table.add_row(Text(f"{part} {wording.label(name)}"), *_scores(found, part, name, alike))
    console.show(table)
    if not alike:
        console.say("note", "these runs were not scored on the same rows, so no score is marked as the best")


@app.command()
def remove(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", show_default=False, help="The runs to remove.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs for good, after asking."""
    import shutil
    import sys

    from layerwise.cli.folders import run_folder
    from layerwise.tuning.listing import check_removable

    folders = [run_folder(path) for path in runs]
    for folder in folders:
        check_removable(folder)
    if not yes:
        if not sys.stdin or not sys.stdin.isatty():
            raise LayerwiseError(
                "removing asks first, and nobody can answer here", remedy="add --yes to remove without asking"
            )
        if not typer.confirm(f"Remove {wording.listed([str(folder) for folder in folders])} for good?", err=True):
            console.say("note", "nothing was removed")
            return
    for folder in dict.fromkeys(folders):
        shutil.rmtree(folder)
        console.say("done", f"removed {folder}")


def _length(run: "Record") -> str:
    """How long it went on."""
    return wording.counted(run.trials, "trial") if run.kind == "study" else wording.counted(run.epochs, "epoch")


def _headline(run: "Record") -> str:
    from layerwise.progress.wording import scored_part

    part = scored_part(run.metrics)
    if not part:
        return ""
    name, interval = next(iter(run.metrics[part].items()))
    return f"{part} {wording.label(name)} {_shown(name, interval.value)}"


def _shown(name: str, value: float) -> str:
    return wording.figure(value, wording.decimals(name, value))


def _scores(runs: "Sequence[Record]", part: str, name: str, alike: bool) -> "list[Text]":
    """A figure of every run; the best is marked where all were scored on the same rows."""
    from rich.text import Text

    from layerwise.cli.results import STAR

    intervals = [run.metrics.get(part, {}).get(name) for run in runs]
    known = [interval.value for interval in intervals if interval]
    top = wording.best(name, known) if alike and len(known) > 1 else None
    cells = []
    for interval in intervals:
        if interval is None:
            cells.append(Text("-", style="dim"))
        elif interval.value == top:
            cells.append(Text(f"{_shown(name, interval.value)} {STAR}", style="bold green"))
        else:
            cells.append(Text(_shown(name, interval.value)))
    return cells
