"""The study folder: what is in it, and how it is written so that no crash leaves it unreadable.

recipe.toml      the recipe with its search, every value written out
study.json       which storage the trials are in, and who owns this folder
trials.journal   Optuna's journal of the trials, unless they are in a database
events.jsonl     one event a line, appended; every trial's curve is in it
best/            the winner's own run: model, metrics, state
report.html      the pictures
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import IO, Any

import msgspec

from layerwise import files
from layerwise.errors import LayerwiseError, RunError
from layerwise.recipe import Recipe, load, plain, to_toml
from layerwise.training import checkpoint
from layerwise.training.checkpoint import Mark
from layerwise.training.events import TestTouched
from layerwise.training.folder import Folder, logged
from layerwise.tuning.events import AnyStudyEvent, Finalist, StudyFinished, StudyStarted, TrialEnded
from layerwise.tuning.storage import without_password
from layerwise.tuning.trials import Maker, Trial

_DECODER: msgspec.json.Decoder[AnyStudyEvent] = msgspec.json.Decoder(AnyStudyEvent)


class StudyFolder:
    """The files of one study. Opening writes nothing; `found` makes the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.identity = path / "study.json"
        self.lock = path / ".lock"
        self.journal = path / "trials.journal"
        self.log = path / "events.jsonl"
        self.best = path / "best"
        self.report = path / "report.html"
        self._lock: IO[bytes] | None = None

    def refuse_another(self) -> None:
        """Raise `RunError` where the folder has a study or a run already."""
        if self.identity.exists():
            raise RunError(
                "a new study has a folder of its own",
                received=f"{self.path}, in which there is one",
                remedy=f"go on with that one: layerwise tune --resume {self.path}; or choose another: --out FOLDER",
            )
        if self.log.exists():
            raise RunError(
                "a new study has a folder of its own",
                received=f"{self.path}, which holds a run",
                remedy="choose another: --out FOLDER",
            )

    def found(self, recipe: Recipe, storage: str | None, owner: str) -> None:
        """Make the folder of a new study. Raises `StorageError`, `RunError` where there is one already."""
        self.refuse_another()
        # Processes that search the same recipe in the same database are one study.
        tree = {**plain(recipe), "layerwise": 1}
        digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:12]
        known = {"name": f"layerwise-{digest}", "owner": owner, "storage": storage and without_password(storage)}
        self._secret = storage
        files.make_folder(self.path)
        files.write(self.recipe, to_toml(recipe).encode())
        files.write(self.identity, json.dumps(known, indent=2).encode() + b"\n")

    def read_recipe(self, storage: str | None = None) -> Recipe:
        """The recipe of an existing study. Raises `RunError` where the folder is not one."""
        if not (self.recipe.is_file() and self.identity.is_file()):
            raise RunError(
                "a study is a folder with a recipe.toml and a study.json in it",
                received=str(self.path),
                remedy="begin one with: layerwise tune RECIPE",
            )
        known = self._known()["storage"]
        if storage is not None and without_password(storage) != known:
            raise RunError(
                "a study stays in its storage",
                received=f"--storage {without_password(storage)}, for a study in {known or 'a journal of its own'}",
                remedy="leave --storage out, or give the same one with its password",
            )
        self._secret = storage
        return load(self.recipe)

    @property
    def storage(self) -> Path | str:
        """Where the trials are: the journal's path, or a database's URL."""
        url = self._secret or self._known()["storage"]
        return url if url is not None else self.journal

    @property
    def shared(self) -> bool:
        """Whether other processes may take part."""
        return not isinstance(self.storage, Path)

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        return str(self._known()["name"])

    @property
    def owner(self) -> str:
        """Names this folder among the processes of a study."""
        return str(self._known()["owner"])

    def _known(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.identity.read_bytes())
        except (OSError, ValueError) as error:
            raise RunError("a study's folder says whose it is", received=str(error), place=str(self.identity)) from None
        return known

    # ── one process at a time ───────────────────────────────────────────────────────────────────

    def hold(self) -> None:
        """Keep other processes out of this folder until `release`. Raises `RunError` where one is in."""
        self._lock = files.hold(self.lock)
        if self._lock is None:
            raise RunError(
                "one process at a time works in a study's folder",
                received=f"{self.path}, in which another is at work",
                remedy="wait for it, or let several share a database: --storage URL",
            )
        if self.log.exists():
            whole = b"".join(line for line in self.log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n"))
            files.write(self.log, whole)  # without a last line that a crash cut short

    def release(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.close()  # closing unlocks
            self._lock = None

    # ── the best so far ─────────────────────────────────────────────────────────────────────────

    def keep(self, trial: Trial) -> None:
        """Write down a lane's state, as a run that would go on from it. Raises `StorageError`."""
        fresh = Folder(self.path / ".best")  # made beside, so that a crash leaves the one or the other whole
        shutil.rmtree(fresh.path, ignore_errors=True)
        fresh.write_recipe(trial.trainer.recipe)
        seen = Folder(self.best).events()
        fresh.append(event for event in seen if isinstance(event, TestTouched))  # that cannot be undone
        checkpoint.write(fresh.state, trial.trainer.exact, Mark(fresh.log_bytes(), 0.0))
        with files.storing(self.best):
            old = self.path / ".old"
            shutil.rmtree(old, ignore_errors=True)
            if self.best.exists():
                self.best.rename(old)
            fresh.path.rename(self.best)
            shutil.rmtree(old, ignore_errors=True)

    def champion(self, maker: Maker) -> Trial | None:
        """The lane that was kept last; None where there is none, or none that can be read."""
        if not self.best.exists() and (self.path / ".old").exists():
            (self.path / ".old").rename(self.best)  # killed between two renames
        run = Folder(self.best)
        try:
            resolved = maker.resolved(run.read_recipe())
            lane = maker.lane(resolved, resolved.recipe.seed, frozenset())
            lane.take(checkpoint.read(run.state, lane.exact))
        except LayerwiseError:
            return None
        return Trial(-1, {}, lane, resolved.recipe.seed)

    # ── the log ─────────────────────────────────────────────────────────────────────────────────

    def append(self, event: AnyStudyEvent) -> None:
        """Append an event to the log. Raises `StorageError`."""
        with files.storing(self.log), self.log.open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")

    def events(self) -> list[AnyStudyEvent]:
        """All logged events; a last line that a crash cut short is left out."""
        return logged(self.log, _DECODER)

    def ended(self) -> dict[int, TrialEnded]:
        """The trials that this folder's processes have trained, by number."""
        return {event.number: event for event in self.events() if isinstance(event, TrialEnded)}

    def finalists(self) -> tuple[Finalist, ...]:
        """The finalists of the last session: finals that were cut short are trained again."""
        found: list[Finalist] = []
        for event in self.events():
            if isinstance(event, StudyStarted):
                found.clear()
            elif isinstance(event, Finalist):
                found.append(event)
        return tuple(found)

    def seconds(self) -> float:
        """How long earlier sessions took."""
        return max((event.seconds for event in self.events()), default=0.0)

    def outcome(self) -> StudyFinished | None:
        """How the study ended, if there is nothing left to do in it, and its winner has not been removed."""
        events = self.events()
        over = events[-1] if events else None
        if not isinstance(over, StudyFinished) or over.status not in ("finished", "joined", "diverged"):
            return None
        return over if not over.metrics or (self.best / "recipe.toml").is_file() else None
