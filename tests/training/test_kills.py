"""No kill, whenever it comes, changes what a run learns: the bits at its end are those of a run left alone."""

import json
import random
import time

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file

import layerwise
from layerwise.training.events import Epoch, Finished, Started, TestTouched
from layerwise.training.folder import Folder

KILLS = 20
EPOCHS = 1500
RECIPE = {
    "data": {"kind": "toy", "name": "circle", "n": 500, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "train": {"epochs": EPOCHS, "patience": 0, "batch_size": 4, "learning_rate": 0.001, "dropout": 0.1},
}

# Forks a process for each line it reads: imports, which write nothing and take longest, are made once.
# For the same reason there is no process for the baselines (tests/tasks/test_apart.py kills what has one): runs
# would wait for it so long that few kills fell into anything else. Checkpoints are made as often as can be, so
# that many kills fall into one.
SERVER = """
import json, os, sys
import sklearn.ensemble, sklearn.linear_model, sklearn.naive_bayes, sklearn.neighbors, sklearn.svm, sklearn.tree
from layerwise.training import result, run
run.prepare = result.take = lambda: None
run.CHECKPOINT_EVERY, run.CHECKPOINT_SHARE = 0.02, 0.5
say = lambda text: os.write(1, text.encode() + b"\\n")
say("ready")
for line in sys.stdin:
    folder, recipe = json.loads(line)
    child = os.fork()
    if not child:
        try:
            resumable = os.path.exists(os.path.join(folder, "recipe.toml"))
            with (run.Run.resume(folder) if resumable else run.Run(recipe, out=folder)) as one:
                for event in one:
                    pass
            say("done")
        finally:
            os._exit(0)
    say(str(child))
    os.waitpid(child, 0)
    say("over")
"""


class Server:
    """Starts runs in processes of their own, and kills them."""

    def __init__(self, processes):
        self._processes = processes
        self.close = processes.close

    def run(self, folder, kill_after=600.0):
        """Train or resume; True where it came to its end before it was killed."""
        child = self._processes.begin(folder, RECIPE)
        return self._processes.end(child, self._processes.line(kill_after))


@pytest.fixture(scope="module")
def server(fork_server):
    server = Server(fork_server(SERVER))
    yield server
    server.close()


@pytest.fixture(scope="module")
def calm(server, tmp_path_factory):
    """A run left alone, and how long it takes once its program is compiled."""
    folder = tmp_path_factory.mktemp("runs")
    assert server.run(folder / "first")
    began = time.monotonic()
    assert server.run(folder / "calm")
    took = time.monotonic() - began
    compare(folder / "first", folder / "calm")
    return folder / "calm", took


def compare(folder, calm):
    """The same bits in state and model, and a log in which everything happened once."""
    one, other = load_file(calm / "state.safetensors"), load_file(folder / "state.safetensors")
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.tobytes() == other[name].tobytes(), name
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2)).astype(np.float32)
    models = [layerwise.load(place / "model.safetensors") for place in (calm, folder)]
    assert (models[0].predict_proba(points) == models[1].predict_proba(points)).all()

    events, undisturbed = Folder(folder).events(), Folder(calm).events()
    told, expected = (
        [msgspec.structs.replace(event, seconds=0.0) for event in log if isinstance(event, Epoch)]
        for log in (events, undisturbed)
    )
    assert told == expected
    seconds = [event.seconds for event in events if isinstance(event, Epoch | Finished)]
    assert seconds == sorted(seconds), "the clock goes on where it stopped"
    assert isinstance(events[0], Started) and events[0].first_step == 0
    assert isinstance(events[-1], Finished)
    assert events[-1].metrics == undisturbed[-1].metrics
    assert events[-1].baselines == undisturbed[-1].baselines
    result = json.loads((folder / "metrics.json").read_text())
    assert result["test_touches"] == sum(isinstance(event, TestTouched) for event in events) >= 1
    assert {path.name for path in folder.iterdir()} == {path.name for path in calm.iterdir()}, "nothing is left over"


def test_no_kill_changes_a_bit(server, calm, tmp_path):
    """Twenty kills at random instants, from the start over training and checkpoints to the last file."""
    alone, took = calm
    chance = random.Random(0)
    kills = runs = 0
    while kills < KILLS:
        folder = tmp_path / str(runs)
        if server.run(folder, kill_after=chance.uniform(0, took)):
            compare(folder, alone)
            runs += 1
        else:
            kills += 1
    assert server.run(folder)
    compare(folder, alone)


def test_a_look_at_the_test_part_survives_a_kill(server, calm, tmp_path):
    """Killed as soon as the look is in the log, again and again: each is counted."""
    folder = tmp_path / "run"
    assert server.run(folder)
    for looks in (1, 2):
        log = Folder(folder).log
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))  # as if killed before its last line
        found = [event.count for event in Folder(folder).events() if isinstance(event, TestTouched)]
        assert found == list(range(1, looks + 1))
        assert server.run(folder)
    assert json.loads((folder / "metrics.json").read_text())["test_touches"] == 3
