"""What is known at a step, and what is said of it: the records that the running diagnosis looks at and makes."""

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float64, UInt8

from layerwise.inspection.rules.course import FALLING, HALF
from layerwise.recipe import records as r
from layerwise.studio.history.timeline import Row

WINDOW = 20  # epochs of the curve that "now" is judged by
SMOOTH = 5  # epochs whose median is "the loss now": one bad epoch says nothing
TRAIN, VALIDATION = 1, 3  # columns of the curve


class Saying(NamedTuple):
    """A sentence: its strong part, the rest, and what may be done.

    `acts` are commands that a page can send, each with a label; the page offers the first of them that it can
    do. The first word of an act is the command's name, or "undo", which only a page can. `alert` is for what
    does not wait.
    """

    rule: str
    strong: str
    rest: str
    acts: tuple[dict[str, Any], ...] = ()
    alert: bool = False


def act(label: str, do: str, **more: Any) -> dict[str, Any]:
    """Something to do, as a page sends it."""
    return {"label": label, "do": do, **more}


def written(said: Saying) -> UInt8[np.ndarray, " bytes"]:
    """A saying as a section of a frame: JSON in UTF-8."""
    found: UInt8[np.ndarray, " bytes"] = np.frombuffer(msgspec.json.encode(said._asdict()), np.uint8)
    return found


class Moment(NamedTuple):
    """What is known at a step: all that the rules look at.

    `curve` has a row for each epoch up to this step: step, training loss and figure, validation loss and
    figure; where the network itself was changed, with typed weights or more units, those of the present one
    only. `best` is the row with the lowest loss of all, which the chart marks, too. `trivial` is the best
    constant answer's loss. `ailments` says of each hidden unit whether it is well. `left` is where the line that
    was left last ended and where it was left; None where there is none. `altered` is the step at which the
    network itself was changed last, and how.
    """

    status: str
    step: int
    end: int
    per_epoch: int
    best_step: int
    edits: list[int]
    left: tuple[int, int] | None
    curve: Float64[np.ndarray, "epochs 5"]
    trivial: float
    ailments: UInt8[np.ndarray, "layers units"]
    widths: tuple[int, ...]
    train: r.Train
    network: r.Mlp | r.LinearNet
    best: Row | None = None
    altered: tuple[int, str] | None = None

    def epoch(self, step: int | float) -> int:
        """The epochs that were complete at a step."""
        return int(step) // self.per_epoch

    @property
    def rate(self) -> float:
        """The learning rate; NaN where it is no number."""
        rate = self.train.learning_rate
        return float(rate) if isinstance(rate, int | float) else math.nan

    def now(self, column: int) -> float:
        """The median of a column's last epochs."""
        return float(np.median(self.curve[-SMOOTH:, column])) if len(self.curve) else math.nan

    @property
    def known(self) -> bool:
        """Whether the training rows are known well enough for another rule to be no matter."""
        return self.now(TRAIN) < HALF * self.trivial

    @property
    def held_out(self) -> bool:
        """Whether there is a validation part."""
        return bool(len(self.curve)) and math.isfinite(self.curve[-1, VALIDATION])

    @property
    def lowest(self) -> Row | None:
        """The epoch with the lowest validation loss; None where that was one of another network, before a change."""
        if not self.held_out or self.best is None or self.best[0] < self.curve[0, 0]:
            return None
        return self.best

    @property
    def long_past(self) -> bool:
        """Whether that epoch lies back two windows of epochs: what is so is no chance of a few of them."""
        return self.lowest is not None and int((self.curve[:, 0] > self.lowest[0]).sum()) >= 2 * WINDOW

    def falls(self, column: int) -> bool:
        """Whether a column comes down, by the evidence of two windows where there are as many epochs."""
        losses = self.curve[-2 * WINDOW :, column]
        before, after = np.array_split(losses, 2)
        least = FALLING * self.trivial if len(losses) == 2 * WINDOW else 0.0
        return bool(np.median(before) - np.median(after) > least)
