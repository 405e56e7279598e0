"""The numeric settings of training, as arrays: the only place where they live inside a program.

Because they are arrays, a search varies them without compiling again, and a lane carries its own.
What decides the program's shape (widths, batch size, which optimizer) is in `step.Program` instead.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from layerwise.nets.widen import Units
from layerwise.recipe import records as r

ROLLBACKS = 3  # a fourth non-finite loss ends a run


class Hyper(NamedTuple):
    """One scalar array a setting; the meaning of each is that of the recipe's key of the same name."""

    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""]  # also beta1 of Adam and Lion
    beta2: Float[Array, ""]  # also RMSprop's decay
    epsilon: Float[Array, ""]
    every: Float[Array, ""]  # step schedule, in epochs
    factor: Float[Array, ""]  # step and exponential schedules; cosine's floor; one-cycle's peak
    warmup: Float[Array, ""]
    l1: Float[Array, ""]
    l2: Float[Array, ""]
    weight_decay: Float[Array, ""]
    dropout: Float[Array, ""]
    input_dropout: Float[Array, ""]
    noise: Float[Array, ""]
    max_norm: Float[Array, ""]
    clip: Float[Array, ""]
    label_smoothing: Float[Array, ""]
    delta: Float[Array, ""]
    tolerance: Float[Array, ""]
    patience: Int[Array, ""]
    epochs: Int[Array, ""]
    rollbacks: Int[Array, ""]  # non-finite losses that are gone back from; one more ends the training
    units: Units = ()  # of a widened network: which hidden units are there; empty where all are


def hyper(train: r.Train, task: r.Task, rollbacks: int = ROLLBACKS) -> Hyper:
    """The arrays of a resolved recipe (no "auto" left in it).

    A bound that is off is infinite, so that lanes with and without one may share a program.
    """
    momentum, beta2, epsilon = _optimizer_settings(train.optimizer)
    every, factor = _schedule_settings(train.schedule)
    assert isinstance(train.learning_rate, float | int) and isinstance(train.weight_decay, float | int)
    floats = {
        "learning_rate": train.learning_rate,
        "momentum": momentum,
        "beta2": beta2,
        "epsilon": epsilon,
        "every": every,
        "factor": factor,
        "warmup": train.warmup,
        "l1": train.l1,
        "l2": train.l2,
        "weight_decay": train.weight_decay,
        "dropout": train.dropout,
        "input_dropout": train.input_dropout,
        "noise": train.noise,
        "max_norm": train.max_norm or np.inf,
        "clip": train.clip or np.inf,
        "label_smoothing": getattr(task, "label_smoothing", 0.0),
        "delta": getattr(task, "delta", 1.0),
        "tolerance": train.tolerance,
    }
    # NumPy's scalars: making JAX arrays of them one by one would cost a millisecond.
    arrays: Any = {name: np.asarray(value, np.float32) for name, value in floats.items()}
    whole = {"patience": train.patience, "epochs": train.epochs, "rollbacks": rollbacks}
    arrays |= {name: np.asarray(value, np.int32) for name, value in whole.items()}
    return Hyper(**arrays)


def _optimizer_settings(optimizer: r.Optimizer) -> tuple[float, float, float]:
    match optimizer:
        case r.Momentum(momentum=momentum) | r.Nesterov(momentum=momentum):
            return momentum, 0.0, 0.0
        case r.Adagrad(epsilon=epsilon):
            return 0.0, 0.0, epsilon
        case r.RmsProp(decay=decay, epsilon=epsilon):
            return 0.0, decay, epsilon
        case r.Adam(beta1=b1, beta2=b2, epsilon=epsilon) | r.AdamW(beta1=b1, beta2=b2, epsilon=epsilon):
            return b1, b2, epsilon
        case r.Lion(beta1=b1, beta2=b2):
            return b1, b2, 0.0
        case r.Sgd() | r.Lbfgs():
            return 0.0, 0.0, 0.0


def _schedule_settings(schedule: r.Schedule) -> tuple[float, float]:
    match schedule:
        case r.StepRate(every=every, factor=factor):
            return every, factor
        case r.ExponentialRate(factor=factor):
            return 1.0, factor
        case r.CosineRate(floor=floor):
            return 1.0, floor
        case r.OneCycleRate(peak=peak):
            return 1.0, peak
        case r.ConstantRate():
            return 1.0, 1.0
