"""One study: a context that searches, yields events, and always leaves the best model behind.

    with Study("digits", trials=64) as study:
        for event in study:
            print(event)
    study.best.settings, study.model.predict(...)

Trials are lanes (`layerwise.training.lanes`), compared on the validation part alone. The best three
are trained again on seeds that the search did not see, beside the recipe as it was written, before
one is named; only that one is scored on the test part, once.
"""

import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from layerwise.errors import RecipeError, RunError
from layerwise.recipe import Source, check_duration, load
from layerwise.recipe import records as r
from layerwise.recipe.seeding import seeds
from layerwise.tasks.intervals import Interval
from layerwise.training.events import Scoring, TestTouched
from layerwise.training.folder import new_folder
from layerwise.training.interrupt import Interrupts
from layerwise.training.lanes import Lanes
from layerwise.training.model import Model
from layerwise.training.resolve import seconds
from layerwise.training.run import Run
from layerwise.training.wording import counted, described, headline
from layerwise.tuning.cluster import Cluster, ray
from layerwise.tuning.events import AnyStudyEvent, Best, Finalist, Searching, StudyFinished, StudyStarted
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.ledger import Ledger
from layerwise.tuning.space import Space, axes_in_words
from layerwise.tuning.trials import Maker, Trial
from layerwise.tuning.waves import Waves
from layerwise.tuning.winner import SEEDS, contenders, judged, verdict

if TYPE_CHECKING:
    import polars as pl

LOOKING_EVERY = 0.5  # seconds between two looks whether the others are done


