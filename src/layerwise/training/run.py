"""One run: a context that trains, yields events, and always leaves the best model behind.

    with Run("digits") as run:
        for event in run:
            print(event)
    run.model.predict(...)

Leaving the loop, Ctrl-C, a time limit, divergence and an ordinary end all come out the same way: the
best weights restored, evaluated and saved.
"""

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import msgspec

from layerwise.data import load as load_data
from layerwise.data.dataset import Dataset, spread
from layerwise.errors import ModelFileError, RunError
from layerwise.nets.build import build
from layerwise.recipe import Source, check_duration, load
from layerwise.recipe import records as r
from layerwise.tasks.apart import prepare
from layerwise.tasks.intervals import Interval
from layerwise.tasks.objective import training_weights
from layerwise.training import checkpoint, familiar
from layerwise.training.checkpoint import Mark
from layerwise.training.events import AnyEvent, Finished, Scoring, Started, TestTouched
from layerwise.training.folder import Folder, begun, claimed, environment, name_of
from layerwise.training.interrupt import Interrupts
from layerwise.training.model import EXAMPLES, Model, anonymous
from layerwise.training.model import load as load_model
from layerwise.training.place import place
from layerwise.training.resolve import resolve, seconds
from layerwise.training.result import Baselines, limits, scored
from layerwise.training.trainer import Trainer
from layerwise.training.wording import counted, described, headline

CHECKPOINT_SHARE = 0.03  # of the time may go into checkpoints
CHECKPOINT_EVERY = 1.0  # seconds at least between two
# Multiply-adds a step up to which the baselines are scored beside the training. A larger step is shared
# out among all cores, and each would wait for the one that a baseline keeps busy: 784-512-512-10 was
# seen to train 25 times slower so. Its baselines are scored after it.
BESIDE = 5_000_000
OVER = "this run was over already: its result was read from its folder, nothing was trained or scored again"
UNBEGUN = "nothing was trained yet, so nothing was scored or saved"


