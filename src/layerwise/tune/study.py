"""One study: a context that searches, yields events, and always leaves the best model behind.

    with Study("digits", trials=64) as study:
        for event in study:
            print(event)
    study.best.settings, study.model.predict(...)

Trials are lanes (`layerwise.training.lanes`), compared on the validation part alone. The best three
are trained again on seeds that the search did not see, beside the recipe as it was written, before
one is named; only that one is scored on the test part, once.
"""

import math
import signal
import statistics
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from layerwise.errors import LayerwiseError, RecipeError, RunError
from layerwise.recipe import Source, load
from layerwise.recipe import records as r
from layerwise.tasks.metrics import Interval
from layerwise.training.events import Scoring, TestTouched
from layerwise.training.folder import new_folder
from layerwise.training.lanes import Lanes, forecast, memory_budget
from layerwise.training.model import Model
from layerwise.training.resolve import seconds
from layerwise.training.run import Run
from layerwise.tune.events import (
    AnyStudyEvent,
    Finalist,
    LanesChosen,
    Searching,
    StudyFinished,
    StudyStarted,
    TrialEnded,
)
from layerwise.tune.folder import StudyFolder
from layerwise.tune.ledger import Ledger, Ticket
from layerwise.tune.search import ASKED_AT_ONCE
from layerwise.tune.space import Settings, Space, described
from layerwise.tune.trials import Maker, Trial

if TYPE_CHECKING:
    import polars as pl

FINALISTS = 3
SEEDS = 3  # that each finalist is trained on
REDUCTION = 4  # halving keeps one lane in so many at each rung
FIRST_RUNG = 16  # the first rung is this part of all epochs
AT_ONCE = 4096  # lanes at most
TAKEN_AT_ONCE = 16  # from a list that other processes take from, too
SEARCHING_EVERY = 0.1  # seconds between two events of progress
LOOKING_EVERY = 0.5  # seconds between two looks whether the others are done
CHAMPION_EVERY = 1.0  # seconds at least between two writings of the best so far


