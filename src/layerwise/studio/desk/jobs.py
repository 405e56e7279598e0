"""Training for real: each job a process of its own, the command line's, that ends in order when it is told to.

What a page learns of a job is read from the log that the run writes anyway, so a page may come and go,
and nothing of the user's data stands on a command line but paths.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from layerwise import files
from layerwise.errors import RunError
from layerwise.progress import wording
from layerwise.progress.board import Board
from layerwise.recipe import Recipe, to_toml
from layerwise.recipe import records as r
from layerwise.studio.desk.workspace import Workspace, checked_name
from layerwise.training.events import AnyEvent, Scoring
from layerwise.training.folder import new_folder
from layerwise.tuning.events import AnyStudyEvent, Searching, StudyStarted

AT_ONCE = 1 if (os.cpu_count() or 1) < 4 else 2
QUEUE = 20  # that wait
REMEMBERED = 20  # that are over
PATIENCE = 20.0  # seconds in which jobs may save their best weights when the server ends
READ = 4 << 20  # bytes of a log at once
WORDS = 2_000  # of what a process said last
ACTIVE = ("waiting", "training", "stopping")


@dataclass
class Job:
    """A run that a page began. `status` is "waiting", "training", "stopping", "done", "stopped" or "failed"."""

    name: str
    recipe: Recipe
    folder: Path
    status: str = "waiting"
    error: str = ""
    process: "subprocess.Popen[str] | None" = None
    follower: "Follower" = field(init=False)

    def __post_init__(self) -> None:
        self.follower = Follower(self)


class Follower:
    """Reads a job's log as it grows, and tells where the job stands."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._board = Board(job.name)
        self._search: tuple[int, int, str, float | None] | None = None  # done, trials, monitor, best
        self._log, self._offset = Path(), 0
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            AnyStudyEvent if searches(job.recipe) else AnyEvent
        )
        self._board.follow(job.recipe)

    def progress(self) -> dict[str, Any]:
        """Where it stands: the phase in words, the share that is done, figures ready to read."""
        for event in self._news():
            self._hear(event)
        if self._search is not None:
            over, trials, monitor, best = self._search
            figures = [("best " + wording.label(monitor), _shown(monitor, best))] if best is not None else []
            words = f"trial {over:,} of {trials:,}"
            return {"phase": self._board.phase, "share": over / max(trials, 1), "at": words, "figures": figures}
        board = self._board
        if board.started is None or board.progress is None:
            return {"phase": board.phase, "share": 0.0, "at": "", "figures": []}
        total = board.started.epochs
        done = board.progress.epoch
        figures = [("training loss", wording.loss(board.progress.loss))]
        if board.last is not None:
            figures += [
                (f"validation {wording.label(name)}", _shown(name, value))
                for name, value in list(board.last.validation.items())[:2]
            ]
        left = board.left if board.phase == "training" else None
        return {
            "phase": board.phase,
            "share": min(1.0, done / max(total, 1)),
            "at": f"epoch {min(int(done) + 1, total):,} of {total:,}",
            "figures": figures,
            "left": wording.clock(left) if left is not None else "",
            "curve": [value for value in (board.watched or board.losses)[-200:] if abs(value) < 1e30],
        }

    def _hear(self, event: Any) -> None:
        match event:
            case StudyStarted(done=done, trials=trials, monitor=monitor):
                self._search, self._board.phase = (done, trials, monitor, None), "searching"
            case Searching(done=done, best=best) if self._search is not None:
                self._search = (done, self._search[1], self._search[2], best)
            case Scoring() if self._search is not None:
                self._board.phase = "scoring the winner and the baselines"
            case _ if not searches(self._job.recipe):
                self._board.hear(event)

    def _news(self) -> Iterator[Any]:
        """The events that were logged since; of a cross-validation those of the fold at hand."""
        folder = self._job.folder
        folds = sorted(folder.glob("fold-*"), key=lambda path: (len(path.name), path.name)) if folder.is_dir() else []
        log = (folds[-1] if folds else folder) / "events.jsonl"
        if log != self._log:
            self._log, self._offset = log, 0
        try:
            with log.open("rb") as file:
                file.seek(self._offset)
                content = file.read(READ)
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield self._decoder.decode(line)