class Run:
    """Trains one recipe in one folder. Iterate over it, inside `with`, to make it train.

    `folder` holds its files, `recipe` is the resolved one (after the first event), `model` the best
    so far. After the loop there are `status`, `epochs`, `seconds`, `metrics` (part -> metric ->
    interval), `baselines` (name -> part -> metric -> interval), `remarks`, `best_epoch`, whose weights were
    kept, `test_touches`, how often the test part was scored, and whether it `can_go_on`.

    `data` is a table in memory (a Polars or pandas frame, an array, mappings) in place of a file's; it is
    kept in the folder. The recipe then has to say only `data.target`.

    `out` is a folder in which there is no run yet; without it there will be `runs/NAME-1`, `-2`, ..., where `name`
    is that of the recipe's file unless it is given. While a run trains, its folder is closed to others.

    Within the context the first Ctrl-C ends the run in order, with status "interrupted"; a second
    one raises KeyboardInterrupt.
    """

    def __init__(
        self, recipe: Source, *, data: Any = None, out: Path | str | None = None, name: str | None = None
    ) -> None:
        self._name = (name or name_of(recipe)) if out is None else None
        self._files, self.recipe = begun(recipe, data, out, self._name, load)
        self._prepare(resuming=False)

    @classmethod
    def resume(cls, folder: Path | str, *, time_limit: str | None = None) -> "Run":
        """The run in `folder`, to go on where it stopped. Raises `RunError` where there is none.

        `time_limit` ("5m", or "none") holds in place of the recipe's, this time; `RecipeError` where it is none.
        A run that had finished goes on only if its recipe was given more epochs since, or if it was interrupted
        while its baselines were scored. Else it gives its one event, `Finished`, again: nothing is trained,
        scored or written.
        """
        run = cls.__new__(cls)
        run._files, run._name = Folder(Path(folder)), None
        run.recipe = run._files.read_recipe()
        run._prepare(resuming=True)
        if time_limit is not None:
            check_duration(time_limit)
            run.time_limit = time_limit
        return run

    @classmethod
    def read(cls, folder: Path | str) -> "Run":
        """The run in `folder` as it ended: its figures and its model, to look at; nothing is trained or written.

        Raises `RunError` where it has not come to an end.
        """
        run = cls.resume(folder)
        events = run._files.events()
        if not events or not isinstance(events[-1], Finished) or not run._recalled(events[-1]):
            raise RunError(
                "a run is read once it has come to an end",
                received=f"{folder}, without a result or its model",
                remedy=f"go on with it: layerwise resume {folder}",
            )
        return run

    def _prepare(self, *, resuming: bool) -> None:
        self.time_limit: str | None = None  # in place of the recipe's, this time
        self.status = "running"
        self.epochs = 0
        self.metrics: dict[str, dict[str, Interval]] = {}
        self.baselines: dict[str, dict[str, dict[str, Interval]]] = {}
        self.remarks: tuple[str, ...] = ()
        self.can_go_on = False
        self.best_epoch = 0
        self.test_touches = 0
        self._resuming = resuming
        self._dataset: Dataset | None = None
        self._trainer: Trainer | None = None
        self._kept: Model | None = None  # of a run that was over before
        self._others: Baselines | None = None
        self._began = time.monotonic()
        self._ended = 0.0
        self._before = 0.0  # seconds of earlier sessions
        self._cancelled = self._enough = False
        self._interrupts = Interrupts(self.cancel, lambda: self._cancelled)
        self._events: Iterator[AnyEvent] | None = None

    def __repr__(self) -> str:
        """What it is, how far it came, and where it is."""
        return described("Run", self.folder, self.status, counted(self.epochs, "epoch"), headline(self.metrics))

    # ── what a run offers ───────────────────────────────────────────────────────────────────────

    @property
    def folder(self) -> Path:
        """Where the run's files are."""
        return self._files.path

    @property
    def model_path(self) -> Path:
        """The model file, once the run is over."""
        return self._files.model

    @property
    def seconds(self) -> float:
        """Time spent until now or the run's end, earlier sessions of a resumed run included."""
        return self._before + ((self._ended or time.monotonic()) - self._began)

    @property
    def dataset(self) -> Dataset:
        """The data, once the first event has come."""
        if self._dataset is None and self._kept is not None:
            self._dataset = load_data(self.recipe.data, self.recipe.task, self.recipe.seed)
        if self._dataset is None:
            raise RunError("the data is there once the run has begun", remedy="iterate over the run first")
        return self._dataset

    @property
    def model(self) -> Model:
        """The best model so far."""
        if self._kept is not None:
            return self._kept
        if self._trainer is None:
            raise RunError("the model is there once the run has begun", remedy="iterate over the run first")
        return self._model_with({})

    def cancel(self) -> None:
        """End the run after the call in progress, as Ctrl-C does."""
        self._cancelled = self._enough = True
        if self._others is not None:
            self._others.cancel()

    def stop(self) -> None:
        """End the training after the call in progress, as a time limit does; what it came to is scored in full."""
        self._enough = True

    # ── the context and its events ──────────────────────────────────────────────────────────────

    def __enter__(self) -> "Run":
        self._interrupts.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._events is not None and self.status == "running":
                self.cancel()
                for _ in self._events:  # the loop was left: bring the run to its end
                    pass
        finally:
            if self._others is not None:
                self._others.cancel()
            self._files.release()
            self._interrupts.release()

    def __iter__(self) -> Iterator[AnyEvent]:
        if self._events is None:
            self._events = self._train()
        return self._events  # held here too, so a `break` does not close it and the context can finish the run

    # ── the course of a run ─────────────────────────────────────────────────────────────────────

    def _train(self) -> Iterator[AnyEvent]:
        if self._resuming and (finished := self._outcome()):
            yield finished
            return
        try:
            started = self._begin()
        except BaseException:
            self._files.release()
            raise
        yield started
        trainer = self._trainer
        assert trainer is not None
        train = self.recipe.train
        limit = seconds(self.time_limit or train.time_limit) if isinstance(train, r.Train) else 0.0
        cost, last = 0.0, time.monotonic()
        compiled = 0.0  # when the first call was over: what is read and compiled does not count
        while trainer.running and not self._enough:
            events = trainer.advance(self.seconds)
            self._files.append(events)
            yield from events
            now = time.monotonic()
            compiled = compiled or now
            self._enough = self._enough or now - compiled >= limit
            if now - last > max(CHECKPOINT_EVERY, cost / CHECKPOINT_SHARE):
                self._checkpoint()
                cost, last = time.monotonic() - now, time.monotonic()
        status = trainer.status
        if status == "running":
            status = "interrupted" if self._cancelled else "time_limit"
        if isinstance(train, r.Train):
            self._checkpoint()
        if status == "interrupted" and trainer.step == 0:
            yield self._unbegun()
        else:
            yield from self._finish(status)

    def _begin(self) -> Started:
        prepare()
        written = self.recipe
        self._dataset = load_data(written.data, written.task, written.seed)
        resolved = resolve(written, self._dataset)
        self.recipe = resolved.recipe
        network = build(
            self.recipe.network,
            inputs=self._dataset.x.shape[1],
            outputs=resolved.objective.outputs,
            codes=self._dataset.encoder.embeddings,
            seed=self.recipe.seed,
        )
        weight = training_weights(self.recipe.task, self._dataset)
        self._trainer = Trainer(self.recipe, resolved.objective, place(self._dataset, weight), network)
        notes = (*self._dataset.notes, *resolved.notes, *self._trainer.notes)
        self.recipe = self._trainer.recipe  # a rate that was found is now written in it
        self._take_folder()
        earlier = self._files.read_answered() if self._resuming else None
        self._others = Baselines(self._dataset, self.recipe.seed, weight, earlier)
        if self._cancelled:
            self._others.cancel()
        elif self._trainer.work < BESIDE:
            self._others.start()
        started = Started(
            seconds=self.seconds,
            rows=self._rows(),
            inputs=int(self._dataset.x.shape[1]),
            outputs=resolved.objective.outputs,
            parameters=sum(int(leaf.size) for leaf in jax.tree.leaves(network)),
            epochs=self._trainer.epochs,
            steps_per_epoch=self._trainer.steps_per_epoch,
            first_step=self._trainer.step,
            notes=notes,
        )
        self._files.append([started])
        return started

    def _take_folder(self) -> None:
        """Claim the folder, and go on from the state in it; a fresh run writes its recipe there."""
        assert self._trainer is not None
        self._files = claimed(self._files, self._name, fresh=not self._resuming)
        mark = Mark(0, 0.0)
        if self._resuming and self._files.state.exists():
            mark = checkpoint.read_mark(self._files.state)
            if found := familiar.differing(self._known, mark.data):  # before its tensors: other data has other widths
                raise RunError(
                    "a run goes on with the data that it was trained on",
                    received=found,
                    remedy="bring the data back, and the recipe's seed and split; or train anew: layerwise train "
                    + str(self._files.recipe),
                    place=str(getattr(self.recipe.data, "path", "")),
                )
            self._trainer.restore(checkpoint.read(self._files.state, self._trainer.state))
            self._before = mark.seconds
        else:
            self._files.begin(self.recipe)
        self._files.rewind(mark)

    def _outcome(self) -> Finished | None:
        """What the folder says that the run came to; None where there is something left to do.

        The log's last line is written after all else, so a run without it was not scored to the end.
        """
        events = self._files.events()
        if not events or not isinstance(finished := events[-1], Finished):
            return None
        asked = next((event.epochs for event in reversed(events) if isinstance(event, Started)), 0)
        # Training that came to its last epoch can go on; that which stopped or diverged before cannot.
        more = isinstance(self.recipe.train, r.Train) and self.recipe.train.epochs > finished.epochs >= asked
        if finished.can_go_on or (finished.status == "finished" and more) or not self._recalled(finished):
            return None
        self.remarks = (OVER, *finished.remarks)
        return msgspec.structs.replace(finished, remarks=self.remarks)

    def _recalled(self, finished: Finished) -> bool:
        """Take on what the run came to; False where its model is missing, damaged or another recipe's."""
        try:
            model = load_model(self._files.model)
        except ModelFileError:
            return False
        own = anonymous(self.recipe)
        if (own.seed, own.data, own.task, own.network) != (
            model.recipe.seed, model.recipe.data, model.recipe.task, model.recipe.network,
        ):  # fmt: skip
            return False
        self._kept = model
        self.status, self.epochs, self.metrics = finished.status, finished.epochs, finished.metrics
        self.baselines, self.remarks = finished.baselines, finished.remarks
        self.best_epoch, self.can_go_on = finished.best_epoch, finished.can_go_on
        self.test_touches = int(self._files.read_metrics().get("test_touches", 0))
        self._before, self._ended = finished.seconds, self._began
        return True

    def _rows(self) -> dict[str, int]:
        """How many rows each part has."""
        return {part: int(self.dataset.part(part).size) for part in ("train", "validation", "test")}

    def _checkpoint(self) -> None:
        assert self._trainer is not None
        mark = Mark(self._files.log_bytes(), self.seconds, self._known)
        checkpoint.write(self._files.state, self._trainer.state, mark)

    def _unbegun(self) -> Finished:
        """The end of a run that was interrupted before its first step: there is nothing to score."""
        self.status, self.remarks, self._ended = "interrupted", (UNBEGUN,), time.monotonic()
        finished = Finished(
            seconds=self.seconds, status=self.status, epochs=0, metrics={}, baselines={}, remarks=self.remarks
        )
        self._files.append([finished])
        self.can_go_on = finished.can_go_on
        return finished

    def _finish(self, status: str) -> Iterator[AnyEvent]:
        """Evaluate the best weights, once, and write everything down."""
        assert self._trainer is not None and self._dataset is not None and self._others is not None
        scoring = Scoring(seconds=self.seconds, status=status)
        self._files.append([scoring])
        self._save_model({})  # first of all: what was trained survives whatever happens while it is scored
        yield scoring
        model = self.model
        held_out = [part for part in ("validation", "test") if self._dataset.part(part).size]
        touches = sum(isinstance(event, TestTouched) for event in self._files.events())
        if "test" in held_out:
            touches += 1
            touched = TestTouched(seconds=self.seconds, count=touches, reason="end of training")
            self._files.append([touched])
            yield touched
        own = {part: scored(model, self._dataset, part, self.recipe.seed) for part in held_out or ["train"]}
        self.metrics = {part: found.metrics for part, found in own.items()}
        compared = self._others.result(own)
        self.baselines = compared.baselines
        self.remarks = (*limits(model, self._dataset), *compared.remarks)
        self.status, self.epochs, self._ended = status, self._trainer.epochs_done, time.monotonic()
        finished = Finished(
            seconds=self.seconds,
            status=status,
            epochs=self.epochs,
            metrics=self.metrics,
            baselines=self.baselines,
            differences=compared.differences,
            remarks=self.remarks,
            unscored=compared.unscored,
            best_epoch=self._trainer.seen.best_epoch,
        )
        self.best_epoch, self.test_touches = finished.best_epoch, touches
        self._files.write_answered(self._others.answered() if finished.can_go_on else None)
        self._save(finished, scoring.seconds, touches)
        self._files.append([finished])
        self.can_go_on = finished.can_go_on
        yield finished

    def _save(self, finished: Finished, trained_for: float, touches: int) -> None:
        result: dict[str, Any] = msgspec.to_builtins(finished)
        del result["event"]
        result |= {
            "split": {"kind": self.dataset.split, "fingerprint": self._known.split},
            "rows": self._rows(),
            "training_seconds": trained_for,
            "test_touches": touches,
        }
        self._files.write_metrics(result)
        keep = ("metrics", "baselines", "split", "rows", "epochs", "status")
        self._save_model({name: result[name] for name in keep})

    def _save_model(self, info: dict[str, Any]) -> None:
        shown = spread(self.dataset.train, EXAMPLES)
        self._model_with(info).save(self._files.model, examples=self.dataset.raw(shown))

    @cached_property
    def _known(self) -> familiar.Known:
        """What tells this data from other data, for who goes on with the run or scores the model later."""
        return familiar.known(self.dataset)

    def _model_with(self, info: dict[str, Any]) -> Model:
        assert self._trainer is not None and self._dataset is not None
        info = {**info, "versions": environment()["versions"], "trained_on": self._known.trained_on}
        return Model(self.recipe, self._trainer.best, self._dataset.encoder, self._dataset.target, info)
