"""One page's loop: a thread that trains while it plays, answers commands in between, and sends frames.

Training goes in calls of about 25 ms, so whatever is asked for is answered soon. A frame is made only
when the page has drawn the last one, and of what is there then: the newest wins, no frame ever waits in
a queue, and a page that draws slowly, or not at all, neither holds up training nor fills memory.
"""

import logging
import queue
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from layerwise.errors import LayerwiseError, RecipeError
from layerwise.inspection import plain as listed
from layerwise.recipe import Recipe
from layerwise.recipe import read as read_recipe
from layerwise.studio import protocol as p
from layerwise.studio.allowed import check_data
from layerwise.studio.games import coming
from layerwise.studio.games.choice import Games
from layerwise.studio.games.game import Game
from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.studio.games.way import SLICE, Pace, Way, onward, there
from layerwise.studio.picture import drawing
from layerwise.studio.picture.numbers import numbers
from layerwise.studio.school import sharing

FRAME = 1 / 30  # seconds between two frames, at least
LONG_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){100}")
TOGETHER = 8  # commands answered between two calls
AT_ONCE = 0.05  # seconds of a way that are gone before a command is answered

log = logging.getLogger(__name__)


class Out(NamedTuple):
    """A message to the page: JSON, a frame, or none; and whether it settles one of the page's."""

    content: str | bytes | None
    settles: bool


