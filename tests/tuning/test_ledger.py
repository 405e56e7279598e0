"""The book of trials: taken once, told once, and none lost, whichever process dies when."""

import contextlib
import json
import threading
from collections import Counter

import pytest

from layerwise.errors import MissingExtraError, RunError, StorageError
from layerwise.recipe import load
from layerwise.tuning import ledger as module
from layerwise.tuning.ledger import Ledger, Ticket
from layerwise.tuning.search import planned
from layerwise.tuning.space import Space
from layerwise.tuning.storage import Journal, without_password

TRIALS = 12


@pytest.fixture
def space(recipe_with):
    return Space(load(recipe_with()))


@pytest.fixture
def opened(space, tmp_path):
    """A function that opens the ledger of one study, in a journal or in a database that several share."""
    with contextlib.ExitStack() as open_ledgers:

        def opening(owner="one", storage="journal", *, method="random", space=space, **changes):
            places = {"journal": tmp_path / "trials.journal", "database": f"sqlite:///{tmp_path}/trials.db"}
            ledger = Ledger(
                places[storage],
                name="study",
                owner=owner,
                space=space,
                method=method,
                trials=TRIALS,
                seed=0,
                **{"direction": "minimize", **changes},
            )
            return open_ledgers.enter_context(ledger)

        yield opening


