"""What the rules of the diagnosis judge: a network with its data, and what follows from them.

Everything is worked out once, and only where a rule asks for it.
"""

from functools import cached_property, partial

import jax
import numpy as np
from jaxtyping import Float64, Shaped

from layerwise.inspection.samples import sample
from layerwise.inspection.subjects import MOST_ROWS, Subject, initial
from layerwise.inspection.units import Activations, activations
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.constant import constant_loss
from layerwise.tasks.objective import example_losses
from layerwise.training.events import Epoch, RolledBack
from layerwise.training.forward import Forward
from layerwise.training.loop import work
from layerwise.training.place import place
from layerwise.training.range_finder import STEPS, RateCurve, find_learning_rate
from layerwise.training.step import program

MOST_WORK = 3e10  # multiply-adds of a range test: some four seconds on two cores


class Case:
    """A subject as the rules see it.

    `train` is the recipe's training, None where it trains nothing. `epochs`, `rollbacks` and `finished`
    are a run's events; other subjects have none.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.train = subject.recipe.train if isinstance(subject.recipe.train, r.Train) else None
        self.epochs = [event for event in subject.events if isinstance(event, Epoch)]
        self.rollbacks = [event for event in subject.events if isinstance(event, RolledBack)]
        self.finished = subject.finished

    @cached_property
    def now(self) -> Activations:
        """The network on a sample of its training part."""
        return self._seen(self.subject.network)

    @cached_property
    def start(self) -> Activations:
        """The network before its first step, on the same rows."""
        subject = self.subject
        if not subject.trained or self.train is None:
            return self.now
        return self._seen(initial(subject.recipe, subject.objective, subject.dataset))

    def _seen(self, network: MLP) -> Activations:
        return activations(network, self.subject.objective, sample(self.subject))

    @property
    def testable(self) -> bool:
        """Whether a range test means anything: L-BFGS chooses its own steps, a perceptron's rate changes nothing."""
        kind = self.subject.objective.kind
        return self.train is not None and not isinstance(self.train.optimizer, r.Lbfgs) and kind != "perceptron"

    @property
    def long(self) -> bool:
        """Whether a range test takes more than some seconds."""
        return self.train is not None and STEPS * work(self.train.batch_size, self.subject.network) > MOST_WORK

    @cached_property
    def range_test(self) -> RateCurve:
        """The range test from the initial weights, of a subject that is `testable`."""
        subject, train = self.subject, self.train
        assert train is not None
        network = initial(subject.recipe, subject.objective, subject.dataset)
        law = program(train, subject.objective, train.batch_size)
        data = place(subject.dataset, subject.weights())
        return find_learning_rate(law, network, data, train, subject.recipe.task, subject.recipe.seed)

    def losses(self, part: str) -> Float64[np.ndarray, " rows"]:
        """The loss of each row of a sample of a part, times its weight, whose mean is 1; none of an empty part."""
        rows = sample(self.subject, part)
        if not rows.weight.size:
            return np.zeros(0)
        outputs = Forward(self.subject.network)(rows.x)
        filled = partial(_filled, rows=MOST_ROWS)  # so that one compiled program serves all parts
        each = _each(self.subject.objective, filled(outputs), filled(rows.y), rows.smoothing, rows.delta)
        weight = rows.weight.astype(np.float64)
        weighed: Float64[np.ndarray, " rows"] = np.asarray(each, np.float64)[: len(weight)] * weight / weight.mean()
        return weighed

    @cached_property
    def trivial(self) -> float:
        """The loss of the best constant answer to the training part; NaN for a perceptron."""
        rows = sample(self.subject, most=self.subject.dataset.train.size)
        return constant_loss(self.subject.objective, rows.y, rows.weight, float(rows.smoothing), float(rows.delta))


_each = jax.jit(example_losses, static_argnums=0)


def _filled(array: Shaped[np.ndarray, "some *rest"], rows: int) -> Shaped[np.ndarray, "rows *rest"]:
    return np.concatenate([array, np.zeros((rows - array.shape[0], *array.shape[1:]), array.dtype)])
