"""The padded program's arrays: what there is of the network, what may be moved, and what training knows."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from layerwise.recipe import records as r
from layerwise.training.hyper import Hyper

BATCH = 256  # rows of a batch at most: as many as are gathered at a time
CHUNK = 128  # rows that are evaluated at a time
EPOCHS_A_CALL = 256
RUNNING, FINISHED, STOPPED_EARLY, DIVERGED = range(4)

ACTIVATIONS: tuple[type[r.Activation], ...] = (
    r.Tanh, r.Sigmoid, r.Relu, r.LeakyRelu, r.Linear, r.Elu, r.Silu, r.Softplus, r.Gelu, r.NoisyRelu, r.Step,
)  # fmt: skip
SCHEDULES: tuple[type[r.Schedule], ...] = (
    r.ConstantRate, r.StepRate, r.ExponentialRate, r.CosineRate, r.OneCycleRate,
)  # fmt: skip
LOSSES = ("binary", "classes", "mse", "mae", "huber")


class Room(NamedTuple):
    """What a compiled program has room for: hidden layers, units of each, inputs and outputs as many, and rows."""

    layers: int
    width: int
    rows: int

    @property
    def narrow(self) -> bool:
        """Whether all of it is so small that it is fastest as one kernel (decision 0004)."""
        return self.width <= NARROW


NARROW = 16
STANDARD = Room(6, 8, 1024)
ROOMS = (
    STANDARD,
    Room(6, 8, 16384),
    *(Room(layers, width, rows) for width in (16, 32, 64) for rows in (4096, 16384) for layers in (2, 6)),
)
LAYERS, UNITS, ROWS = ROOMS[-1]  # more is not played with


class Parameters(NamedTuple):
    """The hidden layers one after another and the output layer last, each padded; zero where there is nothing."""

    weight: Float[Array, "layers units inputs"]
    bias: Float[Array, "layers units"]


class Shape(NamedTuple):
    """Which of the program's layers and units there are.

    `units` says of each hidden layer's units whether they are there, `outputs` of the outputs; inputs
    that are not there are columns of zeros in the data. `kinds` are places in `ACTIVATIONS`, `slopes`
    what a leaky ReLU or an ELU is set to.
    """

    depth: Int[Array, ""]
    units: Float[Array, "layers units"]
    outputs: Float[Array, " units"]
    kinds: Int[Array, " layers"]
    slopes: Float[Array, " layers"]


class Law(NamedTuple):
    """An optimizer by its coefficients: with gradient g, moments m and v, and t the updates so far, this one included,

    m' = m_keep m + m_take g          v' = v_keep v + v_take g^2
    d  = from_old m + from_new m' / (1 - m_keep^t if corrected) + from_g g
    d is divided by nothing, by sqrt(v' + eps), or by sqrt(v' / (1 - v_keep^t)) + eps; or its sign is taken
    """

    m_keep: Float[Array, ""]
    m_take: Float[Array, ""]
    v_keep: Float[Array, ""]
    v_take: Float[Array, ""]
    from_old: Float[Array, ""]
    from_new: Float[Array, ""]
    from_g: Float[Array, ""]
    epsilon: Float[Array, ""]
    division: Int[Array, ""]  # 0 nothing, 1 inside the root, 2 outside it with correction, 3 the sign


class Settings(NamedTuple):
    """All that may be moved and does not change the network's shape."""

    hyper: Hyper
    law: Law
    schedule: Int[Array, ""]  # a place in `SCHEDULES`
    batch_size: Int[Array, ""]
    loss: Int[Array, ""]  # a place in `LOSSES`


class Table(NamedTuple):
    """The rows: inputs in the first columns, targets one-hot or as they are, and what each weighs in the loss.

    Those of the training part come first, then those of the validation part, then the others. `x_columns` and
    `y_columns` are the same once more, a line for each column, as they are evaluated. `spread` is the sum of
    squares of each part's targets around their mean.
    """

    x: Float[Array, "rows units"]
    y: Float[Array, "rows units"]
    weight: Float[Array, " rows"]
    x_columns: Float[Array, "units rows"]
    y_columns: Float[Array, "units rows"]
    spread: Float[Array, "2 units"]
    train_rows: Int[Array, ""]
    validation_rows: Int[Array, ""]


class Rows(NamedTuple):
    """Some rows in the order of training, and what each weighs."""

    x: Float[Array, "rows units"]
    y: Float[Array, "rows units"]
    weight: Float[Array, " rows"]


class Point(NamedTuple):
    """Where training stands: the weights, both moments of the optimizer, its updates so far, and the steps."""

    parameters: Parameters
    m: Parameters
    v: Parameters
    updates: Int[Array, ""]
    step: Int[Array, ""]


class State(NamedTuple):
    """All that training knows. `good` is the last healthy epoch, gone back to on a loss that is not finite;
    `best` are the weights that validated best.
    """

    now: Point
    good: Point
    best: Parameters
    best_value: Float[Array, ""]
    best_step: Int[Array, ""]
    waited: Int[Array, ""]
    status: Int[Array, ""]


class History(NamedTuple):
    """What every epoch of a call came to; the first `rows` rows are filled. Figures: loss, then accuracy or R2."""

    rows: Int[Array, ""]
    step: Int[Array, " epochs"]
    train: Float[Array, "epochs 2"]
    validation: Float[Array, "epochs 2"]
    best: Bool[Array, " epochs"]


def together(width: int) -> int:
    """Rows of a batch that are worked on at a time: many enough to keep a wide layer's products busy."""
    return 8 if width <= NARROW else 32
