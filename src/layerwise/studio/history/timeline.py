"""Time travel: a run that can be taken back to any step, and forward again to the same bits, in bounded memory.

Everything random follows from (seed, step), so a step is reached by replaying from the nearest state
that was kept. What was changed on the way is journaled as *eras*: from a step on, training had these
settings, or went on from weights that were typed in. Training on after a way back is a branch: the line
that is left, the last one, stays as a ghost and can be returned to.
"""

from bisect import bisect_right
from copy import copy
from dataclasses import dataclass, field, replace
from functools import reduce
from math import isfinite, isnan
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float64

from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.training import padded
from layerwise.training.padded import Parameters, Room, Settings, Shape, State, Table

MEMORY = 8 << 20  # bytes of a timeline, about
SPACING = 8192  # steps times units of a layer between two states that are kept, at least: milliseconds to replay
CURVE_POINTS = 4096  # epochs that are kept; beyond, every second one goes

Host = Any  # a State of NumPy's arrays


class Arguments(NamedTuple):
    """What the padded program trains with, beside the state."""

    shape: Shape
    settings: Settings
    table: Table
    seed: noise.Key


@dataclass
class Era:
    """From step `first` on: what is trained with, and the states that were kept, the first one among them.

    `memo` is what the owner of the timeline knows of it; it comes back wherever training stands in the era.
    `altered` is whether the network itself became another at its beginning, not only what it is trained with.
    """

    first: int
    arguments: Arguments
    kept: list[Host]
    memo: Any = None
    altered: bool = False

    def steps(self) -> list[int]:
        """The steps of the states kept, in order."""
        return [int(state.now.step) for state in self.kept]


Row = tuple[float, float, float, float, float]


