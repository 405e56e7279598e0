"""The book of a study's trials, kept by Optuna: which are open, which are taken, how each ended.

Every trial is written down as waiting before any begins, so that the processes that share a study
take them from one list: none is lost, none is taken twice, and there are never too many.
"""

import math
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from layerwise.errors import RunError
from layerwise.tune.search import Method, planned, quiet_optuna, sampler
from layerwise.tune.space import Settings, Space

HEARTBEAT = 5  # seconds; a process that is silent for six of them is taken for dead
STATES = {"COMPLETE": "finished", "PRUNED": "dropped", "FAIL": "failed"}


class Ticket(NamedTuple):
    """A trial that this process has taken."""

    number: int
    settings: Settings


class Ledger:
    """The trials of one study.

    `storage` is the path of a journal file or the URL of a database, `name` the study's in it; `owner`
    names this process and its successors after a restart. `direction` is "minimize" or "maximize".
    Raises `RunError` where the storage cannot be reached or the name belongs to another search.
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
        optuna = quiet_optuna()
        self._optuna, self._space, self._owner, self._planned = optuna, space, owner, trials
        self._shared = not isinstance(storage, Path)
        self._running: dict[int, int] = {}  # number -> Optuna's id of what this process has taken
        self._stop = threading.Event()
        self._pulse: threading.Thread | None = None
        self._storage = _opened(optuna, storage)
        asking = sampler(method, seed if not self._shared else (seed + uuid.UUID(owner).int) % 2**32)
        try:
            self._study = optuna.create_study(
                storage=self._storage, sampler=asking, study_name=name, direction=direction
            )
            self.founded = True
        except optuna.exceptions.DuplicatedStudyError:
            self._study = optuna.load_study(storage=self._storage, sampler=asking, study_name=name)
            self.founded = self._study.user_attrs.get("founder") == owner
        if self.founded:
            self._plan(space, method, trials, seed)
        if self._shared:
            self._pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._pulse.start()

    def _plan(self, space: Space, method: Method, trials: int, seed: int) -> None:
        """Write down every trial that is not written down yet."""
        self._study.set_user_attr("founder", self._owner)
        plan = planned(space, method, trials, seed)
        self._planned = len(plan)
        self._study.set_user_attr("trials", len(plan))
        known = {trial.user_attrs.get("ticket") for trial in self._trials()}
        for ticket, params in enumerate(plan):
            if ticket not in known:
                self._study.enqueue_trial(params, user_attrs={"ticket": ticket})

    # ── taking and telling ──────────────────────────────────────────────────────────────────────

    def take(self, count: int) -> list[Ticket]:
        """Up to `count` trials to train: first those that this owner had taken before a restart."""
        found: list[Ticket] = []
        waiting = 0
        for trial in self._trials():
            state = trial.state.name
            # A journal has one process at a time, so whatever is running in it is left from the last one.
            mine = state == "RUNNING" and (not self._shared or trial.user_attrs.get("owner") == self._owner)
            waiting += state == "WAITING"
            if mine and trial.number not in self._running and len(found) < count:
                self._running[trial.number] = trial._trial_id
                missing = set(self._space.axes) - set(trial.params)
                params = dict(trial.params)
                if missing:  # it was killed between being taken and being asked for
                    again = self._optuna.trial.Trial(self._study, trial._trial_id)
                    params = {p: again._suggest(p, d) for p, d in self._space.distributions.items()}
                found.append(Ticket(trial.number, self._space.settings(params)))
        while len(found) < count and waiting > 0:
            trial = self._study.ask()
            if "ticket" not in trial.user_attrs:  # another process took the last one: this is none of the plan's
                self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
                break
            waiting -= 1
            trial.set_user_attr("owner", self._owner)
            self._running[trial.number] = trial._trial_id
            params = {path: trial._suggest(path, axis) for path, axis in self._space.distributions.items()}
            found.append(Ticket(trial.number, self._space.settings(params)))
        return found

    def report(self, number: int, epoch: int, value: float) -> None:
        """The value of a trial after so many epochs, for `standing`."""
        self._optuna.trial.Trial(self._study, self._running[number]).report(value, epoch)

    def standing(self, epoch: int) -> list[float]:
        """What every trial of the study reported at this epoch, in any order."""
        return [t.intermediate_values[epoch] for t in self._trials() if epoch in t.intermediate_values]

    def tell(self, number: int, state: str, value: float | None) -> None:
        """A trial is over: "dropped", "diverged" or "refused"; all else is a completed one."""
        states = self._optuna.trial.TrialState
        trial_id = self._running.pop(number)
        self._storage.set_trial_user_attr(trial_id, "end", state)
        match state:
            case "diverged" | "refused":
                self._study.tell(number, state=states.FAIL)
            case "dropped":
                self._study.tell(number, state=states.PRUNED)  # its value is the one last reported
            case _:
                self._study.tell(number, value)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    @property
    def size(self) -> int:
        """How many trials were planned."""
        return int(self._study.user_attrs.get("trials", self._planned))

    def done(self) -> int:
        """How many of the planned trials are over, whichever process trained them."""
        return sum("end" in trial.user_attrs for trial in self._trials() if trial.state.is_finished())

    def waits_for_others(self) -> bool:
        """Whether trials are with other processes; those of dead ones are put back on the list."""
        if self._shared:
            self._optuna.storages.fail_stale_trials(self._study)
            for trial in self._trials():
                if trial.state.name == "RUNNING" and "owner" not in trial.user_attrs and _old(trial):
                    # Its process died before its first heartbeat, which is what Optuna looks for.
                    if self._storage.set_trial_state_values(trial._trial_id, self._optuna.trial.TrialState.FAIL):
                        self._study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)
        return any(not trial.state.is_finished() for trial in self._trials() if "ticket" in trial.user_attrs)

    def best(self, count: int) -> list[tuple[int, Settings, float]]:
        """Number, settings and value of the best completed trials, best first, no settings twice."""
        sign = 1 if self._study.direction.name == "MINIMIZE" else -1
        over = [t for t in self._trials() if t.state.name == "COMPLETE" and math.isfinite(t.value)]
        found: list[tuple[int, Settings, float]] = []
        for trial in sorted(over, key=lambda t: (sign * t.value, t.number)):
            settings = self._space.settings(trial.params)
            if settings not in [other for _, other, _ in found]:
                found.append((trial.number, settings, trial.value))
        return found[:count]

    def rows(self) -> list[dict[str, Any]]:
        """Every trial as a row: number, state, value, epoch of the last report, and its settings."""
        return [
            {
                "number": trial.number,
                "state": trial.user_attrs.get("end", trial.state.name.lower()),
                "value": trial.value if trial.state.name in ("COMPLETE", "PRUNED") else None,
                **self._space.settings(trial.params),
            }
            for trial in self._trials()
            if "ticket" in trial.user_attrs and not _superseded(trial)
        ]

    @property
    def optuna(self) -> Any:
        """The study as Optuna's own object."""
        return self._study

    def _trials(self) -> Sequence[Any]:
        trials: Sequence[Any] = self._study.get_trials(deepcopy=False)
        return trials

    # ── staying alive ───────────────────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT / 2):
            for trial_id in list(self._running.values()):
                try:
                    self._storage.record_heartbeat(trial_id)
                except Exception:  # the database may be away for a while; training goes on meanwhile
                    break

    def close(self) -> None:
        """Let go of the storage."""
        self._stop.set()
        if self._pulse is not None:
            self._pulse.join()
            self._storage.remove_session()
            self._storage.engine.dispose()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _superseded(trial: Any) -> bool:
    """A failed trial of a dead process has a successor with its ticket; itself it counts no more."""
    return trial.state.name == "FAIL" and "end" not in trial.user_attrs


def _old(trial: Any) -> bool:
    age: timedelta = datetime.now() - trial.datetime_start
    return age.total_seconds() > 6 * HEARTBEAT


def _opened(optuna: Any, storage: Path | str) -> Any:
    if isinstance(storage, Path):
        backend = optuna.storages.journal.JournalFileBackend(str(storage))
        return optuna.storages.JournalStorage(backend)
    try:
        return optuna.storages.RDBStorage(
            storage,
            heartbeat_interval=HEARTBEAT,
            grace_period=6 * HEARTBEAT,
            failed_trial_callback=optuna.storages.RetryFailedTrialCallback(),
        )
    except Exception as error:  # SQLAlchemy's, the driver's, or an import's: there are many
        raise RunError(
            "the storage is a database that can be reached",
            received=f"{storage.partition('@')[2] or storage}: {str(error).splitlines()[0]}",
            remedy='e.g. --storage postgresql+psycopg://user@host/base, with pip install "layerwise[cluster]"',
        ) from None
