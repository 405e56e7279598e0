"""A whole run: its events, its folder, how it ends, and that no kill changes what it learns."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

import layerwise
from layerwise.errors import ModelFileError, RunError
from layerwise.training.events import Epoch, Finished, Scoring, Started, TestTouched
from layerwise.training.folder import Folder
from layerwise.training.run import Run, train

RECIPE = {
    "data": {"kind": "toy", "name": "xor", "n": 200, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "train": {"epochs": 30, "learning_rate": 0.01},
}
LONG = {**RECIPE, "train": {"epochs": 60_000, "patience": 0, "learning_rate": 0.001, "dropout": 0.1}}


def test_events_come_in_order_and_files_are_written(tmp_path):
    with Run(RECIPE, out=tmp_path / "run") as run:
        events = list(run)
    kinds = [type(event) for event in events]
    assert kinds[0] is Started and kinds[-3:] == [Scoring, TestTouched, Finished]
    assert [event.epoch for event in events if isinstance(event, Epoch)] == list(range(1, 31))
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)
    assert Folder(tmp_path / "run").events() == events
    result = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert result["test_touches"] == 1 and result["metrics"]["test"]["accuracy"]["value"] > 0.9
    assert {f.name for f in (tmp_path / "run").iterdir()} == {
        "recipe.toml", "events.jsonl", "state.safetensors", "model.safetensors", "metrics.json",
    }  # fmt: skip
    again = train(tmp_path / "run" / "recipe.toml", out=tmp_path / "again")
    assert again.metrics == run.metrics


@pytest.mark.parametrize("seed", range(10))
def test_xor_is_learned_from_any_seed(tmp_path, seed):
    run = train(layerwise.recipe.load("xor", [f"seed={seed}"]), out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"].value == 1


def test_leaving_the_loop_still_leaves_a_model(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        for event in run:
            if isinstance(event, Epoch):
                break
    assert run.status == "interrupted"
    assert layerwise.load(run.model_path).predict([{"x1": 0.0, "x2": 1.0}]).shape == (1,)


def test_a_time_limit_ends_in_order(tmp_path):
    run = train({**LONG, "train": {**LONG["train"], "time_limit": "300ms"}}, out=tmp_path / "run")
    assert run.status == "time_limit"
    assert run.metrics["test"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="a run is a folder"):
        Run.resume(tmp_path)


def test_a_test_part_looked_at_twice_is_said(tmp_path):
    with Run(LONG, out=tmp_path / "run") as run:
        for event in run:
            if isinstance(event, Epoch):
                break
    resumed = Run.resume(tmp_path / "run")
    with resumed:
        for event in resumed:
            if isinstance(event, Epoch):
                break
    touches = [event.count for event in Folder(tmp_path / "run").events() if isinstance(event, TestTouched)]
    assert touches == [1, 2]


PROGRAM = """
import sys
from layerwise.training.run import Run
if sys.argv[1] == "resume":
    run = Run.resume(sys.argv[2])
else:
    import json
    run = Run(json.loads(sys.argv[3]), out=sys.argv[2])
with run:
    for event in run:
        pass
"""


def start(folder, *, resume):
    words = ["resume", str(folder)] if resume else ["train", str(folder), json.dumps(LONG)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=subprocess.PIPE)


def test_twenty_kills_change_no_bit(tmp_path):
    began = time.monotonic()
    calm = start(tmp_path / "calm", resume=False)
    assert calm.wait(timeout=120) == 0, calm.stderr.read().decode()
    calm.stderr.close()
    took = time.monotonic() - began
    chance = random.Random(0)
    kills = 0
    folder = tmp_path / "killed"
    while kills < 20:
        there = (folder / "recipe.toml").exists()
        process = start(folder, resume=there)
        try:
            process.wait(timeout=chance.uniform(0.2, 1.1) * took)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kills += 1
        process.stderr.close()
    last = start(folder, resume=(folder / "recipe.toml").exists())
    assert last.wait(timeout=120) == 0, last.stderr.read().decode()
    last.stderr.close()
    one, other = load_file(tmp_path / "calm" / "state.safetensors"), load_file(folder / "state.safetensors")
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, other[name], err_msg=name)
    calm_model, killed_model = layerwise.load(tmp_path / "calm" / "model.safetensors"), layerwise.load(folder / "model.safetensors")  # fmt: skip  # noqa: E501
    grid = np.random.default_rng(0).uniform(-1, 2, (50, 2)).astype(np.float32)
    np.testing.assert_array_equal(calm_model.predict_proba(grid), killed_model.predict_proba(grid))


def test_ctrl_c_ends_in_order(tmp_path):
    process = start(tmp_path / "run", resume=False)
    log = tmp_path / "run" / "events.jsonl"
    deadline = time.monotonic() + 60
    while not (log.exists() and b'"epoch"' in log.read_bytes()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "interrupted"
    layerwise.load(tmp_path / "run" / "model.safetensors")


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory):
    run = train({**RECIPE, "train": {"epochs": 2}}, out=tmp_path_factory.mktemp("model") / "run")
    return run.model_path.read_bytes()


def test_no_flipped_bit_goes_unnoticed(tmp_path, model_bytes):
    path, chance = tmp_path / "model.safetensors", random.Random(0)
    before = None
    for _ in range(200):
        changed = bytearray(model_bytes)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            model = layerwise.load(path)
        except ModelFileError:
            continue
        # A bit of the container that means nothing (white space, say) may change; the model may not.
        path.write_bytes(model_bytes)
        before = before or layerwise.load(path)
        for one, other in zip(before.network.layers, model.network.layers, strict=True):
            np.testing.assert_array_equal(one.weight, other.weight)


def test_no_shortened_file_is_read(tmp_path, model_bytes):
    path = tmp_path / "model.safetensors"
    for length in [0, 1, 7, 8, 9, 100, len(model_bytes) // 2, len(model_bytes) - 1]:
        path.write_bytes(model_bytes[:length])
        with pytest.raises(ModelFileError):
            layerwise.load(path)


def test_a_file_of_another_program_or_time_is_refused(tmp_path, model_bytes):
    from safetensors.numpy import save_file

    path = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelFileError, match="written by layerwise"):
        layerwise.load(path)
    path.write_bytes(model_bytes.replace(rb"\"oldest_reader\":1", rb"\"oldest_reader\":9"))
    with pytest.raises(ModelFileError, match="format"):
        layerwise.load(path)


def test_a_model_file_holds_no_folder_of_the_machine(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5}.5,{i % 2}\n" for i in range(60)))
    recipe = {"data": {"kind": "table", "path": str(tmp_path / "rows.csv"), "target": "y"}, "train": {"epochs": 2}}
    run = train(recipe, out=tmp_path / "run")
    assert str(tmp_path).encode() not in run.model_path.read_bytes()
    model = layerwise.load(run.model_path)
    first = run.model_path.read_bytes()
    model.save(tmp_path / "one"), model.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert model.score(tmp_path / "rows.csv")["accuracy"].value >= 0
    assert first == run.model_path.read_bytes()
