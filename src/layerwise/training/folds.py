"""Cross-validation: a run for each fold in one folder, and what they come to together.

    with CrossValidation("digits") as folds:
        for event in folds:
            print(event)
    print(folds.metrics["test"]["accuracy"], folds.scores("accuracy"))

Every row outside an official test part is held out once, by a network that has not seen it: of the
other rows a share of their own decides when training stops, and each fold is scored once, at the end.
"""

import contextlib
import hashlib
import math
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from layerwise.errors import LayerwiseError, RunError
from layerwise.recipe import Recipe, Source, check_duration, load
from layerwise.recipe.folds import fold_of, folded, folds_of
from layerwise.recipe.wording import nearest
from layerwise.tasks.intervals import Interval, deviation, mean_within
from layerwise.training.events import AnyEvent, Finished, Scoring
from layerwise.training.folder import Folder, begun, claimed, name_of
from layerwise.training.interrupt import Interrupts
from layerwise.training.result import Metrics
from layerwise.training.run import OVER, Run
from layerwise.training.wording import described, headline, rounded

ENDS = ("diverged", "time_limit", "finished")  # the first that a fold came to is the status of all


class Fold(msgspec.Struct, frozen=True):
    """What came of one fold: as a run's own attributes of these names. `number` counts from 1.

    `unscored` are the baselines that an interruption left out.
    """

    number: int
    folder: Path
    status: str
    epochs: int
    seconds: float
    metrics: Metrics
    baselines: dict[str, Metrics]
    unscored: int = 0


