"""Ctrl-C while an inspection takes its time."""

import os
import signal

import pytest

from layerwise.cli.inspect.options import waiting


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ends_it_when_it_next_tells() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), waiting("looking") as tell:
        interrupt()
        done.append("went on")
        tell(0.5)
        done.append("too far")
    assert done == ["went on"]


def test_at_the_latest_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), waiting("looking"):
        interrupt()


def test_a_second_ends_it_at_once() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), waiting("looking"):
        interrupt()
        interrupt()
        done.append("too far")
    assert done == []


def test_afterwards_it_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with waiting("looking") as tell:
        tell(1.0)
    assert signal.getsignal(signal.SIGINT) is before