@pytest.fixture
def impatient(monkeypatch):
    """Processes that are silent for some tenths of a second are dead."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "SILENCE", 4)


def die(ledger):
    """As if the process were killed: no sign of life any more, nothing given back."""
    ledger._stop.set()
    ledger._pulse.join()


def all_over(ledger):
    """Every ticket has ended, and once."""
    ended = Counter(trial.user_attrs["ticket"] for trial in ledger._trials() if module._over(trial))
    return ended == Counter(range(TRIALS))


@pytest.mark.parametrize("storage", ["journal", "database"])
def test_a_plan_is_taken_in_order_and_told(opened, space, storage):
    with opened(storage=storage) as ledger:
        assert ledger.founded and ledger.size == TRIALS
        first, rest = ledger.take(4), ledger.take(TRIALS)
        if storage == "database":
            rest = [*rest, *ledger.take(TRIALS)]
        plan = [space.settings(params) for params in planned(space, "random", TRIALS, 0)]
        taken = [*first, *rest, *ledger.take(TRIALS)]
        assert [ticket.settings for ticket in taken] == plan
        assert ledger.take(TRIALS) == [] and ledger.done() == 0
        for ticket in taken:
            ledger.report(ticket.number, 1, 0.5 + ticket.number)
            ledger.report(ticket.number, 1, 0.5 + ticket.number)  # as after a restart: not a mistake
        assert sorted(ledger.standing(1)) == [0.5 + n for n in range(TRIALS)] and ledger.standing(2) == []
        ends = ["finished", "stopped_early", "dropped", "diverged", "refused", *["finished"] * 7]
        for ticket, end in zip(taken, ends, strict=True):
            ledger.tell(ticket.number, end, None if end in ("diverged", "refused") else 10.0 - ticket.number)
        assert ledger.done() == TRIALS and not ledger.waits_for_others() and all_over(ledger)
        assert [number for number, *_ in ledger.best(3)] == [11, 10, 9]
        assert [number for number, *_ in ledger.best(99)] == [11, 10, 9, 8, 7, 6, 5, 1, 0, 2], "dropped ones last"
        rows = ledger.rows()
    assert [row["state"] for row in rows] == ends
    assert [row["value"] for row in rows][2:5] == [8.0, None, None]
    assert ledger.rows() == rows and len(ledger.optuna.trials) == TRIALS, "it can be read when it is closed"


def test_larger_is_better_where_it_is(opened):
    ledger = opened(direction="maximize")
    for ticket in ledger.take(TRIALS):
        ledger.tell(ticket.number, "finished", float(ticket.number))
    assert [number for number, *_ in ledger.best(2)] == [11, 10]


def test_a_journal_is_taken_up_where_it_stopped(opened):
    """What was taken comes first, with the settings it had; what was told stays told."""
    with opened() as ledger:
        tickets = ledger.take(5)
        ledger.tell(tickets[0].number, "finished", 1.0)
    with opened() as again:
        assert again.take(5) == tickets[1:5], "what was asked for together stays together"
        assert [ticket.number for ticket in again.take(5)] == [5, 6, 7, 8, 9]
        assert again.done() == 1


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_bayesian_search_asks_as_if_it_had_not_been_killed(opened, tmp_path, cut):
    """The journal cut back by so many records, wherever in the asking and telling that is."""

    def search(ledger):
        settings = {}
        while tickets := ledger.take(4):
            settings |= {ticket.number: ticket.settings for ticket in tickets}
            for ticket in tickets:
                ledger.tell(ticket.number, "finished", sum(ticket.settings.values()))
        return settings

    with opened(method="bayes") as ledger:
        calm = search(ledger)
    assert len({json.dumps(settings) for settings in calm.values()}) == TRIALS
    path = tmp_path / "trials.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) - cut]))
    with opened(method="bayes") as ledger:
        search(ledger)
        assert all_over(ledger)
        assert {row["number"]: {path: row[path] for path in calm[0]} for row in ledger.rows()} == calm


def test_another_space_is_another_study(opened, recipe_with):
    opened().take(3)
    other = Space(load(recipe_with(search__space={"train.l2": {"log": [1e-4, 1e-1]}})))
    with pytest.raises(RunError, match="searches one space"):
        opened(space=other)


# ── several processes ───────────────────────────────────────────────────────────────────────────


def test_two_processes_take_from_one_list(opened):
    one, other = opened("one", "database"), opened("other", "database")
    assert (one.founded, other.founded) == (True, False)
    assert one.size == other.size == TRIALS
    mine, others = one.take(5), other.take(TRIALS)
    assert sorted(ticket.number for ticket in [*mine, *others]) == list(range(TRIALS))
    assert one.take(3) == other.take(3) == []
    assert one.waits_for_others() and other.waits_for_others()
    for ledger, tickets in ((one, mine), (other, others)):
        for ticket in tickets:
            ledger.tell(ticket.number, "finished", 1.0 + ticket.number)
    assert all_over(one) and not one.waits_for_others() and not other.waits_for_others()
    assert one.best(3) == other.best(3) and one.rows() == other.rows()


def test_many_processes_at_once(opened):
    """Threads, each with a ledger of its own: every trial is taken by one of them."""
    ledgers = [opened(f"process {n}", "database") for n in range(4)]
    taken = [[] for _ in ledgers]

    def take(number):
        while tickets := ledgers[number].take(2):
            taken[number] += tickets

    threads = [threading.Thread(target=take, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ticket.number for part in taken for ticket in part) == list(range(TRIALS))


def test_a_process_that_ends_gives_its_trials_back(opened):
    one = opened("one", "database")
    with opened("other", "database") as other:
        kept = other.take(3)
        other.tell(kept[0].number, "finished", 0.1)
    settings = [ticket.settings for ticket in one.take(TRIALS)]
    assert len(settings) == TRIALS - 1
    assert all(ticket.settings in settings for ticket in kept[1:]) and kept[0].settings not in settings


def test_a_process_that_died_is_taken_over(opened, impatient):
    one, other = opened("one", "database"), opened("other", "database")
    lost = other.take(3)
    other.tell(lost[0].number, "diverged", None)
    die(other)
    for ticket in one.take(TRIALS):
        one.tell(ticket.number, "finished", 1.0)
    taken = []
    while one.waits_for_others():
        taken += one.take(TRIALS)
        for ticket in taken:
            if ticket.number in one._running:
                one.tell(ticket.number, "finished", 2.0)
    assert [ticket.settings for ticket in taken] == [ticket.settings for ticket in lost[1:]], "the same settings"
    assert all_over(one) and len(one.rows()) == TRIALS

    # It had only been asleep, and now tells what nobody waits for.
    other.report(lost[1].number, 1, 3.0)
    other.tell(lost[1].number, "finished", 3.0)
    other.tell(lost[2].number, "diverged", None)
    assert all_over(one)
    assert 3.0 not in [row["value"] for row in one.rows()]


def test_a_process_that_lives_is_left_alone(opened, impatient):
    """However long it takes: it gives signs of life."""
    one, other = opened("one", "database"), opened("other", "database")
    slow = other.take(2)
    for ticket in one.take(TRIALS):
        one.tell(ticket.number, "finished", 1.0)
    for _ in range(10):
        assert one.waits_for_others() and one.take(TRIALS) == []
        threading.Event().wait(0.1)
    for ticket in slow:
        other.tell(ticket.number, "finished", 1.0)
    assert all_over(one) and not one.waits_for_others()


def test_a_death_between_two_changes_loses_nothing(opened, impatient, monkeypatch):
    """Killed as it had closed a dead one's trial and not yet put it back; or as it had taken one and not signed."""
    one, other, third = (opened(name, "database") for name in ("one", "other", "third"))
    other.take(1)
    die(other)
    monkeypatch.setattr(third, "_plant", lambda *_: None)  # what comes next does not come
    while any(trial.number == 0 and not trial.state.is_finished() for trial in third._trials()):
        third.waits_for_others()
    monkeypatch.setattr(third, "_taken", lambda trial: Ticket(trial.number, {}))
    third.take(1)
    die(third)
    while one.waits_for_others():
        for ticket in one.take(TRIALS):
            one.tell(ticket.number, "finished", 1.0)
    assert all_over(one)


def test_a_founder_that_died_as_it_planned_goes_on(opened, impatient, monkeypatch):
    planted = []
    real = Ledger._plant

    def some(ledger, ticket, params):
        if len(planted) == 5:
            raise KeyboardInterrupt
        planted.append(ticket)
        real(ledger, ticket, params)

    monkeypatch.setattr(Ledger, "_plant", some)
    with pytest.raises(KeyboardInterrupt):
        opened("one", "database")
    monkeypatch.setattr(Ledger, "_plant", real)
    monkeypatch.setattr(module, "FOUNDING", 0.2)
    with pytest.raises(RunError, match="writes down its trials first"):
        opened("other", "database")
    one = opened("one", "database")
    assert one.founded and len(one.take(TRIALS)) == TRIALS
    assert not opened("other", "database").founded


