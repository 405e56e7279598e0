"""Which game is played: all of them share one recipe, which goes over from one to the next."""

from collections.abc import Callable
from typing import Any

from layerwise.errors import RecipeError
from layerwise.studio import protocol as p
from layerwise.studio.games.crowd import Crowd
from layerwise.studio.games.game import Game
from layerwise.studio.games.pair import Pair
from layerwise.studio.games.race import Race
from layerwise.studio.games.session import Session


class Games:
    """The playground's session, the game that is played `now`, and those that were: of two networks, and of many."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now: Game = session
        self._pair: Game | None = None
        self._beside: Game | None = None  # of many, which take more memory

    def go(self, command: p.Games) -> None:
        """Go over to what a command asks for. Raises `RecipeError` where it cannot be played."""
        match command:
            case p.Playground():
                self._home()
            case p.Compare(other=other):
                self._compare(other)
            case p.Many(vary=vary):
                self._beside_or(lambda game: isinstance(game, Crowd) and game.vary == vary, Crowd, vary)
            case p.Race(against=against, draw=draw):
                self._race(against, draw)
            case p.Alone(lane=lane):
                self._open(lane)

    def _home(self) -> None:
        if self.now is not self.session:
            if self.now.recipe != self.session.recipe:
                self.session.change(self.now.recipe)
            self._over_to(self.session)

    def _compare(self, other: dict[str, Any]) -> None:
        game = self._beside_or(lambda game: isinstance(game, Pair), Pair, other)
        if isinstance(game, Pair) and game.other != other:
            game.differ(other)

    def _race(self, against: str, draw: int) -> None:
        game = self._beside_or(lambda game: isinstance(game, Race) and game.against == against, Race, against, draw)
        if isinstance(game, Race) and game.draw != draw:
            game.redraw(draw)

    def _open(self, lane: int) -> None:
        if not isinstance(self.now, Crowd | Race):
            raise RecipeError("one of many is opened", received="a view that shows none", remedy="go to Many first")
        opened = self.now.opened(lane)
        opened.locate, opened.called = self.session.locate, self.session.called
        self.session = opened
        self._over_to(opened)

    def _beside_or(self, fits: Callable[[Game], bool], kind: Callable[..., Game], *options: Any) -> Game:
        """The game that was played before, where it is the one that is asked for; else a new one of that kind."""
        recipe, known = self.now.recipe, [game for game in (self._pair, self._beside) if game is not None]
        game = next((game for game in known if fits(game) and game.recipe == recipe), None)
        game = game or kind(recipe, *options, like=self.session)
        self._over_to(game)
        return game

    def _over_to(self, game: Game) -> None:
        if game is not self.now:
            game.revision = max(game.revision, self.now.revision) + 1  # no frame of the one is taken for the other's
            self.now = game
        if isinstance(game, Pair):
            self._pair = game
        elif game is not self.session:
            self._beside = game
