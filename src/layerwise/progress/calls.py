"""The calls of Python that take their time; each shows how far it is, where someone looks on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.progress.board import Board
from layerwise.progress.screen import messages, redraws
from layerwise.progress.view import Watch, silently, watching
from layerwise.recipe import Source
from layerwise.training.events import Started

if TYPE_CHECKING:
    from layerwise.training.run import Run


def train(recipe: Source, *, data: Any = None, out: Path | str | None = None, progress: bool = True) -> "Run":
    """Train a recipe to its end and return the finished run; `recipe`, `data` and `out` are as for `Run`.

    A terminal and a notebook show how far it is, a log or a pipe does not; with ``progress=False``
    nothing does. Raises what `Run` raises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = train({"data": {"kind": "toy", "name": "and", "n": 4, "split": "none"},
    ...                  "network": "perceptron"}, out=folder)
    >>> run.status, run.metrics["train"]["accuracy"].value
    ('finished', 1.0)
    """

    def begin() -> "Run":
        from layerwise.training.run import Run

        return Run(recipe, data=data, out=out)

    board = Board(Path(recipe).stem if isinstance(recipe, str | Path) else "training")
    return attend(begin, board, _shown(board) if progress else silently())


def attend(begin: "Callable[[], Run]", board: Board, show: AbstractContextManager[Watch]) -> "Run":
    """Train what `begin` makes to its end, while `show` draws the board; it is begun under the view."""
    with show as watch, begin() as run:
        for event in run:
            if isinstance(event, Started):
                board.follow(run.recipe)
            watch(event)
    return run


def _shown(board: Board) -> AbstractContextManager[Watch]:
    console = messages()
    return watching(board, console) if redraws(console) else silently()