@dataclass
class Curve:
    """An epoch a row: step, training loss and figure, validation loss and figure; thinned evenly when it grows long."""

    rows: list[Row] = field(default_factory=list)
    room: int = CURVE_POINTS
    every: int = 1
    seen: int = 0
    last: float = -1.0  # the step of the last epoch, kept or not
    best: Row | None = None  # with the lowest loss on the validation part, else in training; kept or not

    def add(self, row: Row) -> None:
        """Append an epoch, unless it is known from a first time; thin where there are too many."""
        if row[0] <= self.last:
            return
        if self.seen % self.every == 0:
            self.rows.append(row)
        self.seen, self.last = self.seen + 1, row[0]
        self.best = _better(self.best, row)
        if len(self.rows) > self.room:
            self.rows, self.every = self.rows[::2], 2 * self.every

    def correct(self, row: Row) -> None:
        """The last row's step has another network now: these are its figures, and what was before it is gone."""
        past = self.until(int(row[0]) - 1)
        self.rows, self.best = [*past.rows, row], _better(past.best, row)
        self.seen, self.last = self.seen + (row[0] > self.last), row[0]

    def array(self, most: int = 0) -> Float64[np.ndarray, "epochs 5"]:
        """All rows, or about `most` of them, evenly spread, the last among them."""
        every = -(-len(self.rows) // most) if most and self.rows else 1
        return np.array(self.rows[::-every][::-1], np.float64).reshape(-1, 5)

    def copy(self) -> "Curve":
        """The same rows, which stay as they are when this one grows."""
        return replace(self, rows=self.rows[:])

    def until(self, step: int) -> "Curve":
        """The part up to a step."""
        rows = self.rows[: bisect_right([row[0] for row in self.rows], step)]
        best = self.best if self.best and self.best[0] <= step else reduce(_better, rows, None)
        return Curve(rows, self.room, self.every, len(rows) * self.every, rows[-1][0] if rows else -1.0, best)


def _better(best: Row | None, row: Row) -> Row | None:
    loss = row[1] if isnan(row[3]) else row[3]
    if not isfinite(loss):
        return best
    return row if best is None or loss < (best[1] if isnan(best[3]) else best[3]) else best


class Line(NamedTuple):
    """A line of training that was left: its eras, its curve, how far it came, and at which step it was left."""

    eras: list[Era]
    curve: Curve
    end: int
    at: int


class Timeline:
    """One training from its first step on. `step` is where it stands, `end` how far it has come.

    `curve` has the epochs until `end`, `left` is the line that was left last; `memory` are the bytes that all
    of it may take, about.
    """

    def __init__(self, parameters: Parameters, arguments: Arguments, memo: Any = None, memory: int = MEMORY) -> None:
        start = padded.fresh(parameters)
        self._stand(start)
        self._size = sum(int(leaf.nbytes) for leaf in jax.tree.leaves(start))  # of every state: they are of one room
        self._eras = [Era(0, _placed(arguments), [_host(start)], memo)]
        self.end, self.memory = 0, memory
        self.curve = Curve(room=CURVE_POINTS * memory // MEMORY)
        self.left: Line | None = None

    @property
    def room(self) -> Room:
        """What its program has room for."""
        layers, width = self._eras[0].arguments.shape.units.shape
        return Room(layers, width, len(self._eras[0].arguments.table.x))

    # ── where it stands ─────────────────────────────────────────────────────────────────────────

    def _stand(self, state: State) -> None:
        """Training stands here: at `step`, with a `status` of the padded program's."""
        self._state = state
        self.step, self.status = int(state.now.step), int(state.status)

    @property
    def state(self) -> Host:
        """Where training stands, on the host."""
        return _host(self._state)

    @property
    def best_step(self) -> int:
        """The step of the weights that validated best."""
        return int(self._state.best_step)

    @property
    def parameters(self) -> Parameters:
        """The weights where training stands, on the host."""
        return _floats(self._state.now.parameters)

    @property
    def arguments(self) -> Arguments:
        """What is trained with at this step."""
        return self._era().arguments

    @property
    def memo(self) -> Any:
        """What the owner said of the era that this step belongs to."""
        return self._era().memo

    @property
    def altered(self) -> tuple[int, Any] | None:
        """The step at which the network itself was changed last, and the memo of what follows; None where never."""
        eras = [era for era in self._eras if era.altered and 0 < era.first <= self.step]
        return (eras[-1].first, eras[-1].memo) if eras else None

    @property
    def journal(self) -> list[tuple[int, Any]]:
        """Every era's first step and memo, in order."""
        return [(era.first, era.memo) for era in self._eras]

    @property
    def ghost(self) -> Curve:
        """The curve of the line that was left last."""
        return self.left.curve if self.left else Curve()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the last and incomplete one included."""
        arguments = self.arguments
        return -(-int(arguments.table.train_rows) // int(arguments.settings.batch_size))

    @property
    def begin(self) -> int:
        """The first step that can be gone back to: 0, unless so much was changed that the oldest was forgotten."""
        return self._eras[0].first

    @property
    def edits(self) -> list[int]:
        """The steps at which something was changed."""
        return [era.first for era in self._eras[1:]]

    @property
    def nbytes(self) -> int:
        """Bytes of the states and curves that are kept."""
        kept = {id(state) for era in self._all() for state in era.kept}  # a line that was left shares its past
        return len(kept) * self._size + 40 * (len(self.curve.rows) + len(self.ghost.rows))

    # ── on, back, and otherwise ─────────────────────────────────────────────────────────────────

    def advance(self, limit: int) -> int:
        """Train for up to `limit` steps and say how many were made; fewer at an end or where history fills up."""
        if self.ahead:
            self.branch()
        before = self.step
        if self.status == padded.DIVERGED:
            return 0
        self._run(limit)
        if self.step > before:
            era = self._eras[-1]  # nothing lies ahead
            if self.step >= int(era.kept[-1].now.step) + SPACING // self.room.width:
                era.kept.append(_host(self._state))
                self._thin()
        self.end = max(self.end, self.step)
        return self.step - before

    def seek(self, step: int) -> None:
        """Go to any step from `begin` to `end`; the state is the very one that was there, bit by bit."""
        step = min(max(step, self.begin), self.end)
        kept = self._kept(step)
        if not self._leads_to(step, kept):
            self._stand(_device(kept))
        while self.step < step:
            if not self._run(step - self.step):
                break

    def nearest(self, step: int) -> int:
        """The step up to `step` from which `seek` replays: that of a state that was kept, or where training stands."""
        kept = self._kept(step)
        return self.step if self._leads_to(step, kept) else int(kept.now.step)

    def edit(self, arguments: Arguments | None = None, parameters: Parameters | None = None, memo: Any = None) -> None:
        """From this step on train with other `arguments`, or from other `parameters`; what lay ahead is left behind.

        With other parameters, or another optimizer, the optimizer's moments begin anew. The curve tells how well
        a network does that became another.
        """
        if self.step < self.end:
            self.branch()
        now = self._era().arguments
        then = _placed(arguments) if arguments else now
        state = self.state
        point = state.now
        if parameters is not None:
            point = point._replace(parameters=_floats(parameters))
        if parameters is not None or not _same(now.settings.law, then.settings.law):
            zeros = jax.tree.map(np.zeros_like, point.m)
            point = point._replace(m=zeros, v=zeros, updates=np.int32(0))
        # A halt by patience, the last epoch or a loss that was not finite is over: what follows is new.
        fresh = state._replace(now=point, good=point, waited=np.int32(0), status=np.int32(padded.RUNNING))
        altered = parameters is not None or not _same(now.shape, then.shape)
        if altered:
            fresh = fresh._replace(best=point.parameters, best_value=np.float32(np.inf), best_step=point.step)
        era = Era(self.step, then, [fresh], memo, altered)
        if self._eras[-1].first == self.step:
            era.altered |= self._eras[-1].altered
            self._eras[-1] = era  # two changes at one step are one
        else:
            self._eras.append(era)
        # Each era keeps a state at least; what is left has as many, and the curves want room, too.
        self._eras = self._eras[-max(4, self.memory // (3 * self._size)) :]
        self._stand(_device(fresh))
        if altered and self.step:
            self.curve.correct((float(self.step), *self.figures()))
        self._thin()

    def figures(self) -> tuple[float, float, float, float]:
        """How well the network does as it stands: training loss and figure, validation loss and figure."""
        arguments = self.arguments
        program = padded.figures(self.room)
        loss, figure, held_out, its_figure = np.asarray(program(self.parameters, *arguments[:3])).tolist()
        return loss, figure, held_out, its_figure

    def go_back(self) -> None:
        """Return to the end of the line that was left last; the present one is left instead."""
        if self.left is not None:
            there, self.left = self.left, Line(self._eras, self.curve, self.end, self.left.at)
            self._eras, self.curve, self.end, _ = there
            self._stand(_device(self._kept(self.end)))
            self.seek(self.end)

    def copy(self, memory: int = MEMORY) -> "Timeline":
        """The same once more, which goes its own way from here."""
        twin = copy(self)
        twin._eras = [replace(era, kept=era.kept[:]) for era in self._eras]
        twin.curve, twin.memory = replace(self.curve.copy(), room=CURVE_POINTS * memory // MEMORY), memory
        twin._stand(_device(self.state))
        return twin

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _run(self, limit: int) -> int:
        """Up to `limit` steps with this era's arguments; epochs beyond the curve's end are added to it."""
        before, era = self.step, self._era()
        program = padded.compiled(self.room)
        state, history = program(self._state, *era.arguments, np.int32(limit))
        self._stand(state)
        rows = int(history.rows)
        steps, train, validation = (np.asarray(part)[:rows].tolist() if rows else [] for part in history[1:4])
        for at, (loss, figure), (held_out, its_figure) in zip(steps, train, validation, strict=True):
            self.curve.add((float(at), loss, figure, held_out, its_figure))
        return self.step - before

    def _era(self, step: int | None = None) -> Era:
        """The era that a step belongs to; at its first step a change has been made already."""
        step = self.step if step is None else step
        return self._eras[bisect_right([era.first for era in self._eras], step) - 1]

    def _kept(self, step: int) -> Host:
        """The last state that was kept before a step, of the same era."""
        era = self._era(step)
        return era.kept[bisect_right(era.steps(), step) - 1]

    def _leads_to(self, step: int, kept: Host) -> bool:
        """Whether training stands between a kept state and a step that it leads to."""
        between = int(kept.now.step) <= self.step <= step and self._era() is self._era(step)
        return between and self.status == padded.RUNNING

    def _all(self) -> list[Era]:
        return [*self._eras, *(self.left.eras if self.left else ())]

    @property
    def ahead(self) -> bool:
        """Whether something was changed later than here."""
        return self._eras[-1].first > self.step

    def branch(self) -> None:
        """Leave what lies ahead: it stays as the line that can be returned to."""
        step = self.step
        self.left = Line(self._eras, self.curve, self.end, step)
        self.curve = self.curve.until(step)
        self._eras = [replace(era, kept=era.kept[:]) for era in self._eras if era.first <= step]
        era = self._eras[-1]
        era.kept = era.kept[: max(1, bisect_right(era.steps(), step))]
        self.end = step

    def _thin(self) -> None:
        """Within the memory, keep recent states close together and older ones farther apart."""
        while self.nbytes > self.memory and (era := max(self._all(), key=lambda e: len(e.kept))) and len(era.kept) > 1:
            kept, half = era.kept, len(era.kept) // 2
            era.kept = kept[:1] + (kept[1:half:2] + kept[half:] if half > 2 else kept[2::2])


def _host(state: State) -> Host:
    copied: Host = jax.tree.map(np.array, state)
    return copied


def _placed(arguments: Arguments) -> Arguments:
    """On the device once, not with every call."""
    placed: Arguments = jax.device_put(arguments)
    return placed


def _device(state: Host) -> State:
    """On the device, each array its own: the program will take it over."""
    placed: State = jax.tree.map(lambda leaf: jax.device_put(np.array(leaf)), state)
    return placed


def _floats(parameters: Parameters) -> Parameters:
    found: Parameters = jax.tree.map(lambda leaf: np.array(leaf, np.float32), parameters)
    return found


def _same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def parameters_with(parameters: Parameters, layer: int, unit: int, source: int | None, value: float) -> Parameters:
    """A copy in which one weight, or with `source` None one bias, has another value."""
    weight, bias = (np.array(part) for part in parameters)
    if source is None:
        bias[layer, unit] = value
    else:
        weight[layer, unit, source] = value
    changed: tuple[Array, Array] = (weight, bias)  # type: ignore[assignment]
    return Parameters(*changed)


def carried(now: Parameters, before: MLP, after: MLP, room: Room) -> Parameters:
    """The weights after layers or units were added or taken away: what was there stays, what is new is fresh."""
    fresh = padded.pack(after, room)
    weight, bias = (np.array(part) for part in fresh)
    layers = min(len(before.layers), len(after.layers)) - 1
    for number in [*range(layers), -1]:
        old, new = before.layers[number].weight.shape, after.layers[number].weight.shape
        units, inputs = min(old[0], new[0]), min(old[1], new[1])
        weight[number, :units, :inputs] = np.asarray(now.weight)[number, :units, :inputs]
        bias[number, :units] = np.asarray(now.bias)[number, :units]
    changed: Any = (weight, bias)
    return Parameters(*changed)