class Player:
    """Plays one game for one page. `run` is the thread's; `give` and `close` may be called from others."""

    def __init__(
        self, begin: Callable[[], Session], send: Callable[[Out], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._begin, self._send, self._clock = begin, send, clock
        self._asked: queue.SimpleQueue[str | bytes | None] = queue.SimpleQueue()
        self._open, self._playing, self._busy = True, False, False
        self._pace = Pace()
        self._way: Way | None = None  # that is being gone; playing waits for its end
        self._untold = False  # that something has changed on it
        self._shown: tuple[Any, ...] | None = None  # the stamp of the last frame
        self._in_flight = False
        self._next_frame = self._next_call = 0.0
        self._failed: Exception | None = None  # what went wrong in the last frame
        self._coming = coming.Coming(lambda: self._asked.put(None))
        # Beside training, and beside each other: the first sheet of a network compiles for a second.
        self._drawing = ThreadPoolExecutor(1, "layerwise-frames")
        self._aside = ThreadPoolExecutor(1, "layerwise-sheets")

    def give(self, message: str | bytes) -> None:
        """Hand over a message of the page; exactly one `Out` will settle it."""
        self._asked.put(message)

    def close(self) -> None:
        """Let `run` end."""
        self._open = False
        self._asked.put(None)

    def run(self) -> None:
        """Play until closed."""
        try:
            self._games = Games(self._begin())
            self._launched = self._session.recipe
            self._offer_frame()
            self._session.advance(0)  # programs are traced and read from disk now, not when Play is pressed
            self._session.timeline.figures()
            while self._open:
                self._answer_some()
                self._take_over()
                try:
                    self._go_on()
                except Exception as error:
                    self._playing = self._busy = False
                    self._tell(error)
        finally:
            self._coming.close()
            for threads in (self._drawing, self._aside):
                threads.shutdown(wait=False, cancel_futures=True)

    @property
    def _session(self) -> Session:
        """The playground's, which waits while another game is played."""
        return self._games.session

    @property
    def _game(self) -> Game:
        return self._games.now

    def _take_over(self) -> None:
        """Play what was prepared, once it is ready; or say why it is not."""
        try:
            ready = self._coming.take()
            if ready is not None:
                self._session.become(ready)
                self._pace = Pace(self._game.slice, self._game.least)
                self._send(Out(p.ready(self._scene()), settles=False))
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Say that something went wrong which no command asked for; the page stays, and so does its network."""
        log.error("a fault in the Studio", exc_info=error)
        self._send(Out(p.failed(self._scene(), _fault(error)), settles=False))

    # ── training and frames ─────────────────────────────────────────────────────────────────────

    def _go_on(self) -> None:
        """A frame, some training, and what is to be done beside."""
        if self._failed is not None:  # the frame in flight never took off
            error, self._failed, self._in_flight = self._failed, None, False
            raise error
        self._offer_frame()
        if self._way is not None:
            self._go_way(self._way)
        elif self._playing and self._clock() >= self._next_call:
            self._train()
        self._busy = self._way is not None or self._game.work()

    def _train(self) -> None:
        began = self._clock()
        made = self._game.advance(self._pace.batches)
        if made > 0:
            self._next_call = began + self._game.rest
            self._pace.learn(made, self._clock() - began)
        if self._game.status != "running":
            self._playing = False
            self._send(Out(p.ended(self._scene()), settles=False))

    def _go_way(self, way: Way) -> None:
        """Go on with a way, a little; the page learns of changes on it with its next frame, and of its end."""
        game, revision = self._game, self._game.revision
        if way.halted or not way.go(SLICE):
            self._way = None
        self._untold = self._way is not None and (self._untold or game.revision != revision)
        if way.halted:
            self._send(Out(p.failed(self._scene(), _cut_short(way, game.step)), settles=False))
        elif self._way is None:
            self._send(Out(p.moved(self._scene()), settles=False))

    def _offer_frame(self) -> None:
        """Send what is there now, if it is new, the page has drawn what it got, and it is time."""
        if self._frame_is_due() and self._clock() >= self._next_frame:
            if self._untold:  # no more often than frames: a link has a thousand changes, and a page may read none
                self._untold = False
                self._send(Out(p.moved(self._scene()), settles=False))
            # In step with 30 a second on average, whatever multiple of a call that is.
            self._next_frame = max(self._next_frame + FRAME, self._clock())
            self._in_flight, self._shown = True, self._game.stamp
            self._drawing.submit(self._draw, self._game.frame())

    def _draw(self, frame: Callable[[], bytes]) -> None:
        """Make a frame and send it, on another thread; what goes wrong is told by this one."""
        try:
            self._send(Out(frame(), settles=False))
        except Exception as error:
            self._failed = error
            self._asked.put(None)

    def _frame_is_due(self) -> bool:
        return not self._in_flight and self._game.stamp != self._shown

    # ── commands ────────────────────────────────────────────────────────────────────────────────

    def _answer_some(self) -> None:
        """Answer what was asked; at rest wait for it, or for the next frame's time."""
        for already in range(TOGETHER):
            try:
                message = self._asked.get(timeout=0.0 if already else self._patience())
            except queue.Empty:
                return
            if message is None:
                return
            self._settle(message)

    def _patience(self) -> float | None:
        if self._busy:
            return 0.0
        times = [self._next_call] if self._playing else []
        times += [self._next_frame] if self._frame_is_due() else []
        return max(0.0, min(times) - self._clock()) if times else None

    def _settle(self, message: str | bytes) -> None:
        try:
            command = p.decoded(message)
        except LayerwiseError as error:
            self._send(Out(p.refusal(p.number(message), error), settles=True))
            return
        if isinstance(command, p.Painted):
            self._in_flight = False
            self._send(Out(None, settles=True))
        else:
            self._guarded(command.id, lambda: self._do(command))

    def _guarded(self, id: int, work: Callable[[], str | None]) -> None:
        """Send the answer that `work` gives, None where it comes later; a mistake, or a fault, is told in words."""
        try:
            content = work()
        except LayerwiseError as error:
            content = p.refusal(id, error)
        except Exception as error:
            log.exception("a fault in the Studio")
            content = p.refusal(id, _fault(error))
        if content is not None:
            self._send(Out(content, settles=True))

    def _do(self, command: p.Known) -> str | None:
        """One command's answer; None where it comes later."""
        session, game = self._session, self._game
        if game is not session and not isinstance(command, p.Everywhere):
            raise RecipeError("this is asked for in the playground", received="another view", remedy="go there first")
        going = self._way
        if not isinstance(command, p.Waiting):
            self._way = None
        match command:
            case p.Sheet():
                self._sheet(command)
                return None
            case p.Programs():
                return p.answer(command.id, self._scene(), programs=session.programs())
            case p.Distributions():
                self._later(command.id, "distributions", session.distributions())
                return None
            case p.Ask():
                self._later(command.id, "said", session.ask(command.inputs, command.drawn))
                return None
            case p.Plane(over=over):
                (self._coming.session or session).show(over)  # what was asked for last
            case p.Play():
                self._playing = True
            case p.Pause():
                self._playing = False
            case p.Forward():
                self._forward(command.batches, going)
            case p.Epochs():
                self._epochs(command.count, going)
            case p.Back():
                self._seek((min(going.aim, game.end) if going else game.step) - command.batches)
            case p.Seek():
                self._seek(command.step)
            case p.Test(show=show):
                session.test(show)
            case p.Reset():
                self._playing = False
                game.reset()
            case p.Return():
                self._playing = False
                session.go_back()
            case p.Share():
                shared = session if game is session else Session(game.recipe, like=session)
                return p.answer(command.id, self._scene(), share=sharing.link(shared))
            case p.Keep():
                kept = {**sharing.kept(session), "revision": game.revision}
                return p.answer(command.id, self._scene(), kept=kept)
            case p.Follow():
                self._go(p.Playground(id=command.id))
                self._set_out(sharing.replay(session, sharing.read(command.state, self._launched), command.step))
            case p.Set():
                self._change(changed(self._coming.recipe or game.recipe, command.path, command.value))
            case p.Draw():
                self._change(drawing.drawn(session.recipe, session.dataset))
            case p.NewRecipe():
                self._change(read(command.toml))
            case p.Playground() | p.Compare() | p.Many() | p.Race() | p.Alone():
                self._go(command)
            case p.Weight():
                session.type_weight(command.layer, command.unit, command.source, command.value)
        return p.answer(command.id, self._scene())

    def _go(self, command: p.Games) -> None:
        self._playing = False
        self._coming.forget()
        game = self._game
        self._games.go(command)
        if self._game is not game:
            self._pace = Pace(self._game.slice, self._game.least)

    def _forward(self, batches: int, going: Way | None) -> None:
        if batches > p.BATCHES:
            raise RecipeError(
                f"one command trains up to {p.BATCHES:,} batches", received=f"{batches:,}", remedy="press play"
            )
        self._set_out(onward(self._game, batches, going))

    def _epochs(self, count: int, going: Way | None) -> None:
        step, length = going.aim if going else self._game.step, self._game.steps_per_epoch
        if count > 0:
            self._forward((step // length + count) * length - step, going)
        elif count < 0:
            self._seek((-(-min(step, self._game.end) // length) + count) * length)

    def _seek(self, step: int) -> None:
        self._set_out(there(self._game, step))

    def _set_out(self, way: Way) -> None:
        """Go a way, as far as one may wait for it; the rest in pieces."""
        self._playing = False
        self._way = way if way.go(AT_ONCE) or way.halted else None  # why it halted is told after the answer

    def _change(self, recipe: Recipe) -> None:
        check_data(recipe, self._launched)
        session = self._session
        other = session.elsewhere(recipe) if self._game is session else None
        self._coming.forget()
        if other is None:
            self._game.change(recipe)
        elif coming.known(other.room):
            session.become(other)
        else:
            self._coming.prepare(other)

    def _sheet(self, command: p.Sheet) -> None:
        """Have a sheet worked out."""
        session = self._session
        rows = len(session.dataset.x)
        if command.row >= rows:
            raise RecipeError(f"the rows of the data are 0 to {rows - 1:,}", received=str(command.row))
        sheet = session.sheet(command.row)
        self._later(command.id, "sheet", lambda: numbers(sheet()))

    def _later(self, id: int, name: str, work: Callable[[], Any]) -> None:
        """Answer with what `work` gives under a name; it is done aside, while training goes on."""
        scene = self._scene()
        self._aside.submit(self._guarded, id, lambda: p.answer(id, scene, **{name: listed(work())}))

    def _scene(self) -> dict[str, Any]:
        own = {
            "playing": self._playing,
            "preparing": self._coming.words,
            "way": self._way and self._way.aim,
        }
        return {**self._game.scene(), **own}


def _fault(error: Exception) -> LayerwiseError:
    """A fault of ours, in words."""
    received = f"{type(error).__name__}: {error}".partition("\n")[0]
    return LayerwiseError("this is a fault in layerwise", received=received)


def _cut_short(way: Way, step: int) -> LayerwiseError:
    """Why a way ended before its end, in words."""
    error = way.halted
    reason = f"{error.rule}, received {error.received}" if error and error.received else str(error and error.rule)
    return RecipeError(
        f"the link leads to step {step:,} of {way.aim:,}, where its next change cannot be made",
        received=reason,
        remedy="go on from here",
    )


def read(toml: str) -> Recipe:
    """A recipe from its text, checked. Raises `RecipeError`."""
    if LONG_KEY.search(toml):  # which would take the reader as long as its length squared
        raise RecipeError("a recipe is not nested that deep", received="a key of too many parts")
    try:
        return read_recipe(toml)
    except RecipeError as error:
        line = error.place.rpartition(", ")[2]  # a page shows no places
        received = f"{error.received} in {line}" if line.startswith("line ") else error.received
        raise RecipeError(error.rule, received=received, remedy=error.remedy, place=error.place) from None
