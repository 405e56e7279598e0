"""Ways to a step that are gone in pieces, so that a page is answered meanwhile; and how long a piece is."""

import time
from collections.abc import Iterator

from layerwise.errors import LayerwiseError
from layerwise.studio.games.game import Game

SLICE = 0.025  # seconds of a call
LEAST = 4  # batches of a piece at first: the largest network makes them in 10 ms


class Pace:
    """How many batches make a call of so many seconds, learned from the calls before."""

    def __init__(self, seconds: float = SLICE, least: int = 16) -> None:
        self.batches, self._seconds, self._least = least, seconds, least

    def learn(self, made: int, seconds: float) -> None:
        """A call made so many batches in so many seconds; a single slow or quick one counts for a factor of 2."""
        wanted = int(made * self._seconds / max(seconds, 1e-6))
        self.batches = min(max(wanted, self.batches // 2, self._least), self.batches * 2, 1 << 20)


class Way:
    """A way to the step `aim`, a piece of it with every turn of `pieces`.

    `halted` is why it ended before: a link may ask for a change that cannot be made where it leads to.
    """

    def __init__(self, aim: int, pieces: Iterator[None]) -> None:
        self.aim, self.pieces = aim, pieces
        self.halted: LayerwiseError | None = None

    def go(self, seconds: float) -> bool:
        """Go on for so many seconds, and for a piece at least; whether there is more of it."""
        until = time.monotonic() + seconds
        try:
            for _ in self.pieces:
                if time.monotonic() >= until:
                    return True
        except LayerwiseError as error:
            self.halted = error
        return False


def there(game: Game, step: int) -> Way:
    """The way to a step that was reached, from the nearest state that is known."""
    step = min(max(step, game.oldest), game.end)
    return Way(step, _replayed(game, step))


def _replayed(game: Game, step: int) -> Iterator[None]:
    at, pace = game.nearest(step), Pace(least=LEAST)
    if at == step:
        game.seek(step)
    while at < step:
        began, to = time.monotonic(), min(step, at + pace.batches)
        game.seek(to)
        if game.step < to:  # training went no further: its loss was not finite any more
            return
        pace.learn(to - at, time.monotonic() - began)
        at = to
        yield


def onward(game: Game, batches: int, before: Way | None = None) -> Way:
    """The way for some batches more, trained at the end of the way that is being gone `before`."""
    return Way((before.aim if before else game.step) + batches, _trained(game, batches, before))


def _trained(game: Game, batches: int, before: Way | None) -> Iterator[None]:
    while before is not None and before.go(0.0):
        yield
    pace = Pace(least=LEAST)
    while batches > 0:
        began = time.monotonic()
        made = game.advance(min(batches, pace.batches))
        if made > 0:
            pace.learn(made, time.monotonic() - began)
            batches -= made
        elif game.status != "running":
            return
        yield