class Study:
    """Searches over one recipe in one folder. Iterate over it, inside `with`, to make it search.

    `recipe` says what is searched (`[search]`; without it a default space); `method`, `trials` and
    `time_limit` ("5m") change what it says. `storage` is the URL of a database that several processes
    share. Raises `RecipeError` for a space that is not one.

    After the loop there are `status`, `best` (a `Finalist`: settings, mean and interval over seeds),
    `model`, `trials` (a frame), `metrics`, `baselines` and `remarks`.
    """

    def __init__(
        self,
        recipe: Source,
        *,
        method: str | None = None,
        trials: int | None = None,
        storage: str | None = None,
        time_limit: str = "none",
        out: Path | str | None = None,
    ) -> None:
        loaded = load(recipe)
        search = loaded.search if isinstance(loaded.search, r.Search) else r.Search()
        space = Space(msgspec.structs.replace(loaded, search=search))
        changes: dict[str, Any] = {"space": space.axes}
        changes |= {"method": method} if method is not None else {}
        changes |= {"trials": trials} if trials is not None else {}
        self.recipe = load(msgspec.structs.replace(loaded, search=msgspec.structs.replace(search, **changes)))
        name = Path(recipe).stem if isinstance(recipe, str | Path) else "study"
        self._files = StudyFolder(Path(out) if out is not None else new_folder(f"{name}-study"))
        self._files.found(self.recipe, storage, owner=str(uuid.uuid4()))
        self._prepare(time_limit)

    @classmethod
    def resume(cls, folder: Path | str, *, storage: str | None = None, time_limit: str = "none") -> "Study":
        """The study in `folder`, to go on where it stopped. Raises `RunError` where there is none.

        `storage` is needed only where the database's URL has a password, which is written nowhere.
        """
        study = cls.__new__(cls)
        study._files = StudyFolder(Path(folder))
        study.recipe = study._files.read_recipe(storage)
        study._prepare(time_limit)
        return study

    def _prepare(self, time_limit: str) -> None:
        assert isinstance(self.recipe.search, r.Search)
        self._search = self.recipe.search
        self._space = Space(self.recipe)
        self._limit = seconds(time_limit)
        self._lanes = Lanes()
        self.status = "running"
        self.best: Finalist | None = None
        self.metrics: dict[str, dict[str, Interval]] = {}
        self.baselines: dict[str, dict[str, dict[str, Interval]]] = {}
        self.remarks: tuple[str, ...] = ()
        self._run: Run | None = None
        self._champion: Trial | None = None  # the best lane so far, its weights at hand
        self._kept = -math.inf  # when it was last written
        self._ledger: Ledger | None = None
        self._began = time.monotonic()
        self._ended = 0.0
        self._before = self._files.seconds()
        self._cancelled = False
        self._handler: Any = None
        self._events: Iterator[AnyStudyEvent] | None = None
        self._tickets: list[Ticket] = []  # taken, and not yet made into lanes
        self._wave_now: list[Trial] = []
        self._told, self._done_epochs = time.monotonic(), 0  # when progress was last told, lane epochs since

    # ── what a study offers ─────────────────────────────────────────────────────────────────────

    @property
    def folder(self) -> Path:
        """Where the study's files are."""
        return self._files.path

    @property
    def storage(self) -> Path | str:
        """Where the trials are: a journal's path, or a database's URL."""
        return self._files.storage

    @property
    def seconds(self) -> float:
        """Time spent until now or the study's end, earlier sessions included."""
        return self._before + ((self._ended or time.monotonic()) - self._began)

    @property
    def run(self) -> Run:
        """The winner's own run, in the folder `best`. Raises `RunError` where there is none."""
        if self._run is None:
            raise RunError("the winner is there once the study is over", remedy="iterate over the study to its end")
        return self._run

    @property
    def model(self) -> Model:
        """The winner's model."""
        return self.run.model

    @property
    def has_winner(self) -> bool:
        """Whether a model came of the study."""
        return self._run is not None

    @property
    def finalists(self) -> tuple[Finalist, ...]:
        """The best settings and the recipe as written, trained on further seeds; empty before."""
        return tuple(event for event in self._files.events() if isinstance(event, Finalist))

    @property
    def method(self) -> str:
        """How settings are chosen."""
        return self._search.method

    @property
    def monitor(self) -> str:
        """The validation quantity that trials are compared by."""
        return self.recipe.train.monitor if isinstance(self.recipe.train, r.Train) else r.Train().monitor

    @property
    def sign(self) -> int:
        """1 where a lower value is better, -1 where a higher one is."""
        return 1 if self.monitor == "loss" else -1

    def counts(self) -> dict[str, int]:
        """How many trials ended in which way."""
        found: dict[str, int] = {}
        for state in self.trials["state"]:
            found[state] = found.get(state, 0) + 1
        return found

    @property
    def trials(self) -> "pl.DataFrame":
        """A row a trial: number, state, value, epochs and a column for each searched setting."""
        import polars as pl

        epochs = {number: ended.epochs for number, ended in self._files.ended().items()}
        rows = self._ledger.rows() if self._ledger is not None else []
        if not rows:
            rows = [
                {"number": e.number, "state": e.state, "value": e.value, **e.settings}
                for e in self._files.ended().values()
            ]
        return pl.DataFrame(
            [{**row, "epochs": epochs.get(row["number"])} for row in rows], infer_schema_length=None
        ).select("number", "state", "value", "epochs", *self._space.axes)

    def cancel(self) -> None:
        """End the search after the calls in progress, as Ctrl-C does."""
        self._cancelled = True
        if self._run is not None:
            self._run.cancel()

    # ── the context and its events ──────────────────────────────────────────────────────────────

    def __enter__(self) -> "Study":
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._events is not None and self.status == "running":
                self.cancel()
                for _ in self._events:  # the loop was left: bring the study to its end
                    pass
        finally:
            if self._ledger is not None:
                self._ledger.close()
            self._files.release()
            if self._handler is not None:
                signal.signal(signal.SIGINT, self._handler)
                self._handler = None

    def __iter__(self) -> Iterator[AnyStudyEvent]:
        if self._events is None:
            self._events = self._logged()
        return self._events

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._cancelled:
            raise KeyboardInterrupt
        self.cancel()

    def _logged(self) -> Iterator[AnyStudyEvent]:
        self._files.hold()
        for event in self._course():
            if not isinstance(event, Searching):
                self._files.append(event)
            yield event

    def _stopped(self) -> bool:
        return self._cancelled or time.monotonic() - self._began > self._limit

    # ── the course of a study ───────────────────────────────────────────────────────────────────

    def _course(self) -> Iterator[AnyStudyEvent]:
        over = self._files.outcome()
        if over is not None:
            self._recall(over)
            yield over
            return
        yield self._begin()
        ledger = self._ledger
        assert ledger is not None
        while not self._stopped():
            yield from self._wave()
            if self._wave_now:
                yield from self._train_wave()
            elif ledger.waits_for_others():
                yield self._progress(0)
                time.sleep(LOOKING_EVERY)
            else:
                break
        yield from self._finish()

    def _begin(self) -> StudyStarted:
        self._maker = Maker(msgspec.structs.replace(self.recipe, search="none"))
        dataset = self._maker.dataset
        if dataset.validation.size == 0:
            raise RecipeError(
                "trials are compared on a validation part",
                received="a split without one",
                remedy='e.g. data.split = { kind = "random", validation = 0.2, test = 0.2 }',
            )
        written = self._maker.resolved(msgspec.structs.replace(self.recipe, search="none"))
        self._uses = self._space.switches()
        self._champion = self._files.champion(self._maker)
        self._maker.share_widths(self._space, self._search.trials)
        self._ledger = Ledger(
            self._files.storage,
            name=self._files.name,
            owner=self._files.owner,
            space=self._space,
            method=self._search.method,
            trials=self._search.trials,
            seed=self.recipe.seed,
            direction="minimize" if self.sign > 0 else "maximize",
        )
        return StudyStarted(
            seconds=self.seconds,
            method=self._search.method,
            trials=self._ledger.size,
            done=self._ledger.done(),
            monitor=self.monitor,
            axes=dict(described(self._space)),
            rows={part: int(dataset.part(part).size) for part in ("train", "validation", "test")},
            notes=(*dataset.notes, *written.notes),
        )

    def _wave(self) -> Iterator[AnyStudyEvent]:
        """The next trials as lanes: as many as are asked for at a time, and as memory has room for."""
        assert self._ledger is not None
        if not self._tickets:
            count = ASKED_AT_ONCE if self._search.method == "bayes" else AT_ONCE
            self._tickets = self._ledger.take(min(count, TAKEN_AT_ONCE) if self._files.shared else count)
        wave: list[Trial] = []
        known = self._files.ended()
        budget = memory_budget()
        while self._tickets and (not wave or budget > 0):
            ticket = self._tickets.pop(0)
            if (ended := known.get(ticket.number)) is not None:
                self._ledger.tell(ticket.number, ended.state, ended.value)
                continue
            try:
                trial = self._trial(ticket.number, ticket.settings, self.recipe.seed)
            except LayerwiseError as error:  # settings that do not fit the data, say
                yield TrialEnded(
                    seconds=self.seconds,
                    number=ticket.number,
                    settings=ticket.settings,
                    state="refused",
                    value=None,
                    epochs=0,
                    curve=(),
                    reason=error.rule + (f" ({error.received})" if error.received else ""),
                )
                self._ledger.tell(ticket.number, "refused", None)
            else:
                wave.append(trial)
                budget -= forecast(trial.trainer)
        self._wave_now = wave

    def _trial(self, number: int, settings: Settings, seed: int) -> Trial:
        resolved = self._maker.resolved(self._space.recipe(settings))
        return Trial(number, settings, self._maker.lane(resolved, seed, self._uses), seed)

    def _train_wave(self) -> Iterator[AnyStudyEvent]:
        """Train the lanes from rung to rung; at each, halving keeps the best of them."""
        going = self._wave_now
        longest = max((trial.trainer.epochs for trial in going), default=0)
        for rung in self._rungs(longest):
            yield from self._train(going, rung)
            if self._stopped():
                break
            going = [trial for trial in going if trial.trainer.running]
            if rung < longest and going:
                going = yield from self._halve(going, rung)
        for trial in going:
            self._crown(trial)  # those that were interrupted have weights, too
        self._wave_now = []

    def _rungs(self, epochs: int) -> list[int]:
        if not self._search.halving:
            return [epochs]
        rungs = [max(1, epochs // FIRST_RUNG)]
        while rungs[-1] * REDUCTION < epochs:
            rungs.append(rungs[-1] * REDUCTION)
        return [*rungs, epochs]

    def _train(self, going: Sequence[Trial], rung: int) -> Iterator[AnyStudyEvent]:
        told = len(self._lanes.choices)
        alive = len(going)
        for number, events, over in self._lanes.train([trial.trainer for trial in going], rung, self._stopped):
            for choice in self._lanes.choices[told:]:
                yield LanesChosen(seconds=self.seconds, **choice._asdict())
            told = len(self._lanes.choices)
            self._done_epochs += going[number].hear(events, self.monitor)
            if over:
                alive -= 1
                yield from self._end(going[number], going[number].trainer.status)
            if time.monotonic() - self._told > SEARCHING_EVERY:
                yield self._progress(alive)

    def _halve(self, going: list[Trial], rung: int) -> Generator[AnyStudyEvent, None, list[Trial]]:
        """Successive halving (Jamieson & Talwalkar 2016): one in `REDUCTION` of all that came to this rung goes on.

        Lanes of one wave are compared with each other and with those of earlier waves and other processes,
        as in the asynchronous form (Li et al. 2020).
        """
        assert self._ledger is not None
        found = {trial.number: trial.value(self.monitor) for trial in going}
        for trial in going:
            if (value := found[trial.number]) is not None:
                self._ledger.report(trial.number, rung, value)
        standing = sorted(self.sign * value for value in self._ledger.standing(rung))
        bar = standing[max(1, len(standing) // REDUCTION) - 1] if standing else math.inf
        kept: list[Trial] = []
        for trial in going:
            value = found[trial.number]
            if value is not None and self.sign * value <= bar:
                kept.append(trial)
            else:
                yield from self._end(trial, "dropped")
        return kept

    def _end(self, trial: Trial, state: str) -> Iterator[AnyStudyEvent]:
        """Write down that a trial is over."""
        assert self._ledger is not None
        value = None if state == "diverged" else trial.value(self.monitor)
        if value is None:
            state = "diverged"
        if state != "diverged":
            self._crown(trial)
        # Logged first, told second: what is logged and not told when the process dies is told by the next one.
        yield TrialEnded(
            seconds=self.seconds,
            number=trial.number,
            settings=trial.settings,
            state=state,
            value=value,
            epochs=len(trial.curve),
            curve=tuple(trial.curve),
        )
        self._ledger.tell(trial.number, state, value)

    def _crown(self, trial: Trial) -> None:
        """Keep the lane at hand whose weights are the best so far."""
        value = trial.value(self.monitor)
        if value is None or trial.trainer.status == "diverged":
            return
        best = self._champion.value(self.monitor) if self._champion else None
        if best is None or self.sign * value < self.sign * best:
            self._champion = trial
            if time.monotonic() - self._kept > CHAMPION_EVERY:
                self._files.keep(trial)
                self._kept = time.monotonic()

    def _progress(self, alive: int) -> Searching:
        assert self._ledger is not None
        now = time.monotonic()
        speed = self._done_epochs / max(now - self._told, 1e-9)
        self._told, self._done_epochs = now, 0
        best = self._ledger.best(1)
        return Searching(
            seconds=self.seconds,
            done=self._ledger.done(),
            alive=alive,
            best=best[0][2] if best else None,
            lane_epochs_per_second=speed,
        )

    # ── naming a winner ─────────────────────────────────────────────────────────────────────────

    def _finish(self) -> Iterator[AnyStudyEvent]:
        assert self._ledger is not None
        if not self._ledger.founded:  # the process that began the study names its winner
            yield self._over(self._ending("joined"))
            return
        finals = yield from self._finals()
        if finals:
            self.best, self._champion = min(finals, key=lambda final: self.sign * final[0].mean)
            self.remarks = verdict(finals, self.best, self.sign)
            status = "finished"
        else:
            status = self._ending("finished")
            self.remarks = ("the search was ended before its winner was confirmed on further seeds",)
        if self._champion is None:
            yield self._over("diverged" if status == "finished" else status)
            return
        yield from self._deliver(self._champion, confirmed=bool(finals))
        yield self._over(status)

    def _ending(self, otherwise: str) -> str:
        """The status that says what ended the search."""
        if not self._stopped():
            return otherwise
        return "interrupted" if self._cancelled else "time_limit"

    def _finals(self) -> Generator[AnyStudyEvent, None, list[tuple[Finalist, Trial]]]:
        """Train the best settings and the recipe as written on further seeds, all as lanes."""
        assert self._ledger is not None
        contenders: list[tuple[int | None, Settings, float | None]] = list(self._ledger.best(FINALISTS))
        if not contenders or self._stopped():
            return []
        contenders.append((None, {}, None))
        seeds = [self.recipe.seed + more for more in range(SEEDS + 1)]
        lanes = [self._trial(-1 if n is None else n, chosen, seed) for n, chosen, _ in contenders for seed in seeds]
        for number, events, _ in self._lanes.train(
            [lane.trainer for lane in lanes], max(lane.trainer.epochs for lane in lanes), self._stopped
        ):
            self._done_epochs += lanes[number].hear(events, self.monitor)
            if time.monotonic() - self._told > SEARCHING_EVERY:
                yield self._progress(sum(lane.trainer.running for lane in lanes))
        if self._stopped():
            return []
        finals = []
        for place, (chosen, settings, searched) in enumerate(contenders):
            own, *others = lanes[place * len(seeds) : (place + 1) * len(seeds)]
            values = [lane.value(self.monitor) for lane in others if lane.trainer.status != "diverged"]
            found = tuple(value for value in values if value is not None)
            if len(found) == SEEDS and own.trainer.status != "diverged":
                mean, low, high = interval(found)
                final = Finalist(
                    seconds=self.seconds,
                    number=chosen,
                    settings=settings,
                    searched=searched,
                    values=found,
                    mean=mean,
                    low=low,
                    high=high,
                )
                finals.append((final, own))
                yield final
        return finals

    def _deliver(self, trial: Trial, *, confirmed: bool) -> Iterator[AnyStudyEvent]:
        """Make the winner's lane a run of its own, which scores and saves it."""
        self._files.keep(trial)
        self._run = Run.resume(self._files.best)
        with self._run:
            if not confirmed:
                self._run.cancel()
            for event in self._run:
                if isinstance(event, Scoring | TestTouched):
                    yield msgspec.structs.replace(event, seconds=self.seconds)
        self.metrics, self.baselines = self._run.metrics, self._run.baselines
        self.remarks = (*self.remarks, *self._run.remarks)

    def _over(self, status: str) -> StudyFinished:
        assert self._ledger is not None
        self.status, self._ended = status, time.monotonic()
        return StudyFinished(
            seconds=self.seconds,
            status=status,
            done=self._ledger.done(),
            winner=self.best,
            metrics=self.metrics,
            baselines=self.baselines,
            remarks=self.remarks,
        )

    def _recall(self, over: StudyFinished) -> None:
        """Take on what the folder says that the study came to."""
        self.status, self.best, self.metrics = over.status, over.winner, over.metrics
        self.baselines, self.remarks = over.baselines, over.remarks
        self._before, self._ended = over.seconds, self._began
        if (self._files.best / "recipe.toml").exists():
            self._run = Run.resume(self._files.best)
            with self._run:
                for _ in self._run:
                    pass


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% interval of the mean by Student's t, of at least two values.

    >>> tuple(round(x, 3) for x in interval([1.0, 2.0, 3.0]))
    (2.0, -0.484, 4.484)
    """
    from scipy.special import stdtrit

    mean = statistics.fmean(values)
    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def verdict(finals: Sequence[tuple[Finalist, Trial]], winner: Finalist, sign: int) -> tuple[str, ...]:
    """What the final says about the search, in a sentence or two."""
    found: list[str] = []
    written = next((final for final, _ in finals if final.number is None), None)
    if winner.number is None:
        found.append("the recipe as written did best on further seeds: the search found nothing that is better than it")
    elif written is not None:
        gains = [sign * (a - b) for a, b in zip(written.values, winner.values, strict=True)]
        mean, low, _ = interval(gains)
        words = "more" if low > 0 else "no more"
        found.append(
            f"against the recipe as written the winner gains {mean:.3g} on the same {len(gains)} further seeds, "
            f"{words} than seeds alone make"
        )
    if winner.searched is not None and sign * (winner.mean - winner.searched) > 0:
        found.append(
            f"on further seeds the winner comes to {winner.mean:.4g} on average; the {winner.searched:.4g} that the "
            "search saw was partly luck"
        )
    return tuple(found)
