"""Training for real: processes that train, wait for their turn, are stopped, fail in words, and end with the server."""

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerwise import files
from layerwise.errors import LayerwiseError, RunError
from layerwise.recipe import Recipe, load, to_toml
from layerwise.studio.desk import jobs as studio_jobs
from layerwise.studio.desk.jobs import Jobs
from layerwise.studio.desk.workspace import Workspace
from layerwise.tuning.listing import read

LONG: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 200},
    "network": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 10_000_000, "patience": 0},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def jobs(workspace: Workspace) -> Iterator[Jobs]:
    """No more than one job at a time; all have ended after the test."""
    made = Jobs(workspace)
    yield made
    made.close()


def until(fits: Callable[[], Any]) -> Any:
    """Wait for what a job comes to."""
    end = time.monotonic() + 60
    while not (found := fits()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def state(jobs: Jobs, name: str) -> dict[str, Any]:
    return next(job for job in jobs.all() if job["name"] == name)


def short(**train: Any) -> Recipe:
    return load({**LONG, "train": {"epochs": 3, **train}})


def test_from_waiting_to_stopped_with_its_best_weights(
    jobs: Jobs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_jobs, "AT_ONCE", 1)
    first = jobs.start(load(LONG), "moons").name
    second = jobs.start(short(), "moons").name
    third = jobs.start(short(), "moons").name
    assert [first, second, third] == ["moons-1", "moons-2", "moons-3"]
    assert [state(jobs, name)["status"] for name in (first, second, third)] == ["training", "waiting", "waiting"]
    jobs.stop(third)
    assert state(jobs, third)["status"] == "stopped" and not (workspace.runs / third).exists()
    seen = until(lambda: (found := state(jobs, first)).get("figures") and len(found["figures"]) == 3 and found)
    assert seen["at"].endswith("of 10,000,000") and seen["phase"] == "training" and 0 < seen["share"] < 1
    assert seen["figures"][0][0] == "training loss" and seen["figures"][1][0] == "validation loss"
    jobs.stop(first)
    assert state(jobs, first)["status"] == "stopping" and jobs.at_work(first)
    until(lambda: not jobs.at_work(first))
    assert state(jobs, first)["status"] == "done" and state(jobs, first)["kept"]
    record = read(workspace.runs / first)
    assert record.status == "interrupted" and "accuracy" in record.metrics["test"]
    until(lambda: state(jobs, second)["status"] == "done")
    assert read(workspace.runs / second).status == "finished"
    assert list(workspace.jobs.iterdir()) == []
    with pytest.raises(RunError):
        jobs.stop(second)
    jobs.dismiss(second)
    assert [job["name"] for job in jobs.all()] == [third, first]


def test_what_fails_says_why(jobs: Jobs, workspace: Workspace) -> None:
    """A run that begins and whose folder is then taken away, under it."""
    name = jobs.start(load(LONG), "moons").name
    until(lambda: state(jobs, name).get("at"))
    (workspace.runs / name).rename(workspace.root / "elsewhere")
    until(lambda: state(jobs, name)["status"] == "failed")
    assert "the file cannot be written" in state(jobs, name)["error"]
    assert "Traceback" not in state(jobs, name)["error"]


def test_all_end_with_the_server(workspace: Workspace) -> None:
    jobs = Jobs(workspace)
    name = jobs.start(load(LONG), "moons").name
    waiting = [jobs.start(load(LONG), "moons").name for _ in range(studio_jobs.AT_ONCE)]
    until(lambda: state(jobs, name).get("at"))
    running = [job for job in jobs._jobs if job.process is not None]
    jobs.close()
    assert all(job.process is not None and job.process.returncode is not None for job in running)
    assert read(workspace.runs / name).status == "interrupted"
    assert state(jobs, waiting[-1])["status"] == "stopped"
    with pytest.raises(RunError):
        jobs.start(load(LONG), "moons")


def test_a_search_is_a_job_too(jobs: Jobs, workspace: Workspace) -> None:
    search = {"method": "random", "trials": 3, "space": {"train.learning_rate": {"log": [0.001, 0.1]}}}
    name = jobs.start(load({**LONG, "train": {"epochs": 2}, "search": search}), "moons").name
    until(lambda: state(jobs, name)["status"] in ("done", "failed"))
    assert state(jobs, name)["error"] == ""
    assert (read(workspace.runs / name).kind, read(workspace.runs / name).trials) == ("study", 3)


def test_the_queue_is_bounded(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_jobs, "QUEUE", 2)
    monkeypatch.setattr(studio_jobs, "AT_ONCE", 0)
    for _ in range(2):
        jobs.start(short(), "moons")
    with pytest.raises(RunError, match="wait for their turn"):
        jobs.start(short(), "moons")


@pytest.mark.parametrize("name", ["../moons", "", "a/b", ".hidden", "\0"])
def test_a_job_writes_below_runs(jobs: Jobs, workspace: Workspace, name: str) -> None:
    with pytest.raises(RunError):
        jobs.start(short(), name)
    assert jobs.all() == []


def test_nothing_of_a_recipe_stands_on_the_command_line(workspace: Workspace) -> None:
    recipe = load({**LONG, "data": {"kind": "toy", "name": "spiral"}})
    words = studio_jobs.command(recipe, workspace.jobs / "a.toml", workspace.runs / "a")
    assert words[1:4] == ["-m", "layerwise.studio.desk.attended", "train"]
    assert words[4:] == [str(workspace.jobs / "a.toml"), "--out", str(workspace.runs / "a"), "--json", "--quiet"]


# ── when the server is gone ─────────────────────────────────────────────────────────────────────

SERVER = """
import sys
from pathlib import Path
from layerwise.recipe import load
from layerwise.studio.desk.jobs import Jobs
from layerwise.studio.desk.workspace import Workspace

jobs = Jobs(Workspace(Path(sys.argv[1])))
job = jobs.start(load(sys.argv[2]), "moons")
print(job.process.pid, flush=True)
sys.stdin.read()
"""


def gone(process: int) -> bool:
    """Whether a process of nobody's is over: whoever was its parent is, too."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{process}/stat")  # where nobody waits for it, it stays as a zombie
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def orphan(workspace: Workspace, tmp_path: Path) -> str:
    """A job that trained when its server was killed, and has ended since."""
    recipe = tmp_path / "moons.toml"
    recipe.write_text(to_toml(load({**LONG, "train": {"epochs": 10_000_000, "patience": 0}})))
    words = [sys.executable, "-c", SERVER, str(workspace.root), str(recipe)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        process = int(server.stdout.readline())
        log = workspace.runs / "moons-1" / "events.jsonl"
        until(lambda: log.exists() and log.stat().st_size > 2000)
        other = Jobs(workspace)
        assert other.all() == []  # it is somebody else's
        server.kill()
    until(lambda: gone(process))
    return "moons-1"


def test_a_job_ends_in_order_when_its_server_is_killed_and_is_gone_on_with(workspace: Workspace, orphan: str) -> None:
    record = read(workspace.runs / orphan)
    assert record.status == "interrupted" and "accuracy" in record.metrics["test"]
    epochs = record.epochs
    jobs = Jobs(workspace)
    try:
        (known,) = jobs.all()
        assert (known["name"], known["status"], known["kept"]) == (orphan, "interrupted", True)
        assert not jobs.at_work(orphan)
        jobs.resume(orphan)
        assert state(jobs, orphan)["status"] == "training"
        seen = until(lambda: (found := state(jobs, orphan)).get("at") and found)
        assert int(seen["at"].split()[1].replace(",", "")) >= 1
        until(lambda: (workspace.runs / orphan / "events.jsonl").stat().st_size > 4000)
        jobs.stop(orphan)
        until(lambda: not jobs.at_work(orphan))
        assert read(workspace.runs / orphan).epochs >= epochs and list(workspace.jobs.iterdir()) == []
        with pytest.raises(RunError, match="was interrupted"):
            jobs.resume(orphan)
    finally:
        jobs.close()


def test_what_waited_or_trained_when_the_server_closed_is_there_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_jobs, "AT_ONCE", 0)
    jobs = Jobs(workspace)
    names = [jobs.start(short(), "moons").name for _ in range(2)]
    jobs.close()
    (workspace.jobs / "broken-1.toml").write_text("layerwise = 99")
    (workspace.jobs / "linked-1.toml").symlink_to("/etc/passwd")
    again = Jobs(workspace)
    assert {job["name"]: job["status"] for job in again.all()} == dict.fromkeys(names, "interrupted")
    again.dismiss(names[0])
    assert [job["name"] for job in again.all()] == names[1:] and again.recipe(names[1]) == short()
    monkeypatch.setattr(studio_jobs, "AT_ONCE", 1)
    again.resume(names[1])
    until(lambda: state(again, names[1])["status"] == "done")
    assert read(workspace.runs / names[1]).status == "finished"
    again.close()
    assert Jobs(workspace).all() == []


def test_a_name_that_somebody_may_go_on_with_is_not_taken(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_jobs, "AT_ONCE", 0)  # nothing is trained
    before = Jobs(workspace)
    first = before.start(short(), "moons")
    before.close()
    after = Jobs(workspace)
    try:
        second = after.start(short(epochs=5), "moons")
        assert second.name != first.name
        assert {job["name"]: job["status"] for job in after.all()}[first.name] == "interrupted"
        after.dismiss(first.name)
        assert [path.stem for path in workspace.jobs.glob("*.toml")] == [second.name]
    finally:
        after.close()


def test_a_folder_that_leads_elsewhere_is_not_gone_on_with(workspace: Workspace, jobs: Jobs, tmp_path: Path) -> None:
    files.make_folder(workspace.jobs)
    for name in ("linked", "stored"):
        (workspace.jobs / f"{name}.toml").write_text(to_toml(short()))
        folder = workspace.runs / name
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(to_toml(short()))
    (workspace.runs / "linked" / "events.jsonl").symlink_to(tmp_path / "elsewhere")
    (workspace.runs / "stored" / "study.json").write_text('{"storage": "sqlite:////elsewhere.db"}')
    assert {job["status"] for job in jobs.all()} == {"interrupted"}
    for name in ("linked", "stored"):
        with pytest.raises(LayerwiseError):
            jobs.recipe(name)


def test_what_a_process_says_is_bounded(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    loud = "import sys; [sys.stderr.write('x' * 65536) for _ in range(800)]; sys.exit('error: the very end')"
    monkeypatch.setattr(studio_jobs, "command", lambda *_: [sys.executable, "-c", loud])
    tracemalloc.start()
    try:
        name = jobs.start(short(), "moons").name
        until(lambda: state(jobs, name)["status"] == "failed")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert state(jobs, name)["error"].endswith("the very end") and peak < 8 << 20
    assert len(state(jobs, name)["error"]) <= studio_jobs.WORDS


def test_logs_are_read_while_others_ask(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk holds up who reads from it, not who stops a job."""
    name = jobs.start(load(LONG), "moons").name
    reading, go_on = threading.Event(), threading.Event()
    slow = studio_jobs.Follower._news

    def news(self: Any) -> Any:
        reading.set()
        assert go_on.wait(30)
        return slow(self)

    monkeypatch.setattr(studio_jobs.Follower, "_news", news)
    asking = threading.Thread(target=jobs.all)
    asking.start()
    assert reading.wait(30)
    stopping = threading.Thread(target=jobs.stop, args=(name,))
    stopping.start()
    stopping.join(30)
    held_up = stopping.is_alive()
    go_on.set()
    asking.join(30)
    assert not held_up
