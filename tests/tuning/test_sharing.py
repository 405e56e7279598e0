"""Processes that share a study in a real PostgreSQL: nothing is lost, nothing done twice, whoever is killed."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from layerwise.errors import RunError
from layerwise.recipe import load
from layerwise.tuning.events import Finalist, StudyFinished, TrialEnded
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.ledger import Ledger, _over
from layerwise.tuning.space import Space
from layerwise.tuning.storage import opened

pytestmark = pytest.mark.usefixtures("compiled_alike")

TRIALS = 16
PASSWORD = "quite-secret"

# Forks a process for each line it reads, as many at a time as are asked for: imports take longest. A process
# waits, once it has begun, until it may go on, so that all of them search at the same time.
SERVER = """
import json, os, sys, time
import optuna, polars, psycopg, scipy.special, sklearn.linear_model, sqlalchemy.orm
import optuna.storages._rdb.models
from layerwise.training import result, run
from layerwise.tuning import ledger, study, waves
run.prepare = result.take = lambda: None
result.score_baselines = lambda *_: iter(())
ledger.HEARTBEAT, ledger.SILENCE, waves.TAKEN_AT_ONCE, study.LOOKING_EVERY = 0.5, 6, 2, 0.1
say = lambda *words: os.write(1, " ".join(map(str, words)).encode() + b"\\n")
say("ready")
for line in sys.stdin:
    folder, recipe, url = json.loads(line)
    child = os.fork()
    if child:
        continue
    try:
        say(folder, os.getpid())
        old = os.path.exists(os.path.join(folder, "study.json"))
        with study.Study.resume(folder, storage=url) if old else study.Study(recipe, out=folder, storage=url) as one:
            for event in one:
                if isinstance(event, study.StudyStarted):
                    say(folder, "begun")
                    while not os.path.exists(folder + ".go"):
                        time.sleep(0.01)
        say(folder, one.status)
    finally:
        os._exit(0)
"""


class Server:
    """Starts processes that search, and hears what they say."""

    def __init__(self):
        self._process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVER], stdin=-1, stdout=-1, stderr=-1)
        self._unread = b""
        self.said = []
        self.until("ready")

    def start(self, folder, recipe, url):
        """Begin or resume a study; its process waits for `go`. Returns the process's number."""
        self._process.stdin.write(json.dumps([str(folder), recipe, url]).encode() + b"\n")
        self._process.stdin.flush()
        number = int(self.until(f"{folder} (\\d+)")[1])
        self.until(f"{folder} begun")
        return number

    def until(self, pattern, seconds=60):
        """Wait for a line."""
        end = time.monotonic() + seconds
        while True:
            for line in self.said:
                if found := re.fullmatch(pattern, line):
                    self.said.remove(line)
                    return found
            assert time.monotonic() < end, (pattern, self.said)
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                *lines, self._unread = (self._unread + os.read(self._process.stdout.fileno(), 4096)).split(b"\n")
                self.said += [line.decode() for line in lines]

    def close(self):
        self._process.stdin.close()
        errors = self._process.stderr.read().decode()
        self._process.wait(60)
        self._process.stdout.close()
        self._process.stderr.close()
        return errors