class CrossValidation:
    """Trains one recipe once for each fold. Iterate over it, inside `with`, to make it train.

    It yields the events of one run after the other; `recipe` is that of the fold at hand. The folder
    holds the recipe, the figures of all folds together, and in `fold-1`, `fold-2`, ... a run for each,
    as `Run` writes it. After the loop there are

    * `folds`: what came of each (`Fold`);
    * `metrics` (part -> metric -> interval): the mean over the folds with its 95% interval, as
      `mean_interval` has it; the held-out folds are the part "test";
    * `spread` (part -> metric): the standard deviation from fold to fold;
    * `baselines`: the same means for each baseline that was scored in every fold;
    * `status`, `epochs` and `seconds` (of all folds), `remarks`, and whether it `can_go_on`.

    `recipe` may have any split that deals rows at random; `folds` is the number of folds, else the
    recipe's own or 5. `data`, `out` and `name` are as for `Run`. A time limit is each fold's.

    Within the context the first Ctrl-C ends it in order: the folds that are over are kept, the one at
    hand is neither finished nor scored, and `resume` goes on with it. A second one raises
    KeyboardInterrupt.
    """

    def __init__(
        self,
        recipe: Source,
        folds: int | None = None,
        *,
        data: Any = None,
        out: Path | str | None = None,
        name: str | None = None,
    ) -> None:
        self._name = (name or name_of(recipe)) if out is None else None
        self._files, self._whole = begun(recipe, data, out, self._name, lambda source: folded(load(source), folds))
        self._prepare(resuming=False)

    @classmethod
    def resume(cls, folder: Path | str, *, time_limit: str | None = None) -> "CrossValidation":
        """The cross-validation in `folder`, to go on where it stopped. Raises `RunError` where there is none.

        `time_limit` ("5m", or "none") holds in place of the recipe's, this time: also for folds that came to theirs.
        """
        work = cls.__new__(cls)
        work._files, work._name = Folder(Path(folder)), None
        work._whole = work._files.read_recipe()
        if not folds_of(work._whole):
            raise RunError(
                'a cross-validation\'s recipe has data.split.fold = "all"',
                received=f"{folder}, which holds a single run",
                remedy="resume it with: layerwise resume, or Run.resume(folder)",
            )
        work._prepare(resuming=True)
        if time_limit is not None:
            check_duration(time_limit)
            work.time_limit = time_limit
        return work

    def _prepare(self, *, resuming: bool) -> None:
        self.time_limit: str | None = None  # in place of the recipe's, this time
        self.recipe: Recipe = self._whole
        self.status = "running"
        self.folds: list[Fold] = []
        self.metrics: Metrics = {}
        self.spread: dict[str, dict[str, float]] = {}
        self.baselines: dict[str, Metrics] = {}
        self.remarks: tuple[str, ...] = ()
        self.can_go_on = False
        self._resuming = resuming
        self._cancelled = False
        self._run: Run | None = None
        self._interrupts = Interrupts(self.cancel, lambda: self._cancelled)
        self._events: Generator[AnyEvent, None, None] | None = None

    def __repr__(self) -> str:
        """What it is, how far it came, and where it is."""
        done = f"{len(self.folds)} of {folds_of(self._whole)} folds over"
        return described("CrossValidation", self.folder, self.status, done, headline(self.metrics))

    # ── what it offers ──────────────────────────────────────────────────────────────────────────

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._files.path

    @property
    def epochs(self) -> int:
        """Epochs trained, of all folds together."""
        return sum(fold.epochs for fold in self.folds)

    @property
    def seconds(self) -> float:
        """Time spent on all folds together."""
        return math.fsum(fold.seconds for fold in self.folds)

    def scores(self, metric: str, part: str = "test") -> list[float]:
        """A metric in each fold; NaN where that fold does not define it.

        Raises `LayerwiseError` for what no fold was judged by.
        """
        known = dict.fromkeys(name for fold in self.folds for name in fold.metrics.get(part, {}))
        if self.folds and metric not in known:
            raise LayerwiseError(
                f"the folds were judged by a metric of that name on the {part} part",
                received=repr(metric),
                remedy=nearest(metric, known) or f"one of: {', '.join(known) or 'none on this part'}",
            )
        return [
            fold.metrics[part][metric].value if metric in fold.metrics.get(part, {}) else math.nan
            for fold in self.folds
        ]

    def cancel(self) -> None:
        """End after the call in progress, as Ctrl-C does."""
        self._cancelled = True
        if self._run is not None:
            self._run.cancel()

    # ── the context and its events ──────────────────────────────────────────────────────────────

    def __enter__(self) -> "CrossValidation":
        self._interrupts.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._events is not None:
                self._events.close()
                if kind is None and self.status == "running":  # the loop was left
                    self._conclude("interrupted")
        finally:
            self._files.abandon()
            self._interrupts.release()

    def __iter__(self) -> Generator[AnyEvent, None, None]:
        if self._events is None:
            self._events = self._train()
        return self._events

    # ── the course of it ────────────────────────────────────────────────────────────────────────

    def _train(self) -> Generator[AnyEvent, None, None]:
        trained, folds = False, folds_of(self._whole)
        for number in range(1, folds + 1):
            if self._resuming and (finished := self._outcome(files := self._of(number))):
                self._keep(number, files, finished)
            elif not self._cancelled:
                self._files, trained = claimed(self._files, self._name, fresh=not self._resuming), True
                yield from self._fold(number, self._of(number))
        complete = len(self.folds) == folds
        ends = [fold.status for fold in self.folds]
        status = next((end for end in ENDS if end in ends), "stopped_early")
        written = self._files.read_metrics().get("status", "interrupted") != "interrupted"
        self._conclude(status if complete else "interrupted", over=complete and not trained and written)

    def _outcome(self, files: Folder) -> Finished | None:
        """How a fold's run ended, where it came to its end; its time limit is one, unless it is given another."""
        last = next(iter(files.events()[-1:]), None)
        if not isinstance(last, Finished):
            return None
        limited = last.status == "time_limit" and self.time_limit is None and not last.unscored
        return last if limited or not last.can_go_on else None

    def _of(self, number: int) -> Folder:
        """The folder of a fold's run."""
        return Folder(self.folder / f"fold-{number}")

    def _fold(self, number: int, files: Folder) -> Generator[AnyEvent, None, None]:
        """Train one fold; where it is cut short, its held-out rows stay unscored."""
        if self._resuming and files.recipe.is_file():
            self._run = Run.resume(files.path)
        else:
            self._run = Run(fold_of(self._whole, number), out=files.path)
        self._run.time_limit = self.time_limit
        with contextlib.suppress(_CutShortError), self._run as run:
            self._interrupts.again()  # all folds end, not this one alone
            for event in run:
                self.recipe = run.recipe
                if not self._files.recipe.is_file():  # not before the data was found good
                    self._files.write_recipe(self._whole)
                if isinstance(event, Scoring | Finished) and event.status == "interrupted":
                    raise _CutShortError
                if isinstance(event, Finished):
                    self._keep(number, files, event)
                yield event
        self._run = None

    def _keep(self, number: int, files: Folder, end: Finished) -> None:
        self.folds.append(
            Fold(number, files.path, end.status, end.epochs, end.seconds, end.metrics, end.baselines, end.unscored)
        )

    def _conclude(self, status: str, *, over: bool = False) -> None:
        """The figures of the folds that are over, together; written down unless nothing is new."""
        self.status = status
        folds = folds_of(self._whole)
        self.metrics = _means([fold.metrics for fold in self.folds], folds)
        self.spread = _spreads([fold.metrics for fold in self.folds])
        self.baselines = {
            name: means
            for name in _common([fold.baselines for fold in self.folds])
            if (means := _means([fold.baselines[name] for fold in self.folds], folds))
        }
        unscored = sum(fold.unscored > 0 for fold in self.folds)
        self.can_go_on = status == "interrupted" or unscored > 0
        left = [f"in {unscored} of {folds} folds not all classical methods were scored: it was interrupted."]
        self.remarks = (*([OVER] if over else []), *_beaten(self.folds, folds), *(left if unscored else []))
        if not over and self._files.recipe.is_file():
            self._files.write_metrics(self._record())

    def _record(self) -> dict[str, Any]:
        prints = [Folder(fold.folder).read_metrics()["split"]["fingerprint"] for fold in self.folds]
        result: dict[str, Any] = msgspec.to_builtins(
            {
                "status": self.status,
                "epochs": self.epochs,
                "seconds": self.seconds,
                "metrics": self.metrics,
                "spread": self.spread,
                "baselines": self.baselines,
                "remarks": self.remarks,
            }
        )
        result["split"] = {"kind": "kfold", "fingerprint": hashlib.sha256("".join(prints).encode()).hexdigest()[:16]}
        return result