class Jobs:
    """The jobs of one server, `AT_ONCE` of them at a time. May be called from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._jobs: list[Job] = []  # oldest first
        self._lock = threading.RLock()
        self._closed = False

    def start(self, recipe: Recipe, name: str) -> Job:
        """Train a recipe of a page as a run named after `name`, as soon as it is its turn. Raises `LayerwiseError`."""
        with self._lock:
            if sum(job.status == "waiting" for job in self._jobs) >= QUEUE or self._closed:
                raise RunError(
                    f"up to {QUEUE} runs wait for their turn", received="one more", remedy="wait, or stop some"
                )
            located = self._workspace.located(recipe)
            files.make_folder(self._workspace.within(self._workspace.runs))
            files.make_folder(self._workspace.within(self._workspace.jobs))
            folder = self._folder(checked_name(name))
            job = Job(folder.name, located, folder)
            self._jobs.append(job)
            self._turn()
            return job

    def stop(self, name: str) -> None:
        """End a job: one that trains keeps its best weights, scored and saved; a second time it ends at once."""
        with self._lock:
            job = next((each for each in self._jobs if each.name == name and each.status in ACTIVE), None)
            if job is None:
                raise RunError("a job that is stopped is not over", received=name[:80], remedy="load the page again")
            if job.status == "waiting":
                job.status = "stopped"
            else:
                job.status = "stopping"
                _interrupt(job)

    def dismiss(self, name: str) -> None:
        """Forget a job that is over; its run stays."""
        with self._lock:
            self._jobs = [job for job in self._jobs if job.name != name or job.status in ACTIVE]

    def all(self) -> list[dict[str, Any]]:
        """Every job as pages get it, the newest first."""
        with self._lock:
            return [_payload(job) for job in reversed(self._jobs)]

    def at_work(self, name: str) -> bool:
        """Whether a job of this name is not over."""
        with self._lock:
            return any(job.name == name and job.status in ACTIVE for job in self._jobs)

    def close(self) -> None:
        """End all jobs in order, each with its best weights saved; who takes too long is ended anyway."""
        with self._lock:
            self._closed = True
            for job in self._jobs:
                if job.status == "waiting":
                    job.status = "stopped"
            running = [job for job in self._jobs if job.status in ACTIVE and job.process is not None]
            for job in running:
                if job.status != "stopping":
                    job.status = "stopping"
                    _interrupt(job)
        end = time.monotonic() + PATIENCE
        try:
            for job in running:
                assert job.process is not None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    job.process.wait(max(0.0, end - time.monotonic()))
        finally:
            for job in running:
                assert job.process is not None
                if job.process.poll() is None:
                    job.process.kill()

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _folder(self, name: str) -> Path:
        """A folder that neither a run nor a waiting job has."""
        taken = {job.name for job in self._jobs if job.status in ACTIVE}
        found, number = new_folder(name, self._workspace.runs), 1
        while found.name in taken or found.exists():
            number += 1
            found = self._workspace.runs / f"{name}-{number}"
        return self._workspace.within(found)

    def _turn(self) -> None:
        """Begin what waits, as far as there is room; forget what has long been over."""
        over = [job for job in self._jobs if job.status not in ACTIVE]
        for job in over[:-REMEMBERED]:
            self._jobs.remove(job)
        for job in self._jobs:
            if sum(each.status in ("training", "stopping") for each in self._jobs) >= AT_ONCE or self._closed:
                return
            if job.status == "waiting":
                self._begin(job)

    def _begin(self, job: Job) -> None:
        path = self._workspace.within(self._workspace.jobs / f"{job.name}.toml")
        try:
            files.write(path, to_toml(job.recipe).encode())
            job.process = subprocess.Popen(
                command(job.recipe, path, job.folder),
                cwd=self._workspace.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # a Ctrl-C on the terminal is the server's, which then tells the jobs
            )
        except OSError as error:
            job.status, job.error = "failed", str(error)
            return
        job.status = "training"
        threading.Thread(target=self._attend, args=(job, path), name="layerwise-job", daemon=True).start()

    def _attend(self, job: Job, path: Path) -> None:
        """Wait for a job's end, and begin the next."""
        assert job.process is not None
        _, said = job.process.communicate()
        code = job.process.returncode
        with self._lock:
            if code == 0:
                job.status = "done"
            elif job.status == "stopping":
                job.status = "stopped"
            else:
                job.status = "failed"
                job.error = said.strip().removeprefix("error: ")[-WORDS:] or f"the process ended with code {code}"
            with contextlib.suppress(OSError):
                path.unlink()
            self._turn()


def command(recipe: Recipe, path: Path, folder: Path) -> list[str]:
    """The words that train a recipe file into a folder, or search where it says what to search."""
    verb = "tune" if searches(recipe) else "train"
    return [sys.executable, "-m", "layerwise", verb, str(path), "--out", str(folder), "--json", "--quiet"]


def searches(recipe: Recipe) -> bool:
    """Whether the recipe asks for a search."""
    return isinstance(recipe.search, r.Search)


def _interrupt(job: Job) -> None:
    assert job.process is not None
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            job.process.terminate()
        else:
            job.process.send_signal(signal.SIGINT)


def _payload(job: Job) -> dict[str, Any]:
    known = {"name": job.name, "status": job.status, "error": job.error, "kept": (job.folder / "metrics.json").exists()}
    return known | (job.follower.progress() if job.status in ("training", "stopping") else {})


def _shown(metric: str, value: float) -> str:
    return wording.figure(value, wording.decimals(metric, value))
