"""The book of a study's trials, kept by Optuna: which are open, which are taken, how each ended.

Every trial is written down as waiting, under a ticket, before any begins, so that the processes that
share a study take them from one list. Taking one is a single change in the storage that only one
process can make, so none is taken twice. Each process leaves a sign of life; what a dead one had taken
is closed as failed and put back on the list under the same ticket, so none is lost.
"""

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from layerwise.errors import FailedError, RunError
from layerwise.tuning.search import Method, planned, quiet_optuna, sampler
from layerwise.tuning.space import Settings, Space
from layerwise.tuning.storage import opened, reaching

HEARTBEAT = 5.0  # seconds
SILENCE = 6  # heartbeats without a sign of life, and a process is taken for dead
FOUNDING = 60.0  # seconds in which the first process of a study has written its trials down
_NEVER = ("diverged", "refused")  # ends without a value; for Optuna these are failures


class Ticket(NamedTuple):
    """A trial that this process has taken."""

    number: int
    settings: Settings


class Ledger:
    """The trials of one study.

    `storage` is the path of a journal file or the URL of a database, `name` the study's in it; `owner`
    names this process and its successors after a restart. `direction` is "minimize" or "maximize".
    `founded` tells whether this is the process that began the study. Raises `StorageError`, `RunError`
    where the storage cannot be reached or the study there searches something else.
    """

    def __init__(
        self,
        storage: Path | str,
        *,
        name: str,
        owner: str,
        space: Space,
        method: Method,
        trials: int,
        seed: int,
        direction: str,
    ) -> None:
        self._optuna = quiet_optuna()
        self._states = self._optuna.trial.TrialState
        self._space, self._owner, self._seed, self._method = space, owner, seed, method
        self._shared = not isinstance(storage, Path)
        self._running: dict[int, int] = {}  # number -> Optuna's id of what this process has taken
        self._signs: dict[Hashable, tuple[Any, float]] = {}  # of life, of others: the last one and when it was new
        self._stop = threading.Event()
        self._pulse: threading.Thread | None = None
        self._storage = opened(storage)
        try:
            self.founded = self._found(name, direction)
            if self.founded:
                self._plan(planned(space, method, trials, seed))
            self.size = self._planned()
        except BaseException:
            self.close()
            raise
        if self._shared:
            self._pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._pulse.start()

    @reaching
    def _found(self, name: str, direction: str) -> bool:
        """Begin the study or join it; whether this process is the one that begins it."""
        first = True
        try:
            self._study = self._optuna.create_study(storage=self._storage, study_name=name, direction=direction)
        except self._optuna.exceptions.DuplicatedStudyError:
            self._study = self._optuna.load_study(storage=self._storage, study_name=name)
            first = not self._shared
        self._storage = self._study._storage  # Optuna puts a cache around a database
        if not first and (founder := self._attribute("founder", 2 * HEARTBEAT)) is not None:
            return bool(founder == self._owner)
        # Nobody has signed: the process that began it died within that very moment.
        self._study.set_user_attr("founder", self._owner)
        return True

    @reaching
    def _plan(self, plan: list[dict[str, Any]]) -> None:
        """Write down every trial that is not written down yet."""
        self._study.set_user_attr("space", self._study.user_attrs.get("space", self._axes()))
        known = {_ticket(trial) for trial in self._trials()}
        for ticket, params in enumerate(plan):
            if ticket not in known:
                self._plant(ticket, params)
        self._study.set_user_attr("trials", len(plan))

    @reaching
    def _planned(self) -> int:
        """How many trials the study has, once all are written down."""
        size = self._attribute("trials", FOUNDING)
        if size is None:
            raise FailedError(
                "the process that begins a shared study writes down its trials first",
                received=f"none after {FOUNDING:g} seconds",
                remedy="go on with it in its own folder: layerwise tune --resume FOLDER",
            )
        if self._study.user_attrs["space"] != self._axes():
            raise RunError(
                "a study searches one space from its beginning to its end",
                received="a recipe with another one",
                remedy="begin another study",
            )
        return int(size)

    def _attribute(self, name: str, patience: float) -> Any:
        """An attribute of the study, waited for; None where it does not come."""
        until = time.monotonic() + patience
        while (value := self._study.user_attrs.get(name)) is None and time.monotonic() < until:
            time.sleep(0.1)
        return value

    def _axes(self) -> str:
        return json.dumps(msgspec.to_builtins(self._space.axes), sort_keys=True)

    def _plant(self, ticket: int, params: dict[str, Any]) -> None:
        """Put a trial on the list; parameters that are not all there are decided when it is taken."""
        axes = self._space.distributions if set(params) == set(self._space.axes) else {}
        self._study.add_trial(
            self._optuna.trial.create_trial(
                state=self._states.WAITING,
                params={path: params[path] for path in axes},
                distributions=axes,
                user_attrs={"ticket": ticket},
            )
        )

    # ── taking and telling ──────────────────────────────────────────────────────────────────────

    @reaching
    def take(self, count: int) -> list[Ticket]:
        """Up to `count` trials to train: first those that this owner had taken before a restart."""
        left = [t for t in self._trials() if self._mine(t) and t.number not in self._running]
        waiting = [t for t in self._trials() if t.state == self._states.WAITING and _ticket(t) is not None]
        if left and self._shared:
            waiting = []
        elif left or waiting:
            # What is asked for together stays together: a search that was killed asks as if it had not been.
            batch = _ticket((left or waiting)[0]) // count
            waiting = [t for t in waiting if _ticket(t) // count == batch]
        found = [self._taken(trial) for trial in left[:count]]
        for trial in waiting:
            if len(found) == count:
                break
            if self._change(self._storage.set_trial_state_values, trial._trial_id, self._states.RUNNING):
                found.append(self._taken(trial))
        return found

    def _taken(self, trial: Any) -> Ticket:
        self._running[trial.number] = trial._trial_id
        if self._shared:
            self._storage.set_trial_user_attr(trial._trial_id, "owner", self._owner)
        params = trial.params if set(trial.params) == set(self._space.axes) else self._drawn(trial)
        return Ticket(trial.number, self._space.settings(params))

    def _drawn(self, trial: Any) -> dict[str, Any]:
        """The parameters that Optuna's sampler chooses for a trial, and writes them down.

        Drawn from the trial's own seed and from what is over, all of them before any is written: the same
        however often they are asked for.
        """
        asking = sampler(self._method, (self._seed * 1_000_003 + _ticket(trial)) % 2**32)
        # A study of its own, since Optuna's remembers what was over when it was first asked.
        study = self._optuna.load_study(storage=self._storage, study_name=self._study.study_name)
        axes = self._space.distributions
        params = dict(asking.sample_relative(study, trial, asking.infer_relative_search_space(study, trial)))
        for path, axis in axes.items():
            if path not in params:
                params[path] = asking.sample_independent(study, trial, path, axis)
        for path, axis in axes.items():
            if path not in trial.params:
                self._change(
                    self._storage.set_trial_param, trial._trial_id, path, axis.to_internal_repr(params[path]), axis
                )
        return params

    def _mine(self, trial: Any) -> bool:
        # A journal has one process at a time, so whatever is running in it is left from the last one.
        running = bool(trial.state == self._states.RUNNING)
        return running and (not self._shared or trial.user_attrs.get("owner") == self._owner)

    @reaching
    def report(self, number: int, epoch: int, value: float) -> None:
        """The value of a trial after so many epochs, for `standing`."""
        self._change(self._storage.set_trial_intermediate_value, self._running[number], epoch, value)

    @reaching
    def standing(self, epoch: int) -> list[float]:
        """What every trial of the study reported at this epoch, in any order; once where it was taken over."""
        return list(
            {
                _ticket(trial): trial.intermediate_values[epoch]
                for trial in self._trials()
                if epoch in trial.intermediate_values
            }.values()
        )

    @reaching
    def tell(self, number: int, state: str, value: float | None) -> None:
        """A trial is over: "dropped", "diverged" or "refused"; all else is a completed one.

        Of a trial that was taken over meanwhile, since this process seemed dead, nothing is written.
        """
        states = {"dropped": self._states.PRUNED, **dict.fromkeys(_NEVER, self._states.FAIL)}
        trial_id, end = self._running[number], states.get(state, self._states.COMPLETE)
        if self._change(self._storage.set_trial_user_attr, trial_id, "end", state):
            self._change(
                self._storage.set_trial_state_values, trial_id, end, None if end == self._states.FAIL else [value]
            )
        del self._running[number]

    def _change(self, change: Callable[..., bool | None], *what: Any) -> bool:
        """Change a trial; False where it is over already, or another process was faster."""
        try:
            return change(*what) is not False
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return False

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    @reaching
    def done(self) -> int:
        """How many of the planned trials are over, whichever process trained them."""
        return len({_ticket(trial) for trial in self._trials() if _over(trial)})

    @reaching
    def waits_for_others(self) -> bool:
        """Whether trials are with other processes; those of dead ones are put back on the list."""
        if self._shared:
            self._bury()
        if self.founded:
            return self.done() < self.size
        return any(not trial.state.is_finished() for trial in self._trials() if _ticket(trial) is not None)

    @reaching
    def best(self, count: int) -> list[tuple[int, Settings, float]]:
        """Number, settings and value of the best trials, best first, no settings twice.

        Completed ones come first, then those that halving dropped, the latest dropped before the others.
        """
        sign = 1 if self._study.direction.name == "MINIMIZE" else -1
        ended = [t for t in self._trials() if t.state.name in ("COMPLETE", "PRUNED") and math.isfinite(t.value)]

        def rank(trial: Any) -> tuple[float, float, int]:
            reached = math.inf if trial.state == self._states.COMPLETE else float(trial.last_step or 0)
            return -reached, sign * trial.value, _ticket(trial)

        found: list[tuple[int, Settings, float]] = []
        for trial in sorted(ended, key=rank):
            settings = self._space.settings(trial.params)
            if settings not in [other for _, other, _ in found]:
                found.append((trial.number, settings, trial.value))
            if len(found) == count:
                break
        return found

    @reaching
    def rows(self) -> list[dict[str, Any]]:
        """Every trial as a row: number, state, value and its settings."""
        latest: dict[int, Any] = {}
        for trial in self._trials():
            ticket = _ticket(trial)
            if ticket is not None and not (ticket in latest and _over(latest[ticket])):
                latest[ticket] = trial
        return [
            {
                "number": trial.number,
                "state": trial.user_attrs["end"] if _over(trial) else trial.state.name.lower(),
                "value": trial.value if trial.state.name in ("COMPLETE", "PRUNED") else None,
                **self._space.settings(trial.params),
            }
            for _, trial in sorted(latest.items())
        ]

    @property
    def optuna(self) -> Any:
        """The study as Optuna's own object."""
        return self._study

    def _trials(self) -> Sequence[Any]:
        trials: Sequence[Any] = self._study.get_trials(deepcopy=False)
        return trials

    # ── life and death ──────────────────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT / 2):
            # The database may be away for a while; training goes on meanwhile.
            with contextlib.suppress(Exception):
                self._study.set_user_attr(f"sign {self._owner}", time.time_ns())

    def _bury(self) -> None:
        """Put back on the list what dead processes had taken, and what one of them took off it as it died."""
        signs = self._study.user_attrs
        trials = self._trials()
        for trial in trials:
            owner = trial.user_attrs.get("owner")
            # One that has no owner yet has its process's whole life before it, or that ended in this moment.
            key = owner or ("trial", trial.number)
            if trial.state == self._states.RUNNING and owner != self._owner and _ticket(trial) is not None:
                if self._silent(key, signs.get(f"sign {owner}")):
                    self._give_back(trial)
        if self.founded:  # one process alone, so that nothing is put back twice
            alive = {_ticket(trial) for trial in trials if _over(trial) or not trial.state.is_finished()}
            for trial in trials:
                ticket = _ticket(trial)
                if ticket is not None and ticket not in alive and self._silent(("ticket", ticket), None):
                    alive.add(ticket)
                    self._plant(ticket, trial.params)

    def _silent(self, key: Hashable, sign: Any) -> bool:
        """Whether there was no new sign of life for long, by this process's own clock."""
        last, since = self._signs.get(key, (None, math.nan))
        if last != sign or math.isnan(since):
            self._signs[key] = (sign, time.monotonic())
            return False
        return time.monotonic() - since > SILENCE * HEARTBEAT

    def _give_back(self, trial: Any) -> None:
        if self._change(self._storage.set_trial_state_values, trial._trial_id, self._states.FAIL):
            self._plant(_ticket(trial), trial.params)

    def close(self) -> None:
        """Let go of the storage; trials that are not over go back to the others. What was read stays readable."""
        self._stop.set()
        if self._pulse is not None:
            self._pulse.join()
        if not self._shared:
            self._storage._backend.close()
            return
        with contextlib.suppress(Exception):  # where the database is gone, the others will notice by themselves
            for trial in self._trials():
                if self._mine(trial):
                    self._give_back(trial)
            self._keep()
        database = getattr(self._storage, "_backend", self._storage)
        database.remove_session()
        database.engine.dispose()

    def _keep(self) -> None:
        """Go over to a copy of the study in memory."""
        kept = self._optuna.create_study(direction=self._study.direction.name.lower())
        kept.add_trials(self._trials())
        for name, value in self._study.user_attrs.items():
            kept.set_user_attr(name, value)
        self._study = kept

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ticket(trial: Any) -> Any:
    """The trial's place in the plan; None for one that Optuna made for itself."""
    return trial.user_attrs.get("ticket")


def _over(trial: Any) -> bool:
    """Whether this trial's result counts; one that was taken over failed without an end of its own."""
    if trial.state.name == "FAIL":
        return trial.user_attrs.get("end") in _NEVER
    return bool(trial.state.is_finished())
