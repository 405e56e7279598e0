"""What a player plays: the playground's session, two networks side by side, many at once, or a race of searches."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from layerwise.recipe import Recipe


@runtime_checkable
class Game(Protocol):
    """Training that can be played: on, back to any step, and otherwise from now on.

    All games have one recipe, which goes over from one to the next, and the same commands of time. What they
    count as a step is their own: a batch, of all their networks at once, or a trial of each search.
    `revision` grows with every change, so that a page knows what a frame belongs to.
    """

    revision: int
    least: int  # steps of such a call, at least
    slice: float  # seconds that a call of `advance` is to last while it plays, about
    rest: float  # seconds from one call of `advance` to the next while it plays, at least

    @property
    def recipe(self) -> Recipe:
        """What is played with."""
        ...

    @property
    def step(self) -> int:
        """Where it stands."""
        ...

    @property
    def oldest(self) -> int:
        """The first step that can be gone back to: 0, unless so much was changed that the oldest was forgotten."""
        ...

    @property
    def end(self) -> int:
        """How far it has come."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Steps from one epoch to the next."""
        ...

    @property
    def status(self) -> str:
        """One of `session.STATUS`."""
        ...

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What is another whenever there is something new to draw."""
        ...

    def advance(self, steps: int) -> int:
        """Go on for up to so many steps; how many were made. None may be yet where a step takes long."""
        ...

    def seek(self, step: int) -> None:
        """Go to any step that was reached; at once, however long that takes."""
        ...

    def nearest(self, step: int) -> int:
        """The step up to `step` from which that is replayed."""
        ...

    def reset(self) -> None:
        """Begin anew, from the same weights."""
        ...

    def change(self, recipe: Recipe) -> None:
        """Go over to another recipe. Raises `RecipeError` where it cannot be played."""
        ...

    def work(self) -> bool:
        """Do a little of what is to be done beside playing; whether there is more of it."""
        ...

    def scene(self) -> dict[str, Any]:
        """All that does not change many times a second, as JSON."""
        ...

    def frame(self) -> Callable[[], bytes]:
        """What makes the binary frame of all that changes with every step; it may be called on another thread."""
        ...
