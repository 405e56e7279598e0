"""Training for real: each job a process of its own, the command line's, that ends in order when it is told to.

What a page learns of a job is read from the log that the run writes anyway, so a page may come and go,
and nothing of the user's data stands on a command line but paths. A job ends in order, too, when its server is
gone (see `attended`). Its recipe stays in the workspace until it is over, locked by the server and by the
process: one that nobody locks was interrupted, and the next server may go on with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from layerwise import files
from layerwise.errors import LayerwiseError, RunError
from layerwise.recipe import Recipe, load, to_toml
from layerwise.studio.desk.follower import Follower, searches
from layerwise.studio.desk.workspace import Workspace, checked_name
from layerwise.training.folder import new_folder
from layerwise.tuning.listing import read

AT_ONCE = 1 if (os.cpu_count() or 1) < 4 else 2
QUEUE = 20  # that wait
REMEMBERED = 20  # that are over
PATIENCE = 20.0  # seconds in which jobs may save their best weights when the server ends
WORDS = 2_000  # of what a process said last
LEFT = 100  # jobs of Studios that are gone
ACTIVE = ("waiting", "training", "stopping")


@dataclass
class Job:
    """A run that a page began; `left` is the file of its recipe, open and locked while it is not over.

    `status` is "waiting", "training", "stopping", "done", "stopped", "failed", or "interrupted" by a server's end.
    """

    name: str
    recipe: Recipe
    folder: Path
    status: str = "waiting"
    error: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    left: IO[bytes] | None = None
    follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self.follower = Follower(self.name, self.recipe, self.folder)


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
            self._jobs.append(job)  # before its recipe can be found
            try:
                job.left = self._noted(job)
            except LayerwiseError:
                self._jobs.remove(job)
                raise
            self._turn()
            return job

    def resume(self, name: str) -> None:
        """Go on with a job that was interrupted, from what it saved last. Raises `RunError`."""
        with self._lock:
            job = self._interrupted(name)
            job.status, job.follower = "waiting", Follower(job.name, job.recipe, job.folder)
            self._turn()

    def recipe(self, name: str) -> Recipe:
        """What a job that was interrupted would go on with. Raises `LayerwiseError`."""
        with self._lock:
            job = self._interrupted(name)
        if not (job.folder / "recipe.toml").is_file():
            return job.recipe
        folder = self._workspace.run(name)
        study = folder / "study.json"
        if study.is_file() and (storage := msgspec.json.decode(study.read_bytes()).get("storage")):
            raise RunError(
                "a page goes on with searches whose trials are in their own folder",
                received=f"{name}, whose trials are in {storage}",
                remedy=f"use the command line: layerwise tune --resume {name}",
            )
        return load(folder / "recipe.toml")

    def stop(self, name: str) -> None:
        """End a job: one that trains keeps its best weights, scored and saved; a second time it ends at once."""
        with self._lock:
            job = next((each for each in self._jobs if each.name == name and each.status in ACTIVE), None)
            if job is None:
                raise RunError("a job that is stopped is not over", received=name[:80], remedy="load the page again")
            if job.status == "waiting":
                job.status = "stopped"
                self._forget(job)
            else:
                job.status = "stopping"
                _interrupt(job)

    def dismiss(self, name: str) -> None:
        """Forget a job that is over; its run stays."""
        with self._lock:
            for job in [each for each in self._jobs if each.name == name and each.status not in ACTIVE]:
                self._jobs.remove(job)
                self._forget(job)

    def all(self) -> list[dict[str, Any]]:
        """Every job as pages get it, the newest first; those that a server has left are among them."""
        self._find()
        with self._lock:
            known = self._jobs[::-1]
        return [_payload(job) for job in known]  # read from their logs, while others go on

    def at_work(self, name: str) -> bool:
        """Whether a job of this name is not over."""
        with self._lock:
            return any(job.name == name and job.status in ACTIVE for job in self._jobs)

    def close(self) -> None:
        """End all jobs in order, each with its best weights saved; who takes too long is ended anyway.

        Their recipes stay, so that they can be gone on with.
        """
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
            for job in self._jobs:
                if job.left is not None:
                    job.left.close()

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _folder(self, name: str) -> Path:
        """A folder that neither a run has nor a job that waits, or that somebody may go on with."""
        found, number = new_folder(name, self._workspace.runs), 1
        while found.exists() or self._path(found.name).exists():
            number += 1
            found = self._workspace.runs / f"{name}-{number}"
        return self._workspace.within(found)

    def _interrupted(self, name: str) -> Job:
        job = next((each for each in self._jobs if each.name == name and each.status == "interrupted"), None)
        if job is None:
            raise RunError(
                "a job is gone on with that was interrupted", received=name[:80], remedy="load the page again"
            )
        return job

    def _path(self, name: str) -> Path:
        return self._workspace.within(self._workspace.jobs / f"{name}.toml")

    def _noted(self, job: Job) -> IO[bytes]:
        """Write down what a job trains; the file, locked."""
        path = self._path(job.name)
        files.write(path, to_toml(job.recipe).encode())
        with files.storing(path):
            left = path.open("rb")
        if not files.lock(left):
            left.close()
            raise RunError(
                "each run has a name of its own", received=f"{job.name}, which another Studio begins now",
                remedy="try once more",
            )  # fmt: skip
        return left

    def _forget(self, job: Job) -> None:
        """A job is over: nothing is to be gone on with."""
        if job.left is not None:
            with contextlib.suppress(OSError, LayerwiseError):
                self._path(job.name).unlink()
            job.left.close()
            job.left = None

    def _find(self) -> None:
        """Look for jobs of servers that are gone, and take them over."""
        found = sorted(self._workspace.jobs.glob("*.toml"))[:LEFT]
        with self._lock:
            known = {job.name for job in self._jobs}
        for path in found:
            if path.stem not in known and (job := self._taken(path)) is not None:
                with self._lock:
                    self._jobs.insert(0, job)

    def _taken(self, path: Path) -> Job | None:
        """The job whose recipe this is, unless somebody is at it, or it is over."""
        try:
            folder = self._workspace.within(self._workspace.runs / checked_name(path.stem))
            recipe = load(self._workspace.within(path))
            left = path.open("rb")
        except (OSError, LayerwiseError):
            return None
        if not files.lock(left):
            left.close()
            return None
        job = Job(path.stem, recipe, folder, "interrupted", left=left)
        if (folder / "recipe.toml").is_file() and read(folder).status not in ("unfinished", "interrupted"):
            self._forget(job)
            return None
        return job

    def _turn(self) -> None:
        """Begin what waits, as far as there is room; forget what has long been over."""
        over = [job for job in self._jobs if job.status not in (*ACTIVE, "interrupted")]
        for job in over[:-REMEMBERED]:
            self._jobs.remove(job)
        for job in self._jobs:
            if sum(each.status in ("training", "stopping") for each in self._jobs) >= AT_ONCE or self._closed:
                return
            if job.status == "waiting":
                self._begin(job)

    def _begin(self, job: Job) -> None:
        keep = [job.left.fileno()] if job.left is not None and sys.platform != "win32" else []
        try:
            job.process = subprocess.Popen(
                command(job.recipe, self._path(job.name), job.folder),
                cwd=self._workspace.root,
                stdin=subprocess.PIPE,  # ends with this server, however that comes about
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=keep,  # the lock
                start_new_session=True,  # a Ctrl-C on the terminal is the server's, which then tells the jobs
            )
        except OSError as error:
            job.status, job.error = "failed", str(error)
            self._forget(job)
            return
        job.status = "training"
        threading.Thread(target=self._attend, args=(job,), name="layerwise-job", daemon=True).start()

    def _attend(self, job: Job) -> None:
        """Wait for a job's end, and begin the next."""
        assert job.process is not None and job.process.stderr is not None and job.process.stdin is not None
        said = b""
        while more := job.process.stderr.read1(1 << 16):  # type: ignore[attr-defined]
            said = (said + more)[-4 * WORDS :]  # however much it says
        code = job.process.wait()
        job.process.stdin.close()
        job.process.stderr.close()
        with self._lock:
            if code == 0:
                job.status = "done"
            elif job.status == "stopping":
                job.status = "stopped"
            else:
                job.status = "failed"
                words = said.decode(errors="replace").strip().removeprefix("error: ")
                job.error = words[-WORDS:] or f"the process ended with code {code}"
            if not self._closed:
                self._forget(job)
            self._turn()


def command(recipe: Recipe, path: Path, folder: Path) -> list[str]:
    """The words that train a recipe file into a folder, or search where it says what to search; or go on with it."""
    attended = [sys.executable, "-m", "layerwise.studio.desk.attended"]
    if (folder / "recipe.toml").is_file():
        verb = ["tune", "--resume"] if searches(recipe) else ["resume"]
        return [*attended, *verb, str(folder), "--json", "--quiet"]
    verb = ["tune"] if searches(recipe) else ["train"]
    return [*attended, *verb, str(path), "--out", str(folder), "--json", "--quiet"]


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