def test_nobody_signed(opened, impatient, monkeypatch):
    """Killed between making the study and signing it: who comes next founds it."""
    import optuna

    with monkeypatch.context() as patch:
        patch.setattr(optuna.study.Study, "set_user_attr", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            opened("one", "database")
    assert opened("other", "database").founded
    assert not opened("one", "database").founded


# ── storages that fail ──────────────────────────────────────────────────────────────────────────


def test_a_database_may_be_away_for_a_moment(opened, monkeypatch):
    from sqlalchemy.exc import OperationalError

    ledger = opened("one", "database")
    real, failures = ledger._storage.get_all_trials, [2]

    def away(*arguments, **named):
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("select", {}, Exception("the server closed the connection"))
        return real(*arguments, **named)

    monkeypatch.setattr(ledger._storage, "get_all_trials", away)
    assert len(ledger.take(3)) == 3 and failures == [0]
    failures[0] = 1 << 30
    monkeypatch.setattr("layerwise.tuning.storage.RECONNECT", 0.1)
    with pytest.raises(RunError, match="the database of the trials answers") as refused:
        ledger.take(3)
    assert "server closed the connection" in refused.value.received and "--resume" in refused.value.remedy


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:1/base", "refused"),
        ("mysql://me:secret@host/base", "MySQLdb"),
        ("nowhere://me:secret@host/base", "nowhere"),
        ("me:secret", "Could not parse"),
        ("sqlite:////nowhere/at/all.db", "unable to open"),
    ],
)
def test_a_storage_that_is_none_is_refused_in_words(opened, space, url, words):
    with pytest.raises(RunError) as refused:
        Ledger(url, name="s", owner="o", space=space, method="random", trials=2, seed=0, direction="minimize")
    assert words in refused.value.received
    assert "secret@" not in str(refused.value)
    assert 'pip install "layerwise[cluster]"' in refused.value.remedy


@pytest.mark.parametrize("url", ["postgresql+psycopg://me@host/base", "postgresql://me@host/base"])
def test_without_the_driver_the_remedy_is_the_extra(opened, space, monkeypatch, url):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtraError) as refused:
        Ledger(url, name="s", owner="o", space=space, method="random", trials=2, seed=0, direction="minimize")
    assert refused.value.remedy == 'pip install "layerwise[cluster]"'


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:secret@host:1/base", "postgresql+psycopg://me@host:1/base"),
        ("postgresql://me:sec?ret@host/base", "postgresql://me@host/base"),
        ("postgresql://me:sec/r:e@t@host/base?a=1", "postgresql://me@host/base?a=1"),
        ("postgresql://me@/base?host=/tmp&password=secret", "postgresql://me@/base?host=/tmp"),
        ("postgresql://me@/base?sslpassword=secret&host=/tmp", "postgresql://me@/base?host=/tmp"),
        ("mysql://me@host/base?passwd=secret", "mysql://me@host/base"),
        ("postgresql://host:5432/base?user=a@b", "postgresql://host:5432/base?user=a@b"),
        ("sqlite:///trials.db", "sqlite:///trials.db"),
    ],
)
def test_a_password_is_shown_to_nobody(url, shown):
    assert without_password(url) == shown


# ── the journal ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def journal(tmp_path):
    with contextlib.ExitStack() as opened_journals:
        yield lambda: opened_journals.enter_context(contextlib.closing(Journal(tmp_path / "trials.journal")))


def test_a_journal_keeps_whole_records(journal, tmp_path):
    path, records = tmp_path / "trials.journal", [{"op_code": n, "values": [0.1 * n, None]} for n in range(4)]
    journal().append_logs(records)
    whole = path.read_bytes()
    assert journal().read_logs(0) == records and journal().read_logs(3) == records[3:]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = journal().read_logs(0)
        assert kept == records[: whole[:size].count(b"\n")]
        assert path.read_bytes() == whole[: whole[:size].rfind(b"\n") + 1], "the torn one is cut off"
    for rubbish in (b"\0" * 30, b"[]\n", b'{"op_code": 1\n', b"\xff\n"):
        path.write_bytes(whole + rubbish)
        assert journal().read_logs(0) == records


def test_a_record_that_cannot_be_written_leaves_no_trace(journal, tmp_path, monkeypatch):
    path, book = tmp_path / "trials.journal", journal()
    book.append_logs([{"op_code": 1}])
    before = path.read_bytes()
    real = Journal._write

    def full(self, content):
        real(self, content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_write", full)
    with pytest.raises(StorageError, match="cannot be written"):
        book.append_logs([{"op_code": 2}])
    monkeypatch.undo()
    assert path.read_bytes() == before and book.read_logs(0) == [{"op_code": 1}]
    book.append_logs([{"op_code": 3}])
    assert journal().read_logs(1) == [{"op_code": 3}]
