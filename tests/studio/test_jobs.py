"""Training for real: processes that train, wait for their turn, are stopped, fail in words, and end with the server."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerwise.errors import RunError
from layerwise.recipe import Recipe, load
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
    assert words[1:4] == ["-m", "layerwise", "train"]
    assert words[4:] == [str(workspace.jobs / "a.toml"), "--out", str(workspace.runs / "a"), "--json", "--quiet"]