class Study:
    """Searches over one recipe in one folder. Iterate over it, inside `with`, to make it search.

    `recipe` says what is searched (`[search]`; without it a default space); `method`, `trials` and
    `time_limit` ("5m", counted from the end of the first call, which compiles) change what it says. `storage`
    is the URL of a database that several processes share. `cluster` is the address of a Ray cluster whose
    machines train the lanes; "local" starts one here. Raises `RecipeError` for a space that is not one,
    `MissingExtraError`.

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
        cluster: str | None = None,
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
        self._files.refuse_another()
        self._given = storage
        self._prepare(time_limit, cluster, new=True)

    @classmethod
    def resume(
        cls,
        folder: Path | str,
        *,
        storage: str | None = None,
        time_limit: str = "none",
        cluster: str | None = None,
    ) -> "Study":
        """The study in `folder`, to go on where it stopped. Raises `RunError` where there is none.

        `storage` is needed only where the database's URL has a password, which is written nowhere.
        """
        study = cls.__new__(cls)
        study._files = StudyFolder(Path(folder))
        study.recipe = study._files.read_recipe(storage)
        study._prepare(time_limit, cluster, new=False)
        return study

    def _prepare(self, time_limit: str, cluster: str | None, *, new: bool) -> None:
        check_duration(time_limit)
        self._new = new
        self._cluster = cluster
        if cluster is not None:
            ray()  # before anything is written
        assert isinstance(self.recipe.search, r.Search)
        self._search = self.recipe.search
        self._space = Space(self.recipe)
        own = self.recipe.train.time_limit if isinstance(self.recipe.train, r.Train) else "none"
        self._limit = min(seconds(time_limit), seconds(own))
        self.status = "running"
        self.best: Finalist | None = None
        self.metrics: dict[str, dict[str, Interval]] = {}
        self.baselines: dict[str, dict[str, dict[str, Interval]]] = {}
        self.remarks: tuple[str, ...] = ()
        self._run: Run | None = None
        self._ledger: Ledger | None = None
        self._waves: Waves | None = None
        self._lanes: Lanes | Cluster | None = None
        self._began = time.monotonic()
        self._ended = 0.0
        self._before = self._files.seconds()
        self._cancelled = False
        self._interrupts = Interrupts(self.cancel, lambda: self._cancelled)
        self._events: Iterator[AnyStudyEvent] | None = None

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
        return self._files.finalists()

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
                for _, e in sorted(self._files.ended().items())
            ]
        frame = pl.DataFrame([{**row, "epochs": epochs.get(row["number"])} for row in rows], infer_schema_length=None)
        types = {"number": pl.Int64, "state": pl.String, "value": pl.Float64, "epochs": pl.Int64}
        missing = [name for name in (*types, *self._space.axes) if name not in frame.columns]
        whole = frame.with_columns(pl.lit(None).alias(name) for name in missing)
        return whole.select(*(pl.col(name).cast(kind) for name, kind in types.items()), *self._space.axes)

    def __repr__(self) -> str:
        trials = counted(self._search.trials, "trial")
        return described("Study", self.folder, self.status, trials, headline(self.metrics))

    def cancel(self) -> None:
        """End the search after the calls in progress, as Ctrl-C does."""
        self._cancelled = True
        if self._run is not None:
            self._run.cancel()

    # ── the context and its events ──────────────────────────────────────────────────────────────

    def __enter__(self) -> "Study":
        self._interrupts.hold()
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
            self._cancelled = True
            if isinstance(self._events, Generator):
                self._events.close()  # after an error in the loop's body: stops the lanes
            if isinstance(self._lanes, Cluster):
                self._lanes.close()
            if self._ledger is not None:
                self._ledger.close()
            self._files.release()
            self._interrupts.release()

    def __iter__(self) -> Iterator[AnyStudyEvent]:
        if self._events is None:
            self._events = self._logged()
        return self._events

    def _logged(self) -> Iterator[AnyStudyEvent]:
        if not self._new:
            self._files.hold()
            if (over := self._files.outcome()) is not None:
                self._recall(over)
                yield over
                return
        for event in self._course():
            if not isinstance(event, Searching):
                self._files.append(event)
            yield event

    def _stopped(self) -> bool:
        late = self._waves is not None and time.monotonic() - self._waves.compiled >= self._limit
        return self._cancelled or late

    # ── the course of a study ───────────────────────────────────────────────────────────────────

    def _course(self) -> Iterator[AnyStudyEvent]:
        yield self._begin()
        ledger, waves = self._ledger, self._waves
        assert ledger is not None and waves is not None
        while not self._stopped():
            wave: list[Trial] = []
            yield from waves.take(wave)
            if wave:
                yield from waves.train(wave)
            elif ledger.waits_for_others():
                yield waves.progress(0)
                time.sleep(LOOKING_EVERY)
            else:
                break
        yield from self._finish(ledger)

    def _begin(self) -> StudyStarted:
        maker = Maker(msgspec.structs.replace(self.recipe, search="none"))
        dataset = maker.dataset
        if dataset.validation.size == 0:
            raise RecipeError(
                "trials are compared on a validation part",
                received="a split without one",
                remedy='e.g. data.split = { kind = "random", validation = 0.2, test = 0.2 }',
            )
        if self._new:  # only now: what cannot begin leaves no folder behind
            self._files.found(self.recipe, self._given, owner=str(uuid.uuid4()))
            self._files.hold()
        maker.share_widths(self._space, self._search.trials)
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
        self._lanes = Lanes() if self._cluster is None else Cluster(self._cluster)
        self._waves = Waves(
            self._search,
            self._space,
            maker,
            self._ledger,
            self._files,
            self._lanes,
            monitor=self.monitor,
            clock=lambda: self.seconds,
            stopped=self._stopped,
        )
        best = self._ledger.best(1)
        return StudyStarted(
            seconds=self.seconds,
            method=self._search.method,
            trials=self._ledger.size,
            done=self._ledger.done(),
            monitor=self.monitor,
            axes=dict(axes_in_words(self._space)),
            rows={part: int(dataset.part(part).size) for part in ("train", "validation", "test")},
            notes=(*dataset.notes, *maker.written.notes),
            best=Best(*best[0]) if best else None,
        )

    # ── naming a winner ─────────────────────────────────────────────────────────────────────────

    def _finish(self, ledger: Ledger) -> Iterator[AnyStudyEvent]:
        if not ledger.founded:  # the process that began the study names its winner
            yield self._over(ledger, self._ending("joined"))
            return
        waves = self._waves
        assert waves is not None
        champion, status = waves.champion, self._ending("finished")
        finals: list[tuple[Finalist, Trial]] = []
        rivals = [] if self._stopped() else contenders(ledger)
        for rival in rivals:  # one after the other: each is several lanes, and their memory is limited
            lanes = [
                waves.trial(-1 if rival.number is None else rival.number, rival.settings, seed)
                for seed in seeds(self.recipe.seed, SEEDS + 1)
            ]
            yield from waves.advance(lanes, max(lane.trainer.epochs for lane in lanes))
            if not self._stopped() and (final := judged(rival, lanes, self.monitor, self.seconds)):
                finals.append((final, lanes[0]))
        if self._stopped():
            status = self._ending("finished")
            self.remarks = ("the search was ended before its winner was confirmed on further seeds",)
        elif not finals:
            self.remarks = (
                "every finalist diverged on some further seed: the best of the search stands unconfirmed"
                if rivals
                else "no trial was trained to a finite loss",
            )
        else:
            yield from (final for final, _ in finals)
            self.best, winner = min(finals, key=lambda pair: self.sign * pair[0].mean)
            self.remarks = verdict([final for final, _ in finals], self.best, self.sign)
            champion = winner
        if champion is None:
            yield self._over(ledger, "diverged" if status == "finished" else status)
            return
        yield from self._deliver(champion, confirmed=self.best is not None)
        if self._cancelled and self.run.can_go_on:  # while the winner was scored
            status = "interrupted"
        yield self._over(ledger, status)

    def _ending(self, otherwise: str) -> str:
        """The status that says what ended the search."""
        if not self._stopped():
            return otherwise
        return "interrupted" if self._cancelled else "time_limit"

    def _deliver(self, trial: Trial, *, confirmed: bool) -> Iterator[AnyStudyEvent]:
        """Make the winner's lane a run of its own, which scores and saves it."""
        self._files.keep(trial)
        self._run = Run.resume(self._files.best)
        with self._run:
            if self._cancelled:
                self._run.cancel()
            elif not confirmed:
                self._run.stop()
            for event in self._run:
                if isinstance(event, Scoring | TestTouched):
                    yield msgspec.structs.replace(event, seconds=self.seconds)
        self.metrics, self.baselines = self._run.metrics, self._run.baselines
        self.remarks = (*self.remarks, *self._run.remarks)

    def _over(self, ledger: Ledger, status: str) -> StudyFinished:
        self.status, self._ended = status, time.monotonic()
        return StudyFinished(
            seconds=self.seconds,
            status=status,
            done=ledger.done(),
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
        if over.status == "finished" and (self._files.best / "recipe.toml").exists():
            self._run = Run.read(self._files.best)
