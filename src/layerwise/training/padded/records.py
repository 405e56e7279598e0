"""The padded program's arrays: what there is of the network, what may be moved, and what training knows."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int, Int32

from layerwise.recipe import records as r
from layerwise.training.hyper import Hyper

LAYERS, UNITS = 6, 8  # hidden layers, and units of each; inputs and outputs are as many at most
BATCH = 32  # rows of a batch at most
TOGETHER = 8  # rows of a batch that are worked on at a time
ROWS = 1024  # of the data at most
SEGMENT = 16  # steps whose rows are gathered at a time
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

Matrix = Float[Array, "layers units inputs"]
Vector = Float[Array, "layers units"]


class Parameters(NamedTuple):
    """The hidden layers one after another and the output layer last, each padded; zero where there is nothing."""

    weight: Float[Array, "7 8 8"]
    bias: Float[Array, "7 8"]


class Shape(NamedTuple):
    """Which of the program's layers and units there are.

    `units` says of each hidden layer's units whether they are there, `outputs` of the outputs; inputs
    that are not there are columns of zeros in the data. `kinds` are places in `ACTIVATIONS`, `slopes`
    what a leaky ReLU or an ELU is set to.
    """

    depth: Int[Array, ""]
    units: Float[Array, "6 8"]
    outputs: Float[Array, " 8"]
    kinds: Int[Array, " 6"]
    slopes: Float[Array, " 6"]


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
    """The rows: inputs in the first columns, targets one-hot or as they are, what each weighs in the loss, and
    which form which part.
    """

    x: Float[Array, "1024 8"]
    y: Float[Array, "1024 8"]
    weight: Float[Array, " 1024"]
    train: Int32[Array, " 1024"]
    train_rows: Int[Array, ""]
    validation: Int32[Array, " 1024"]
    validation_rows: Int[Array, ""]


class Rows(NamedTuple):
    """Some rows in the order of training; `real` is what each weighs, 0 for those that only fill up."""

    x: Float[Array, "rows 8"]
    y: Float[Array, "rows 8"]
    real: Float[Array, " rows"]


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
