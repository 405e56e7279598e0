"""The command that searches: `tune`."""

import shlex
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli import console
from layerwise.cli.training import Changes, Json, Quiet, Seed, check_folder
from layerwise.errors import RecipeError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.tuning.study import Study

METHODS = ("grid", "random", "sobol", "bayes")
Halving = Annotated[
    bool | None,
    typer.Option("--halving/--no-halving", show_default=False, help="Keep the best third at each of two rungs."),
]


def completed(words: Sequence[str]) -> list[str]:
    """The command line with what `--cluster` means where no address follows it.

    >>> completed(["tune", "digits", "--cluster"]), completed(["tune", "digits", "--cluster", "--json"])
    (['tune', 'digits', '--cluster', 'local'], ['tune', 'digits', '--cluster', 'local', '--json'])
    """
    found: list[str] = []
    for word, after in zip_longest(words, words[1:], fillvalue="-"):
        found += [word, "local"] if word == "--cluster" and after.startswith("-") else [word]
    return found


def tune(
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", show_default=False, help="A recipe file, or a built-in name.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="|".join(METHODS), show_default=False, help="How settings are chosen.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default=False, help="How many settings are tried.")
    ] = None,
    halving: Halving = None,
    settings: Changes = None,
    seed: Seed = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", show_default=False, help="A database that several processes share."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            show_default=False,
            help="Train on a Ray cluster; without an address one is started here.",
        ),
    ] = None,
    time_limit: Annotated[
        str, typer.Option(metavar="TIME", show_default=False, help="End after so long, e.g. 90s or 5m; this time only.")
    ] = "none",
    resume: Annotated[
        Path | None, typer.Option(metavar="STUDY", show_default=False, help="Go on with the study in this folder.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", show_default=False, help="The folder to make; else runs/NAME-study-1, -2, ..."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the best settings of a recipe: many networks train at once.

    What is searched stands under [search.space] in the recipe; a recipe without it gets a usual space.

    \b
    Examples:
      layerwise tune digits --trials 64
      layerwise tune prices.toml --method bayes --time-limit 5m
      layerwise tune --resume runs/digits-study-1
    """
    from layerwise.recipe import load

    given = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    given += [f'search.method="{method}"'] if method is not None else []
    given += [f"search.trials={trials}"] if trials is not None else []
    given += [f"search.halving={str(halving).lower()}"] if halving is not None else []
    _check(recipe, resume, given, out, time_limit)
    name = Path(recipe).stem if recipe else Path(str(resume)).resolve().name

    loaded = load(recipe, given) if recipe is not None else None  # refused before anything is said

    def begin() -> "Study":
        with console.importing():
            from layerwise.training.folder import new_folder
            from layerwise.tuning.study import Study

        if loaded is None:
            return Study.resume(Path(str(resume)), storage=storage, time_limit=time_limit, cluster=cluster)
        folder = out or new_folder(f"{name}-study")
        return Study(loaded, storage=storage, time_limit=time_limit, cluster=cluster, out=folder)

    _go(begin, name, as_json, quiet)


def _check(recipe: str | None, resume: Path | None, given: list[str], out: Path | None, time_limit: str) -> None:
    """Refuse options that do not go together, before anything begins."""
    from layerwise.recipe import check_duration

    if (recipe is None) == (resume is None):
        raise RecipeError(
            "a search begins with a recipe, or goes on with --resume STUDY",
            received="both" if recipe else "neither",
            remedy="e.g. layerwise tune digits",
        )
    if resume is not None and (given or out):
        raise RecipeError(
            "a study goes on as it began",
            received="--resume with other options",
            remedy="leave them out; --storage, --cluster and --time-limit may be given",
        )
    check_duration(time_limit)
    if out is not None:
        check_folder(out)


def _go(begin: "Callable[[], Study]", name: str, as_json: bool, quiet: bool) -> None:
    """Search to the end and print the result."""
    from layerwise.progress import search
    from layerwise.progress.calls import attend_study
    from layerwise.progress.screen import messages, silently

    board = search.SearchBoard(name)
    study = attend_study(begin, silently() if quiet else search.watching(board, messages()))
    report = _report(study)
    if as_json:
        console.write_json(payload(study, report))
    else:
        console.show(*summary(study, report, console.results().width))
    if study.status == "diverged":
        raise typer.Exit(1)
    if study.status == "interrupted" and not study.has_winner:
        raise typer.Exit(130)


def _report(study: "Study") -> Path | None:
    """The page that shows the study; None where another process names its winner, or nothing was tried."""
    from layerwise import report

    if study.status == "joined" or not study.counts():
        return None
    return report.study(study)


def payload(study: "Study", report: Path | None) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    best = study.best
    return {
        "study": str(study.folder),
        "run": str(study.run.folder) if study.has_winner else None,
        "model": str(study.run.model_path) if study.has_winner else None,
        "report": str(report) if report else None,
        "status": study.status,
        "method": study.method,
        "trials": study.counts(),
        "seconds": round(study.seconds, 3),
        "monitor": study.monitor,
        "winner": None
        if best is None
        else {
            "trial": best.number,
            "settings": best.settings,
            "searched": best.searched,
            "seeds": best.values,
            "value": {"value": best.mean, "low": best.low, "high": best.high},
        },
        "metrics": study.metrics,
        "baselines": study.baselines,
        "remarks": study.remarks,
    }


def summary(study: "Study", report: Path | None, width: int) -> "list[RenderableType]":
    """What is printed at the end of a search, from top to bottom, for a console of `width` columns."""
    import msgspec
    from rich.text import Text

    from layerwise.cli import results
    from layerwise.progress import wording

    counts = study.counts()
    over = {state: count for state, count in sorted(counts.items()) if state not in ("running", "waiting")}
    words = wording.listed([f"{count} {state.replace('_', ' ')}" for state, count in over.items()]) or "none over"
    kept = "the best model so far is kept" if study.has_winner else "too early for a model"
    endings = {
        "finished": "Searched {n} in {time}: {words}.",
        "interrupted": "Interrupted after {n} of {all} in {time}: {words}; {kept}.",
        "time_limit": "Out of time after {n} of {all} in {time}: {words}; {kept}.",
        "joined": "Helped with {n} in {time}; the process that began the study names its winner.",
        "diverged": "None of {n} gave a finite loss.",
    }
    n = wording.counted(sum(over.values()), "setting")
    ending = endings[study.status].format(
        n=n, all=sum(counts.values()), time=wording.duration(study.seconds), words=words, kept=kept
    )
    blocks: list[RenderableType] = [Text(ending, style="bold red" if study.status == "diverged" else "bold")]
    if study.finalists:
        blocks += ["", _finalists(study)]
    if study.has_winner:
        of_run = results.of(study.run)
        result = msgspec.structs.replace(
            of_run,
            status="finished",
            seconds=study.seconds,
            remarks=study.remarks,
            can_go_on=study.status == "finished" and of_run.can_go_on,  # else it is the study that goes on
        )
        blocks += results.summary(result, width)[1:]
    elif study.remarks:
        blocks += ["", *(results.bullet(remark) for remark in study.remarks)]
    if report is not None:
        blocks += [Text.assemble(("report   ", "dim"), str(report))]
    if study.status in ("interrupted", "time_limit"):
        words = shlex.quote(str(study.folder))
        blocks += [Text.assemble(("go on    ", "dim"), (f"layerwise tune --resume {words}", "cyan"))]
    return blocks


def _finalists(study: "Study") -> "RenderableType":
    """The best settings with mean and interval over further seeds, the winner marked."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.cli.results import STAR
    from layerwise.progress import wording
    from layerwise.progress.search import in_words

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("finalist", no_wrap=True)
    table.add_column(f"validation {wording.label(study.monitor)}", no_wrap=True)
    table.add_column("in the search", no_wrap=True, style="dim")
    table.add_column("settings", overflow="fold")
    for final in sorted(study.finalists, key=lambda final: study.sign * final.mean):
        won = study.best is not None and final.number == study.best.number
        name = "as written" if final.number is None else f"trial {final.number}"
        table.add_row(
            Text(f"{name} {STAR}" if won else name, style="bold green" if won else ""),
            Text(f"{final.mean:.4g} ({final.low:.4g} to {final.high:.4g})"),
            "-" if final.searched is None else f"{final.searched:.4g}",
            in_words(final.settings),
        )
    return table
