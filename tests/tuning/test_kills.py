"""No kill, whenever it comes, loses a trial, trains one into the books twice, or changes what is found."""

import random
import time

import msgspec
import pytest
from safetensors.numpy import load_file

from layerwise.tuning.events import Finalist, StudyFinished, TrialEnded
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.storage import Journal

KILLS = 20
TRIALS = 16

# Forks a process for each line it reads: imports, which write nothing and take longest, are made once.
# The best so far is written at each chance, so that many kills fall into one.
SERVER = """
import json, os, sys
import optuna, polars, scipy.special, sklearn.linear_model
import optuna.samplers._tpe.sampler, optuna.storages.journal
from layerwise.training import result, run
from layerwise.tuning import study, waves
run.prepare = result.take = lambda: None
result.score_baselines = lambda *_: iter(())
waves.CHAMPION_EVERY = 0.0
say = lambda text: os.write(1, text.encode() + b"\\n")
say("ready")
for line in sys.stdin:
    folder, recipe = json.loads(line)
    child = os.fork()
    if not child:
        try:
            old = os.path.exists(os.path.join(folder, "study.json"))
            with (study.Study.resume(folder) if old else study.Study(recipe, out=folder)) as one:
                for event in one:
                    if isinstance(event, study.StudyStarted):
                        say("begun")
            say("done")
        finally:
            os._exit(0)
    say(str(child))
    os.waitpid(child, 0)
    say("over")
"""


class Server:
    """Starts studies in processes of their own, and kills them."""

    def __init__(self, processes, recipe):
        self._processes, self._recipe = processes, recipe
        self.close = processes.close

    def run(self, folder, kill_after=600.0):
        """Search or resume; True where it came to its end before it was killed, so long after it had begun."""
        child = self._processes.begin(folder, self._recipe)
        said = self._processes.line(60)
        if said == "begun":
            began = time.monotonic()
            said = self._processes.line(kill_after)
            self.took = time.monotonic() - began
            return self._processes.end(child, said)
        assert said is not None
        return self._processes.end(child, said)


@pytest.fixture(scope="module")
def server(recipe_with, fork_server):
    """Bayesian search with halving: what is tried next depends on all that was found before."""
    tree = recipe_with(
        train__epochs=16, search__method="bayes", search__halving=True, search__trials=TRIALS, data__n=400
    )
    server = Server(fork_server(SERVER), tree)
    yield server
    server.close()


@pytest.fixture(scope="module")
def calm(server, tmp_path_factory):
    """A study left alone, and how long it takes from its first event, its programs compiled."""
    folder = tmp_path_factory.mktemp("studies")
    assert server.run(folder / "first")
    assert server.run(folder / "calm")
    took = server.took
    compare(folder / "first", folder / "calm")
    return folder / "calm", took


def compare(folder, calm):
    """The same trials with the same curves, each once; the same winner to the last bit."""
    one, other = StudyFolder(calm), StudyFolder(folder)
    trials = {number: msgspec.structs.replace(event, seconds=0.0) for number, event in other.ended().items()}
    assert trials == {number: msgspec.structs.replace(event, seconds=0.0) for number, event in one.ended().items()}
    assert sorted(trials) == list(range(TRIALS))
    events = other.events()
    assert sum(isinstance(event, TrialEnded) for event in events) == TRIALS, "none is told twice"

    records = Journal(other.journal)
    told = [record for record in records.read_logs(0) if record["op_code"] == 6 and record["state"] > 0]
    planned = sum(record["op_code"] == 4 for record in records.read_logs(0))
    records.close()
    assert planned == TRIALS, "none is planned twice"
    finished = [record["trial_id"] for record in told if record["state"] in (1, 2, 3)]
    assert sorted(finished) == sorted(set(finished)) and len(finished) == TRIALS, "none is closed twice"

    assert isinstance(events[-1], StudyFinished) and events[-1].status == "finished"
    winners = [found.events()[-1].winner for found in (one, other)]
    assert msgspec.structs.replace(winners[0], seconds=0.0) == msgspec.structs.replace(winners[1], seconds=0.0)
    finals = [msgspec.structs.replace(event, seconds=0.0) for event in events if isinstance(event, Finalist)]
    assert len({msgspec.json.encode(final) for final in finals}) == 4, "what was found again was found alike"
    states = [load_file(found.best / "state.safetensors") for found in (one, other)]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        assert tensor.tobytes() == states[1][name].tobytes(), name
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds), "the clock goes on where it stopped"
    assert {path.name for path in folder.iterdir()} == {path.name for path in calm.iterdir()}, "nothing is left over"
    assert {path.name for path in other.best.iterdir()} == {path.name for path in one.best.iterdir()}


def test_no_kill_changes_a_bit(server, calm, tmp_path):
    """Twenty kills at random instants, from the first trial over the finals to the last file."""
    alone, took = calm
    chance = random.Random(0)
    kills = studies = 0
    while kills < KILLS:
        folder = tmp_path / str(studies)
        if server.run(folder, kill_after=chance.uniform(0, took)):
            compare(folder, alone)
            studies += 1
        else:
            kills += 1
    assert server.run(folder)
    compare(folder, alone)
