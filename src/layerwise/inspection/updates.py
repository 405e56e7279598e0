"""One training step, to be looked at: what it changes the weights by, and whose step it is."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from layerwise.errors import RunError
from layerwise.inspection.gradients import settled
from layerwise.inspection.names import name
from layerwise.inspection.subjects import Subject
from layerwise.nets import noise
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.training import checkpoint
from layerwise.training.hyper import Hyper
from layerwise.training.loop import State, start
from layerwise.training.optimizer import rate_factor
from layerwise.training.step import Batch, Program, fresh, step


@dataclass(frozen=True)
class Update:
    """What one step of the recipe's optimizer changes: `change` is new minus old weights.

    `words` say which step it is: the next one of a run, with the optimizer's memory that its folder
    keeps; or the first one, with none.
    """

    change: MLP
    words: str


def update(found: Subject) -> Update | None:
    """The next step of a run, or else the first of the network; None where the recipe trains nothing.

    A run goes on from its last weights, which need not be its best. The batch is spread evenly over the
    training part; the learning rate is that of the schedule at this step, from the usual one where the
    recipe has it found.

    >>> from layerwise.inspection import subject
    >>> update(subject("xor")).words
    'the first step of adam from these weights, learning rate 0.01, a batch of 32'
    """
    train = found.recipe.train
    if not isinstance(train, r.Train):
        return None
    law, settings, notes = settled(train, found.recipe.task, found.objective, train.batch_size)
    whole = isinstance(train.optimizer, r.Lbfgs)
    rows = found.dataset.train if whole else found.sample("train", train.batch_size)
    batch = Batch(*map(jnp.asarray, found.batch(rows)))
    kept = _state(found, law, settings)
    weights = fresh(law, found.network, settings) if kept is None else kept.weights
    number, scale = (jnp.int32(0), jnp.float32(1)) if kept is None else (kept.step, kept.scale)
    per_epoch = jnp.int32(-(-found.dataset.train.size // train.batch_size))
    rate = settings.learning_rate * scale * rate_factor(law.schedule, number, per_epoch, settings)
    # Compiled as a whole, since bit by bit it takes longer.
    advance = jax.jit(partial(step, law))
    after, _, _ = advance(weights, batch, settings, rate, noise.key(found.recipe.seed))
    change = jax.tree.map(lambda new, old: new - old, after.network, weights.network)
    which = "the first step of {} from these weights" if kept is None else "the next step of {} in this run"
    said = which.format(name(train.optimizer))
    told = f"{said}, learning rate {float(rate):.3g}, a batch of {rows.size:,}"
    return Update(change, "; ".join((told, *notes)))


def _state(found: Subject, law: Program, settings: Hyper) -> State | None:
    """The state of training in a run's folder, where there is one that fits."""
    if found.folder is None or not found.folder.state.is_file():
        return None
    like = jax.eval_shape(partial(start, law), found.network, settings)
    try:
        return checkpoint.read(found.folder.state, like)[0]
    except RunError:  # of another version, or broken: the run itself can still be looked at
        return None
