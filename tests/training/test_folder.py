"""The run folder: what is logged can be read after any crash, and looks at the test part are never lost."""

import os

import msgspec
import pytest

from layerwise import files
from layerwise.errors import RecipeError, RunError, StorageError
from layerwise.recipe import load
from layerwise.tasks.intervals import Interval
from layerwise.training.checkpoint import Mark
from layerwise.training.events import AnyEvent, Epoch, Finished, Progress, RolledBack, Scoring, Started, TestTouched
from layerwise.training.folder import Folder, new_folder

EVENTS: list[AnyEvent] = [
    Started(
        seconds=0.5, rows={"train": 3}, inputs=2, outputs=1, parameters=9, epochs=5, steps_per_epoch=1, first_step=0,
        notes=("a note, with ünicode\nand a line",),
    ),
    Epoch(seconds=1.0, epoch=1, step=1, loss=0.5, validation={"loss": 0.25}, best=True, learning_rate=0.1),
    RolledBack(seconds=1.5, epoch=2, attempt=1, learning_rate=0.05),
    Progress(seconds=2.0, step=2, epoch=2.0, loss=0.125, examples_per_second=1e6),
    Scoring(seconds=2.5, status="finished"),
    TestTouched(seconds=3.0, count=1, reason="end of training"),
    Finished(
        seconds=4.0, status="finished", epochs=2, metrics={"test": {"accuracy": Interval(0.5, 0.25, 0.75)}},
        baselines={"mean": {"test": {}}}, remarks=("one",),
    ),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_every_event_comes_back(folder):
    assert {type(event) for event in EVENTS} == set(AnyEvent.__args__)
    folder.append(EVENTS[:3])
    folder.append(EVENTS[3:])
    assert folder.events() == EVENTS
    assert folder.log.read_bytes().count(b"\n") == len(EVENTS), "one line each"


def test_without_a_log_there_are_no_events(folder):
    assert folder.events() == []
    assert folder.log_bytes() == 0


def test_a_line_cut_short_is_left_out(folder):
    folder.append(EVENTS)
    content = folder.log.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    for length in range(last, len(content) - 1, 7):
        folder.log.write_bytes(content[:length])
        assert folder.events() == EVENTS[:-1]


def test_rewinding_forgets_what_will_happen_again(folder):
    folder.append(EVENTS[:2])
    mark = Mark(folder.log_bytes(), 1.0)
    folder.append(EVENTS[2:5])
    folder.rewind(mark)
    assert folder.events() == EVENTS[:2]
    folder.append(EVENTS[2:])
    assert folder.events() == EVENTS


def test_rewinding_keeps_that_the_test_part_was_looked_at(folder):
    folder.append(EVENTS[:2])
    mark = Mark(folder.log_bytes(), 1.0)
    for _ in range(3):  # each session looks, and is killed before its next checkpoint
        folder.append(EVENTS[2:6])
        folder.rewind(mark)
    assert folder.events() == [*EVENTS[:2], EVENTS[5], EVENTS[5], EVENTS[5]]


def test_a_log_shorter_than_its_mark_is_kept_whole(folder):
    """As after a power cut: no bytes are made up."""
    folder.append(EVENTS[:2])
    folder.rewind(Mark(10_000, 1.0))
    assert folder.events() == EVENTS[:2]
    folder.append(EVENTS[2:3])
    assert folder.events() == EVENTS[:3]


def test_rewinding_is_one_step(folder, monkeypatch):
    """Killed at any moment, the log has either all of the old content or all of the new."""
    folder.append(EVENTS)
    before = folder.log.read_bytes()

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.rewind(Mark(0, 0.0))
    assert folder.log.read_bytes() == before


def test_what_a_kill_left_beside_the_files_is_swept(folder):
    for name in (".state.safetensors.abc123", ".model.safetensors.x", ".metrics.json.y", ".recipe.toml.z"):
        (folder.path / name).write_bytes(b"half of")
    for name in ("state.safetensors", "note.txt", ".hidden"):
        (folder.path / name).write_bytes(b"whole")
    folder.rewind(Mark(0, 0.0))
    assert {path.name for path in folder.path.iterdir()} == {"state.safetensors", "note.txt", ".hidden", "events.jsonl"}


def test_the_recipe_comes_back(folder):
    recipe = load("digits")
    folder.write_recipe(recipe)
    assert folder.read_recipe() == recipe


def test_a_folder_without_a_recipe_is_no_run(folder, tmp_path):
    for place in (folder, Folder(tmp_path / "absent")):
        with pytest.raises(RunError, match=r"recipe\.toml"):
            place.read_recipe()
    (tmp_path / "recipe.toml").write_text("nonsense = ")
    with pytest.raises(RecipeError):
        folder.read_recipe()


def test_metrics_come_back_with_the_environment(folder):
    assert folder.read_metrics() == {}
    folder.write_metrics({"status": "finished", "metrics": {"test": {}}})
    found = folder.read_metrics()
    assert found["status"] == "finished"
    assert set(found["environment"]) == {"python", "platform", "machine", "cores", "device", "versions"}
    assert found["environment"]["versions"]["numpy"]
    folder.metrics.write_bytes(b'{"status": "fin')
    assert folder.read_metrics() == {}


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        Folder(tmp_path / "file" / "run").write_recipe(load("xor"))
    with pytest.raises(StorageError):
        Folder(tmp_path / "file").write_recipe(load("xor"))


def test_new_folders_count_up(tmp_path):
    assert new_folder("xor", tmp_path / "runs") == tmp_path / "runs" / "xor-1"
    for _ in range(3):
        files.make_folder(new_folder("xor", tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"xor-1", "xor-2", "xor-3"}
    assert new_folder("iris", tmp_path).name == "iris-1"


def test_events_are_lines_of_plain_json(folder):
    folder.append(EVENTS)
    for line, event in zip(folder.log.read_text("utf-8").splitlines(), EVENTS, strict=True):
        assert msgspec.json.decode(line)["event"] == type(event).__struct_config__.tag
