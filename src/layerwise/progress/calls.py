"""The calls of Python that take their time; each shows how far it is, where someone looks on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from layerwise.progress.board import Board
from layerwise.progress.screen import messages, redraws, silently
from layerwise.progress.view import Watch, watching
from layerwise.recipe import Recipe, Source
from layerwise.training.events import AnyEvent, Started

if TYPE_CHECKING:
    from layerwise.progress import search
    from layerwise.training.folds import CrossValidation
    from layerwise.training.model import Model
    from layerwise.training.run import Run
    from layerwise.tuning.study import Study


@runtime_checkable
class Training(Protocol):
    """What `Run` and `CrossValidation` have in common: a context whose events are what happens."""

    recipe: Recipe
    time_limit: str | None

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> None: ...
    def __iter__(self) -> Iterator[AnyEvent]: ...


Work = TypeVar("Work", bound=Training)


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

    board = Board(_name(recipe))
    return attend(begin, board, _shown(board) if progress else silently())


def cross_validate(
    recipe: Source,
    folds: int | None = None,
    *,
    data: Any = None,
    out: Path | str | None = None,
    progress: bool = True,
) -> "CrossValidation":
    """Train a recipe once for each fold, each time scored on the rows held out; as scikit-learn's function.

    `recipe`, `folds` (else the recipe's own number, or 5), `data` and `out` are as for
    `CrossValidation`, which is returned; `progress` is as for `train`.

    >>> import tempfile
    >>> recipe = {"data": {"kind": "toy", "name": "plane", "n": 100}, "network": "linear", "train": {"epochs": 9}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = cross_validate(recipe, 4, out=folder)
    >>> len(found.scores("r2")), found.metrics["test"]["r2"].low <= found.metrics["test"]["r2"].value
    (4, True)
    """

    def begin() -> "CrossValidation":
        from layerwise.training.folds import CrossValidation

        return CrossValidation(recipe, folds, data=data, out=out)

    board = Board(_name(recipe), several=True)
    return attend(begin, board, _shown(board) if progress else silently())


def attend(begin: Callable[[], Work], board: Board, show: AbstractContextManager[Watch]) -> Work:
    """Train what `begin` makes to its end, while `show` draws the board; it is begun under the view."""
    with show as watch:
        work = begin()
        with work:
            for event in work:
                if isinstance(event, Started):
                    board.follow(work.recipe, work.time_limit)
                watch(event)
    return work


def load(path: Path | str) -> "Model":
    """The model at `path`: a model file, or the folder of a run, of a study (its winner's) or of a fold.

    Raises `ModelFileError` where the file is missing, cut short, altered, newer, or not ours; `LayerwiseError`
    for a cross-validation, which has several.
    """
    from layerwise.training.model import load as load_model
    from layerwise.tuning.listing import model_file

    return load_model(model_file(Path(path)))


def _name(recipe: Source) -> str:
    return Path(recipe).stem if isinstance(recipe, str | Path) else "training"


def _shown(board: Board) -> AbstractContextManager[Watch]:
    console = messages()
    return watching(board, console) if redraws(console) else silently()


def tune(
    recipe: Source,
    *,
    method: str | None = None,
    trials: int | None = None,
    storage: str | None = None,
    time_limit: str = "none",
    cluster: str | None = None,
    out: Path | str | None = None,
    progress: bool = True,
) -> "Study":
    """Search over a recipe to the end and return the study; the arguments are those of `Study`.

    Progress is shown as by `train`. Raises what `Study` raises.

    >>> import tempfile
    >>> recipe = {"data": {"kind": "toy", "name": "circle", "n": 60}, "network": {"kind": "mlp", "hidden": [4]},
    ...           "train": {"epochs": 3}, "search": {"space": {"train.learning_rate": {"log": [1e-3, 1e-1]}}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = tune(recipe, trials=4, out=folder)
    ...     len(study.trials), study.status
    (4, 'finished')
    """
    from layerwise.progress import search

    def begin() -> "Study":
        from layerwise.tuning.study import Study

        return Study(
            recipe, method=method, trials=trials, storage=storage, time_limit=time_limit, cluster=cluster, out=out
        )

    board = search.SearchBoard(Path(recipe).stem if isinstance(recipe, str | Path) else "search")
    console = messages()
    return attend_study(begin, search.watching(board, console) if progress and redraws(console) else silently())


def attend_study(begin: "Callable[[], Study]", show: "AbstractContextManager[search.Watch]") -> "Study":
    """Search with what `begin` makes to its end, while `show` draws what happens."""
    with show as watch, begin() as study:
        for event in study:
            watch(event)
    return study
