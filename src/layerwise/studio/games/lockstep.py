"""Sessions that go together: one step of all of them is a step, on all cores, each as if it were alone."""

from abc import ABC
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from layerwise.studio.games.session import STATUS, Session
from layerwise.training import padded
from layerwise.training.lanes import cores


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), "layerwise-lanes")


def together(work: Callable[[Any], Any], parts: Iterable[Any]) -> list[Any]:
    """What `work` makes of each part, on all cores, which other pages may use, too."""
    return list(_pool().map(work, parts))


class Lockstep:
    """Sessions at one step. Where one halts, stopped early or without a finite loss, the others go on.

    `step` is where those stand that go on, and `end` how far they came since the last change.
    """

    def __init__(self, members: Sequence[Session]) -> None:
        self.members = list(members)
        self.end = 0

    @property
    def step(self) -> int:
        """Where those stand that did not halt."""
        return max(member.step for member in self.members)

    @property
    def oldest(self) -> int:
        """The first step that all can go back to."""
        return max(member.oldest for member in self.members)

    @property
    def status(self) -> str:
        """ "running" as long as one of them does, else what became of the first."""
        running = any(self.goes_on(member) for member in self.members)
        return STATUS[padded.RUNNING] if running else self.members[0].status

    def goes_on(self, member: Session) -> bool:
        """Whether a member stands where all do, and has not come to an end there."""
        return member.step == self.step and member.timeline.status == padded.RUNNING

    def advance(self, steps: int) -> int:
        """Train all for up to so many batches; how many were made."""
        before = self.step
        self._on_one_line()
        together(lambda member: _through(member, steps), [m for m in self.members if self.goes_on(m)])
        self.end = max(self.end, self.step)
        return self.step - before

    def seek(self, step: int) -> None:
        """Take all to a step that was reached; who halted before it stands where it halted."""
        step = min(max(step, self.oldest), self.end)
        together(lambda member: member.seek(step), self.members)

    def nearest(self, step: int) -> int:
        """The step from which all who did not halt before replay `step`."""
        return min((m.nearest(step) for m in self.members if m.end >= step), default=step)

    def edit(self, change: Callable[[Session], None], who: Sequence[Session]) -> None:
        """Change those of `who` that did not halt before; what lay ahead is left by all."""
        step = self.step
        for member in self.members:
            if member.step < member.end:
                member.timeline.branch()
        for member in who:
            if member.step == step:
                change(member)
        self.end = step

    def _on_one_line(self) -> None:
        """Training on where changes lie ahead leaves them, in all members."""
        if any(member.timeline.ahead for member in self.members):
            for member in self.members:
                if member.step < member.end:
                    member.timeline.branch()
            self.end = self.step


class InStep(ABC):
    """A game of sessions that go together: where it stands is where they do."""

    _steps: Lockstep

    @property
    def step(self) -> int:
        """Batches done by all that did not halt."""
        return self._steps.step

    @property
    def oldest(self) -> int:
        """The first step that can be gone back to."""
        return self._steps.oldest

    @property
    def end(self) -> int:
        """Batches that were reached."""
        return self._steps.end

    @property
    def status(self) -> str:
        """ "running" as long as one of them does."""
        return self._steps.status

    def nearest(self, step: int) -> int:
        """The step from which `step` is replayed."""
        return self._steps.nearest(step)


def _through(member: Session, steps: int) -> None:
    while steps and (made := member.advance(steps)) > 0:
        steps -= made
