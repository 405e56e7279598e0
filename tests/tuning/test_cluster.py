"""Lanes on a Ray cluster: the numbers of a study without it, whatever happens to the machines."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from layerwise.errors import MissingExtraError, RunError
from layerwise.tuning import cluster
from layerwise.tuning.events import Finalist, LanesChosen, TrialEnded
from layerwise.tuning.study import Study

pytestmark = pytest.mark.usefixtures("compiled_alike")


def told(study, events):
    """What a study has found, without its clock."""
    trials = {e.number: (e.settings, e.state, e.value, e.curve) for e in events if isinstance(e, TrialEnded)}
    finals = {e.number: e.values for e in events if isinstance(e, Finalist)}
    return trials, finals, study.metrics, study.best.number


def searched(folder, tree, **options):
    with Study(tree, out=folder, **options) as study:
        events = list(study)
    return study, events


@pytest.fixture(scope="module")
def tree(recipe_with):
    """Halving, and networks of two depths: pieces of two kinds, from rung to rung."""
    axes = {"train.learning_rate": {"log": [1e-3, 1e-1]}, "network.hidden": {"choice": [[4], [4, 4]]}}
    return recipe_with(search__space=axes, search__halving=True, train__epochs=160)


@pytest.fixture(scope="module")
def calm(tree, tmp_path_factory):
    """The same study without a cluster."""
    patch = pytest.MonkeyPatch()
    patch.setattr("layerwise.training.run.prepare", lambda: None)
    patch.setattr("layerwise.training.result.take", lambda: None)
    patch.setattr("layerwise.training.result.score_baselines", lambda *_: iter(()))
    found = told(*searched(tmp_path_factory.mktemp("calm") / "study", tree))
    patch.undo()
    return found


def offspring(word):
    """Processes begun by this one, or by those, whose command line begins with `word`."""
    parents, words = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            words[int(place.name)] = (place / "cmdline").read_text()
        except (OSError, ValueError):
            continue  # it has ended meanwhile

    def mine(process):
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [process for process, text in words.items() if text.startswith(word) and mine(process)]


def test_a_cluster_is_started_for_a_study_and_ends_with_it(tree, calm, tmp_path):
    ray = cluster.ray()
    assert not ray.is_initialized()
    study, events = searched(tmp_path / "study", tree, cluster="local")
    assert told(study, events) == calm
    assert sum(isinstance(event, LanesChosen) for event in events) >= 2, "the machines tell how they train"
    assert not ray.is_initialized() and offspring("ray::") == []


@pytest.fixture(scope="module")
def running():
    """A cluster that is there already, as one that a user is connected to."""
    ray = cluster.ray()
    made = cluster.Cluster("local")
    yield ray
    made.close()


def test_a_cluster_in_use_is_left_as_it_is(running, tree, calm, tmp_path, monkeypatch):
    """Pieces that come back after each call: states travel, numbers stay."""
    monkeypatch.setattr(cluster, "SLICE", 0.0)
    monkeypatch.setattr(cluster, "PIECES", 4)
    assert told(*searched(tmp_path / "study", tree, cluster="local")) == calm
    assert running.is_initialized()


def kill_workers(delays):
    """In a thread: kill processes of the cluster while they train, each so long after it was seen."""

    def work():
        for delay in delays:
            while not (found := offspring("ray::train_piece")):
                time.sleep(0.02)
            time.sleep(delay)
            for process in found:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.5)

    killed = []
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return killed, thread


def test_a_worker_that_is_killed_loses_nothing(running, tree, calm, tmp_path, monkeypatch):
    """Two kills, one of them while it trains."""
    monkeypatch.setattr(cluster, "SLICE", 0.05)
    killed, thread = kill_workers([0.05, 0.02])
    assert told(*searched(tmp_path / "study", tree, cluster="local")) == calm
    thread.join(10)
    assert len(killed) == 2


def test_where_machines_die_as_often_as_they_are_asked_the_driver_trains(running, tree, calm, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "RETRIES", 0)
    here = []
    real = cluster.Lanes.train

    def train(lanes, trainers, *rest):
        here.append(len(trainers))
        return real(lanes, trainers, *rest)

    monkeypatch.setattr(cluster.Lanes, "train", train)
    killed, thread = kill_workers([0.0])
    assert told(*searched(tmp_path / "study", tree, cluster="local")) == calm
    thread.join(10)
    assert len(killed) == 1 and len(here) == 1


def test_a_study_on_a_cluster_can_be_interrupted_and_resumed_without(running, tree, calm, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "SLICE", 0.0)
    events = []
    with Study(tree, out=tmp_path / "study", cluster="local") as study:
        for event in study:
            events.append(event)
            if isinstance(event, TrialEnded):
                study.cancel()
    assert study.status == "interrupted"
    assert (study.folder / "best/model.safetensors").exists()
    with Study.resume(study.folder) as resumed:
        later = list(resumed)
    trials, *rest = told(resumed, [*events, *later])
    assert (trials, *rest) == calm


def test_machines_of_other_versions_are_refused(running, tree, tmp_path, monkeypatch):
    other = {**cluster.versions(), "layerwise": "0.0.1"}
    monkeypatch.setattr(cluster, "versions", lambda: other)
    with pytest.raises(RunError, match="the same versions") as refused:
        searched(tmp_path / "study", tree, cluster="local")
    assert "layerwise" in refused.value.received and "0.0.1" in refused.value.received


def test_a_machine_that_cannot_train_is_said_in_words(running, tree, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "packed", lambda lane: {"state": lane.state})
    with pytest.raises(RunError, match="every machine of the cluster can train") as refused:
        searched(tmp_path / "study", tree, cluster="local")
    assert "install the same version" in refused.value.remedy


def test_a_cluster_that_is_not_there(tree, tmp_path, monkeypatch):
    ray = cluster.ray()
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def init(**options):
        raise ConnectionError(f"Could not find any running Ray instance at {options['address']}.\nMore.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(RunError, match="a Ray cluster that can be reached") as refused:
        searched(tmp_path / "study", tree, cluster="127.0.0.1:1")
    assert refused.value.received.startswith("127.0.0.1:1: Could not find") and "More" not in refused.value.received


def test_without_ray_the_remedy_is_the_extra(tree, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as refused:
        Study(tree, out=tmp_path / "study", cluster="local")
    assert refused.value.remedy == 'pip install "layerwise[cluster]"'
    assert not (tmp_path / "study").exists(), "nothing is left of it"


def test_pieces_are_of_one_kind_and_shared_out():
    machines = cluster.Machines(at_once=2, cores=2, gpus=0)
    waiting = {"a": list(range(20)), "b": list(range(20, 24))}
    pieces = []
    while waiting:
        pieces.append(cluster._piece(waiting, machines))
    assert pieces[0] == list(range(6)), "a quarter of all, since lanes end at different times"
    assert sorted(n for piece in pieces for n in piece) == list(range(24))
    assert all(max(piece) < 20 or min(piece) >= 20 for piece in pieces)
    assert all(len(piece) >= 2 for piece in pieces), "none too few for a machine's cores"
