"""A process of its own for the baselines, so that they and the training do not wait for each other.

Importing scikit-learn takes as long as training a small network, and holds Python's lock meanwhile.
`prepare` starts a process that imports it beside whatever the caller does next. The process then
waits for a problem, answers with the figures of one baseline after the other, and waits again.

No process is left behind: it ends with its standard input, which ends with the process that started
it, however that comes about, and after a minute without a problem. Ctrl-C is not meant for it. What
goes through its pipes is JSON and bare numbers; nothing is pickled, and the caller's main module is
not imported, so that a script needs no ``if __name__ == "__main__"``.
"""

import atexit
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwise.tasks.baselines import Answer, Problem


SENT_UP_TO = 1 << 28  # bytes of a problem; to copy more costs more memory than the time is worth


class Process:
    """A process that scores baselines, one problem at a time. Raises `OSError` where none can be started."""

    def __init__(self) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            raise OSError("there is no interpreter to start")  # the executable is the caller's own program
        self._free, self._ended_by_us = True, False
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "layerwise.tasks.scorer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
            start_new_session=True,  # out of the terminal's reach, which sends Ctrl-C to all of a session
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # the same on Windows
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    @property
    def number(self) -> int:
        """The operating system's number of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._child.poll() is None

    @property
    def free(self) -> bool:
        """Whether it owes no answers."""
        return self._free and self.alive

    def kill(self) -> None:
        """End it at once, whatever it does; for any thread, and for a signal's handler."""
        self._ended_by_us = True
        self._child.kill()

    def close(self) -> None:
        """End it and leave nothing of it."""
        self.kill()
        with suppress(OSError), self._child:  # closes the pipes, of which one is broken, and waits
            pass

    def ask(self, problem: "Problem") -> bool:
        """Put a problem; False where the process does not take it, whether it ended or is no Python of ours."""
        from layerwise.tasks import scorer

        assert self._child.stdin is not None and self._child.stdout is not None
        self._free = False
        try:
            scorer.send(self._child.stdin, problem)
        except OSError:
            return False
        return self._child.stdout.readline() == scorer.TAKEN

    def answers(self, problem: "Problem") -> "Iterator[Answer]":
        """What `score_baselines` gives for the problem that was put.

        Where the process comes to an end by itself, the baselines that it owes are without figures.
        """
        from layerwise.tasks import scorer
        from layerwise.tasks.baselines import Answer

        assert self._child.stdout is not None
        owed = [baseline.name for baseline in problem.baselines]
        for line in self._child.stdout:
            if line == scorer.DONE:
                self._free = True
                return
            if not line.endswith(b"\n"):  # cut off
                break
            yield scorer.ANSWER.decode(line)
            del owed[0]
        if not self._ended_by_us:
            code = self._child.wait()
            yield from (Answer(f"{name} (failed: its process ended with code {code})", {}, {}) for name in owed)


_idle: list[Process] = []
_of_our_parent: list[Process] = []  # after a fork; kept, since what is let go of warns that it still runs


def prepare() -> None:
    """Start a process, unless one is ready."""
    if not any(process.alive for process in _idle):
        with suppress(OSError):
            _idle.append(Process())


def take() -> Process | None:
    """A process for the caller alone until it is left; None where there can be none."""
    while _idle:
        if (process := _idle.pop()).alive:
            return process
        process.close()
    try:
        return Process()
    except OSError:
        return None


def leave(process: Process) -> None:
    """Keep a process that was taken for the next problem, or end it where it still has one."""
    if process.free:
        _idle.append(process)
    else:
        process.close()


@atexit.register
def dismiss() -> None:
    """End the processes that wait for a problem: none is coming."""
    while _idle:
        _idle.pop().close()


def _forked() -> None:
    _of_our_parent.extend(_idle)
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
