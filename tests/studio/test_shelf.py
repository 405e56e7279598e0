"""The list of runs: sorted, searched, cut into pages, and read again only where a folder has changed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from layerwise.studio.desk import shelf as shelves
from layerwise.studio.desk.courses import epochs, log_of, small
from layerwise.studio.desk.shelf import Shelf

RECIPE = 'layerwise = 1\n[data]\nkind = "toy"\nname = "{data}"\n[network]\nkind = "mlp"\nhidden = [4, 2]\n'


def made(runs: Path, name: str, number: int, accuracy: float | None = None, data: str = "moons", **more: Any) -> Path:
    """A run's folder as `Run` leaves it, begun at second `number`."""
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE.format(data=data))
    epochs = [
        {"event": "epoch", "seconds": float(e), "epoch": e, "step": e, "loss": 1 / e, "validation": {"loss": 2 / e},
         "best": e < 4, "learning_rate": 0.1} for e in range(1, 101)
    ]  # fmt: skip
    (folder / "events.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
    if accuracy is not None:
        figures = {more.get("metric", "accuracy"): {"value": accuracy, "low": accuracy, "high": accuracy}}
        known = {"status": "finished", "epochs": 100 + number, "seconds": 9.0 - number, "metrics": {"test": figures}}
        (folder / "metrics.json").write_text(json.dumps(known))
    os.utime(folder / "recipe.toml", (number, number))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for number, accuracy in enumerate((0.7, 0.9, None, 0.8)):
        made(tmp_path, f"run-{number}", number, accuracy, data="spiral" if number == 1 else "moons")
    made(tmp_path, "price", 4, 30.0, metric="rmse")
    made(tmp_path, "cost", 5, 20.0, metric="rmse")
    return tmp_path


def names(shelf: Shelf, **how: Any) -> list[str]:
    return [row.name for row in shelf.page(**how).rows]


def test_every_order(runs: Path) -> None:
    shelf = Shelf(runs)
    assert names(shelf) == ["cost", "price", "run-3", "run-2", "run-1", "run-0"]
    assert names(shelf, reverse=True) == ["run-0", "run-1", "run-2", "run-3", "price", "cost"]
    assert names(shelf, sort="name")[:3] == ["cost", "price", "run-0"]
    # Figures of one kind stand together, the best first; what was not scored comes last.
    assert names(shelf, sort="score") == ["cost", "price", "run-1", "run-3", "run-0", "run-2"]
    assert names(shelf, sort="length")[0] == "cost" and names(shelf, sort="seconds")[0] == "run-2"
    assert {row.status for row in shelf.page(sort="status").rows} == {"finished", "unfinished"}


def test_words_and_pages(runs: Path) -> None:
    shelf = Shelf(runs)
    assert names(shelf, words="SPIRAL run") == ["run-1"] and names(shelf, words="4-2 unfinished") == ["run-2"]
    page = shelf.page(words="run-", offset=1, limit=2)
    assert ([row.name for row in page.rows], page.offset, page.found, page.total) == (["run-2", "run-1"], 1, 4, 6)
    assert shelf.page(offset=10**9).rows == [] and len(shelf.page(limit=-5).rows) == 0


def test_a_folder_is_read_again_only_when_it_has_changed(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = shelves.read
    monkeypatch.setattr(shelves, "read", lambda folder: seen.append(folder.name) or real(folder))
    shelf = Shelf(runs)
    assert names(shelf, limit=2) == seen == ["cost", "price"]  # of thousands only those on the page
    shelf.warm()
    assert len(seen) == 6
    for how in ({}, {"sort": "score"}, {"words": "run"}):
        shelf.page(**how)
    assert len(seen) == 6
    with (runs / "run-2" / "events.jsonl").open("a") as log:
        log.write("\n")
    assert len(names(shelf, sort="score")) == 6 and seen[6:] == ["run-2"]
    (runs / "run-2" / "metrics.json").write_bytes((runs / "run-1" / "metrics.json").read_bytes())
    assert names(shelf, sort="score")[2:4] == ["run-2", "run-1"] and seen[7:] == ["run-2"]
    made(runs, "new", 9)
    os.rename(runs / "cost", runs / "worth")
    assert names(shelf)[:2] == ["new", "worth"] and sorted(seen[8:]) == ["new", "worth"]


def test_what_is_no_run_is_not_listed(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = made(tmp_path_factory.mktemp("other"), "secret", 1)
    (runs / "link").symlink_to(other)
    (runs / "empty").mkdir()
    (runs / "half").mkdir()
    (runs / "half" / "recipe.toml").symlink_to(other / "recipe.toml")
    (runs / "log").mkdir()
    (runs / "log" / "recipe.toml").write_text("")
    (runs / "log" / "events.jsonl").symlink_to(other / "events.jsonl")
    made(runs, ".hidden", 1)
    assert len(names(Shelf(runs))) == 6 and names(Shelf(runs / "nowhere")) == []


def test_damaged_folders_are_listed_all_the_same(runs: Path) -> None:
    (runs / "run-0" / "metrics.json").write_bytes(b"\xff{")
    (runs / "run-0" / "recipe.toml").write_bytes(b"= [")
    (runs / "run-0" / "events.jsonl").write_bytes(b"\0" * 5000 + b'\n{"event": "epoch"}\n')
    row = next(row for row in Shelf(runs).page().rows if row.name == "run-0")
    assert (row.status, row.steps, row.curve) == ("unfinished", 0, ())


def test_small_curves_are_thinned(runs: Path) -> None:
    values = small(runs / "run-0", "run")
    assert len(values) == 40 and values[0] == 2.0 and values[-1] == 2 / 100
    log = runs / "run-0" / "events.jsonl"
    log.write_text(
        log.read_text() + '{"event": "rolled_back", "seconds": 1, "epoch": 50, "attempt": 1, "learning_rate": 0.05}\n'
    )
    assert epochs(log_of(runs / "run-0", "run"))[-1].epoch == 49  # what was rolled back is no part of it
