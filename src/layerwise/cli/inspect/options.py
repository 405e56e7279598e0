"""What the `inspect` commands have in common: their options, how they wait, and how they give what they found."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli import console
from layerwise.errors import LayerwiseError
from layerwise.progress.screen import messages, redraws
from layerwise.training.interrupt import Interrupts

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.subjects import Subject
    from layerwise.inspection.trajectories import Retraining


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
    with console.importing():
        from layerwise.inspection.subjects import subject
        from layerwise.recipe import load

    if trained_model(inspected, settings) is None:
        return subject(load(inspected, settings) if settings else inspected)
    path = Path(inspected)
    return subject(str(path if path.suffix == ".safetensors" else _folder(path)))


def trained_model(inspected: str, settings: Sequence[str] | None = None) -> Path | None:
    """The model file of the run, the study or the file that is meant; None where it is a recipe.

    Raises `LayerwiseError` for a folder that has none, and for a cross-validation, which has one for each fold.
    """
    from layerwise.cli.folders import HOME
    from layerwise.tuning.listing import model_file

    path = Path(inspected)
    folder = path.is_dir() or (not path.exists() and (HOME / path / "recipe.toml").is_file())
    if not folder and path.suffix != ".safetensors":
        return None
    if settings:
        raise LayerwiseError(
            "settings change a recipe",
            received=f"--set with {inspected}, which is trained already",
            remedy="leave --set out, or name the recipe",
        )
    return model_file(_folder(path) if folder else path)


def _folder(path: Path) -> Path:
    from layerwise.cli.folders import run_folder

    return run_folder(path)


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


# ── a bar on a terminal, a line in a log ──────────────────────────────────────────────────────────


@contextmanager
def waiting(words: str) -> Iterator[Callable[[float], None]]:
    """Show `words` on standard error within the block, which tells the function it gets what share is done.

    Where the share is never told, only a sign of life moves. Ctrl-C ends the block when it next tells, a second
    one at once: raised just anywhere, Python may drop it inside a callback of JAX's.
    """
    caught = False

    def catch() -> None:
        nonlocal caught
        caught = True

    def heed() -> None:
        if caught:
            raise KeyboardInterrupt

    interrupts = Interrupts(catch, lambda: caught)
    interrupts.hold()
    try:
        with _shown(words) as show:

            def tell(share: float) -> None:
                show(share)
                heed()

            yield tell
        heed()
    finally:
        interrupts.release()


@contextmanager
def _shown(words: str) -> Iterator[Callable[[float], None]]:
    console = messages()
    if not redraws(console):
        console.print(f"{words} ...", soft_wrap=True)
        yield lambda share: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn("dots", style="cyan"),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(words, total=None)
        yield lambda share: bar.update(task, completed=share, total=1.0)


def trained(training: "Retraining") -> None:
    """Train, and show how far it is."""
    from layerwise.training.events import Progress

    with waiting(
        f"training {training.subject.name}{' again, for its path' if training.subject.trained else ''}"
    ) as tell:
        for event in training:
            if isinstance(event, Progress):
                tell(event.epoch / training.end)