class _CutShortError(Exception):
    """Leaves a run's context without bringing the run to its end."""


# ── the figures of all folds together ───────────────────────────────────────────────────────────


def mean_interval(metric: str, values: Sequence[float], folds: int) -> Interval:
    """The mean of a metric over the folds that are over, with the 95% interval of what it estimates.

    The folds' training rows overlap, so their scores vary together and less than those of networks
    trained on rows of their own: ``s / sqrt(k)`` is too small an error, and none from one
    cross-validation is without bias (Bengio & Grandvalet 2004, "No unbiased estimator of the variance of
    k-fold cross-validation"). This is the correction of Nadeau & Bengio (2003, "Inference for the
    generalization error") with a fold for its test rows and the others for its training rows,

        mean +- t(0.975; n - 1) * s * sqrt(1 / n + 1 / (folds - 1)),

    n being the values and s their standard deviation; cut off where the metric cannot be.

    >>> found = mean_interval("accuracy", [0.90, 0.92, 0.94, 0.96, 0.98], 5)  # t = 2.776, s = 0.0316
    >>> [round(x, 4) for x in (found.value, found.low, found.high)]
    [0.94, 0.8811, 0.9989]
    """
    return mean_within(metric, values, math.sqrt(1 / len(values) + 1 / (folds - 1)))


def _beaten(scores: Sequence[Fold], folds: int) -> list[str]:
    """A sentence where a baseline beats the network, judged fold by fold, since both saw the same rows."""
    own = [fold.metrics.get("test", {}) for fold in scores]
    metric = next((name for name in ("accuracy", "rmse") if name in _common(own)), "")
    gains: dict[str, list[float]] = {}
    for name in _common([fold.baselines for fold in scores]) if metric else []:
        rival = [fold.baselines[name].get("test", {}) for fold in scores]
        if metric in _common(rival):
            sign = 1 if metric == "accuracy" else -1
            gains[name] = [sign * (r[metric].value - o[metric].value) for r, o in zip(rival, own, strict=True)]
    best = max(gains, key=lambda name: math.fsum(gains[name]), default="")
    if len(scores) < 2 or not best or math.fsum(gains[best]) <= 0:
        return []
    gain = mean_interval("", gains[best], folds)
    wins = sum(value > 0 for value in gains[best])
    verb, chance = ("is ahead of", "which may be chance") if gain.low <= 0 else ("beats", "which is hardly chance")
    return [
        f"{best} {verb} the network, in {wins} of {len(scores)} folds: on average its {metric} is better by "
        f"{rounded(gain.value)} ({rounded(gain.low)} to {rounded(gain.high)}), {chance}."
    ]


def _means(scores: Sequence[Metrics], folds: int) -> Metrics:
    """Each metric that all folds define; of a single fold its own bootstrap interval."""
    if len(scores) == 1:
        return dict(scores[0])
    return {
        part: {metric: mean_interval(metric, values, folds) for metric, values in figures.items()}
        for part, figures in _values(scores).items()
    }


def _spreads(scores: Sequence[Metrics]) -> dict[str, dict[str, float]]:
    if len(scores) < 2:
        return {}
    return {
        part: {metric: deviation(values) for metric, values in figures.items()}
        for part, figures in _values(scores).items()
    }


def _values(scores: Sequence[Metrics]) -> dict[str, dict[str, list[float]]]:
    """part -> metric -> the values in all folds."""
    return {
        part: {
            metric: [score[part][metric].value for score in scores]
            for metric in _common([score[part] for score in scores])
        }
        for part in _common(scores)
    }


def _common(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that all mappings have, in the order of the first."""
    return [key for key in (mappings[0] if mappings else ()) if all(key in other for other in mappings)]