@pytest.fixture(scope="module")
def postgres():
    """A server of its own in a temporary folder, reached through a socket there: its URL, and its own control."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("PostgreSQL's server is not installed")
    with tempfile.TemporaryDirectory(prefix="layerwise-", ignore_cleanup_errors=True) as folder:
        as_nobody_special = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
            as_nobody_special = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]

        def call(program, *arguments):
            command = [*as_nobody_special, str(programs[-1] / program), "-D", f"{folder}/data", *arguments]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)

        def control(what):
            running = [] if what == "stop" else ["-l", f"{folder}/log", "-o"]
            running += [] if what == "stop" else [f"-k {folder} -c listen_addresses= -c fsync=off"]
            call("pg_ctl", what, "-w", *running, *([] if what == "start" else ["-m", "immediate"]))

        call("initdb", "-A", "trust", "-U", "me", "--no-sync")
        control("start")
        try:
            yield f"postgresql+psycopg://me:{PASSWORD}@/postgres?host={folder}", control
        finally:
            control("stop")


@pytest.fixture(scope="module")
def url(postgres):
    return postgres[0]


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    errors = server.close()
    assert PASSWORD not in errors


@pytest.fixture
def tree(recipe_with):
    """Long enough to be killed in the middle."""
    return recipe_with(search__trials=TRIALS, train__epochs=24, data__n=400)


@pytest.fixture(scope="module")
def calm(recipe_with, tmp_path_factory):
    """What a process by itself finds, in its journal; by seed."""
    from layerwise.tuning.study import Study

    found = {}

    def by_itself(tree):
        if tree["seed"] not in found:
            with Study(tree, out=tmp_path_factory.mktemp("calm") / "study") as study:
                for _ in study:
                    pass
            found[tree["seed"]] = study
        return found[tree["seed"]]

    return by_itself


def check(url, folders, calm):
    """Every trial ended once, whoever trained it, and as in a study of one process."""
    name = StudyFolder(folders[0]).name
    storage = opened(url)
    study = storage.get_study_id_from_name(name)
    trials = storage.get_all_trials(study, deepcopy=False)
    storage.remove_session()
    storage.engine.dispose()
    assert Counter(t.user_attrs["ticket"] for t in trials if _over(t)) == Counter(range(TRIALS)), "each once"
    numbers = {t.number for t in trials if _over(t)}
    logs = [StudyFolder(folder).events() for folder in folders]
    told = Counter(event.number for log in logs for event in log if isinstance(event, TrialEnded))
    assert set(told) >= numbers and set(told.values()) == {1}, "none was trained to its end by two"
    expected = {json.dumps(e.settings): e.curve for e in StudyFolder(calm.folder).ended().values()}
    found = {json.dumps(e.settings): e.curve for log in logs for e in log if isinstance(e, TrialEnded)}
    assert found == expected
    for folder in folders:
        for path in folder.rglob("*"):
            assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path
    return logs


def finals(log):
    return [event.values for event in log if isinstance(event, Finalist)]


@pytest.fixture
def two(server, url, tree, tmp_path):
    """Two processes that have begun one study, the founder first, and wait for their `go`."""

    def begin(seed):
        tree["seed"] = seed
        folders = [tmp_path / "founder", tmp_path / "joiner"]
        return folders, [server.start(folder, tree, url) for folder in folders]

    return begin


def go(folder):
    folder.with_name(folder.name + ".go").touch()


def wait_for_trials(folder, count=1):
    """Until a process has ended so many trials."""
    end = time.monotonic() + 60
    while len(StudyFolder(folder).ended()) < count:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_two_processes_share_a_study(two, server, url, tree, calm):
    folders, _ = two(seed=0)
    for folder in folders:
        go(folder)
    server.until(f"{folders[0]} finished")
    server.until(f"{folders[1]} joined")
    logs = check(url, folders, calm(tree))
    assert all(any(isinstance(event, TrialEnded) for event in log) for log in logs), "both have worked"
    assert finals(logs[0]) == finals(StudyFolder(calm(tree).folder).events()) and finals(logs[1]) == []
    assert logs[0][-1].winner is not None and logs[1][-1].winner is None, "only the founder names it"
    assert (folders[0] / "best/model.safetensors").exists()


def test_a_joiner_that_is_killed_is_taken_over(two, server, url, tree, calm):
    folders, processes = two(seed=1)
    go(folders[1])
    wait_for_trials(folders[1])
    os.kill(processes[1], signal.SIGKILL)
    go(folders[0])
    server.until(f"{folders[0]} finished")
    logs = check(url, folders, calm(tree))
    assert len(StudyFolder(folders[1]).ended()) < TRIALS
    assert finals(logs[0]) == finals(StudyFolder(calm(tree).folder).events())


def test_a_founder_that_is_killed_names_the_winner_when_it_is_resumed(two, server, url, tree, calm):
    folders, processes = two(seed=2)
    go(folders[0])
    wait_for_trials(folders[0])
    os.kill(processes[0], signal.SIGKILL)
    go(folders[1])
    server.until(f"{folders[1]} joined")
    assert StudyFolder(folders[1]).events()[-1].done == TRIALS, "the joiner has done the rest"
    server.start(folders[0], tree, url)
    server.until(f"{folders[0]} finished")
    logs = check(url, folders, calm(tree))
    assert finals(logs[0]) == finals(StudyFolder(calm(tree).folder).events())
    assert isinstance(logs[0][-1], StudyFinished) and logs[0][-1].winner is not None


@contextlib.contextmanager
def ledger_at(url, recipe_with, **changes):
    space = Space(load(recipe_with()))
    given = {"name": "restarted", "owner": "one", "space": space, "method": "random", "trials": 4, "seed": 0}
    with Ledger(url, **{**given, "direction": "minimize", **changes}) as ledger:
        yield ledger


def test_a_server_may_be_started_anew(postgres, recipe_with):
    url, control = postgres
    with ledger_at(url, recipe_with) as ledger:
        first = ledger.take(2)
        control("restart")
        for ticket in [*first, *ledger.take(2)]:
            ledger.tell(ticket.number, "finished", 1.0)
        assert ledger.done() == 4 and not ledger.waits_for_others()


def test_a_server_that_stays_away_is_said_in_words(postgres, recipe_with, monkeypatch):
    url, control = postgres
    monkeypatch.setattr("layerwise.tuning.storage.RECONNECT", 0.2)
    with ledger_at(url, recipe_with, name="stopped") as ledger:
        control("stop")
        try:
            with pytest.raises(RunError, match="the database of the trials answers") as refused:
                ledger.take(2)
            with pytest.raises(RunError, match="that can be reached") as refused_too, ledger_at(url, recipe_with):
                pass
        finally:
            control("start")
        assert PASSWORD not in str(refused.value) + str(refused_too.value)
        assert len(ledger.take(2)) == 2
