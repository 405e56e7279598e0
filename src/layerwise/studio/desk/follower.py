"""Where a run or a search stands, read from the log that it writes anyway."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from layerwise.progress import wording
from layerwise.progress.board import Board
from layerwise.recipe import Recipe
from layerwise.recipe import records as r
from layerwise.training.events import AnyEvent, Scoring
from layerwise.tuning.events import AnyStudyEvent, Searching, StudyStarted

READ = 4 << 20  # bytes of a log at once


def searches(recipe: Recipe) -> bool:
    """Whether the recipe asks for a search."""
    return isinstance(recipe.search, r.Search)


class Follower:
    """Reads a job's log as it grows, and tells where the job stands."""

    def __init__(self, name: str, recipe: Recipe, folder: Path) -> None:
        self._folder, self._searches = folder, searches(recipe)
        self._reading = threading.Lock()  # several pages may ask at once
        self._board = Board(name)
        self._search: tuple[int, int, str, float | None] | None = None  # done, trials, monitor, best
        self._log, self._offset = Path(), 0
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyStudyEvent if self._searches else AnyEvent)
        self._board.follow(recipe)

    def progress(self) -> dict[str, Any]:
        """Where it stands: the phase in words, the share that is done, figures ready to read."""
        with self._reading:
            for event in self._news():
                self._hear(event)
            return self._said()

    def _said(self) -> dict[str, Any]:
        if self._search is not None:
            over, trials, monitor, best = self._search
            figures = [("best " + wording.label(monitor), _shown(monitor, best))] if best is not None else []
            words = f"trial {over:,} of {trials:,}"
            return {"phase": self._board.phase, "share": over / max(trials, 1), "at": words, "figures": figures}
        board = self._board
        if board.started is None or board.progress is None:
            return {"phase": board.phase, "share": 0.0, "at": "", "figures": []}
        total = board.started.epochs
        done = board.progress.epoch
        figures = [("training loss", wording.loss(board.progress.loss))]
        if board.last is not None:
            figures += [
                (f"validation {wording.label(name)}", _shown(name, value))
                for name, value in list(board.last.validation.items())[:2]
            ]
        left = board.left if board.phase == "training" else None
        return {
            "phase": board.phase,
            "share": min(1.0, done / max(total, 1)) if board.phase == "training" else 1.0,  # it may end early
            "at": f"epoch {min(int(done) + 1, total):,} of {total:,}",
            "figures": figures,
            "left": wording.clock(left) if left is not None else "",
            "curve": [value for value in (board.watched or board.losses)[-200:] if abs(value) < 1e30],
        }

    def _hear(self, event: Any) -> None:
        match event:
            case StudyStarted(done=done, trials=trials, monitor=monitor):
                self._search, self._board.phase = (done, trials, monitor, None), "searching"
            case Searching(done=done, best=best) if self._search is not None:
                self._search = (done, self._search[1], self._search[2], best)
            case Scoring() if self._search is not None:
                self._board.phase = "scoring the winner and the baselines"
            case _ if not self._searches:
                self._board.hear(event)

    def _news(self) -> Iterator[Any]:
        """The events that were logged since; of a cross-validation those of the fold at hand."""
        folder = self._folder
        folds = sorted(folder.glob("fold-*"), key=lambda path: (len(path.name), path.name)) if folder.is_dir() else []
        log = (folds[-1] if folds else folder) / "events.jsonl"
        if log != self._log:
            self._log, self._offset = log, 0
        try:
            with log.open("rb") as file:
                file.seek(self._offset)
                content = file.read(READ)
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield self._decoder.decode(line)


def _shown(metric: str, value: float) -> str:
    return wording.figure(value, wording.decimals(metric, value))
