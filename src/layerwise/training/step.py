"""One step of training: pure, the same alone, in the compiled loop and in every lane."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from layerwise.nets import noise
from layerwise.nets.dense import MLP, Training
from layerwise.nets.widen import masked
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, example_losses
from layerwise.training.hyper import Hyper
from layerwise.training.optimizer import optimizer


@dataclass(frozen=True)
class Program:
    """What the compiled program's shape depends on; everything numeric is in `Hyper`.

    `uses` names the settings of `Hyper` that are switched on: the others are left out of the
    program, not multiplied by zero. Without `shuffle` the rows come in their own order, without
    `biases` these stay as they are. `shrink` takes L1 by its proximal step, after the gradient's and
    for plain SGD only, which makes small weights exactly zero (Duchi & Singer 2009). `penalized`
    reports the training loss with its penalties.
    """

    objective: Objective
    optimizer: type[r.Optimizer]
    schedule: type[r.Schedule]
    batch_size: int
    monitor: str
    uses: frozenset[str]
    memory: int = 0
    shuffle: bool = True
    biases: bool = True
    shrink: bool = False
    penalized: bool = False


SWITCHES = ("dropout", "input_dropout", "noise", "max_norm", "clip", "l1", "l2", "weight_decay")


def program(train: r.Train, objective: Objective, batch_size: int, uses: frozenset[str] = frozenset()) -> Program:
    """The program of a resolved recipe; `uses` are switched on whatever it says, for a companion's sake."""
    return Program(
        objective=objective,
        optimizer=type(train.optimizer),
        schedule=type(train.schedule),
        batch_size=batch_size,
        monitor=train.monitor,
        uses=uses | switched_on(train),
        memory=train.optimizer.memory if isinstance(train.optimizer, r.Lbfgs) else 0,
    )


def switched_on(train: r.Train) -> frozenset[str]:
    """The switches that a recipe needs."""
    return frozenset(name for name in SWITCHES if getattr(train, name) not in (0, "auto"))


class Weights(NamedTuple):
    """What a step changes: the network and its optimizer's memory."""

    network: MLP
    optimizer: Any


class Batch(NamedTuple):
    """`weight` is zero for rows that only fill up the last, incomplete batch."""

    x: Float[Array, "batch inputs"]
    y: Shaped[Array, "batch ..."]
    weight: Float[Array, " batch"]


def fresh(program: Program, network: MLP, hyper: Hyper) -> Weights:
    """The weights before the first step."""
    return Weights(network, optimizer(program.optimizer, hyper, program.memory).init(network))


def step(
    program: Program, weights: Weights, batch: Batch, hyper: Hyper, rate: Float[Array, ""], key: noise.Key
) -> tuple[Weights, Float[Array, ""], Float[Array, ""]]:
    """One update. Returns the new weights, and the batch's summed loss and summed weight.

    The loss returned is without the penalties, so that it compares with the validation loss, unless the
    program says otherwise.
    """
    drawn = training(program, hyper, key)

    def loss(network: MLP) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return minimized(program, network, batch, hyper, drawn)

    (value, total), gradient = jax.value_and_grad(loss, has_aux=True)(weights.network)
    if not program.biases:
        gradient = jax.tree.map(lambda g: g if g.ndim >= 2 else jnp.zeros_like(g), gradient)
    if hyper.units:
        gradient = masked(gradient, hyper.units)
    if "clip" in program.uses:
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradient)))
        scale = jnp.minimum(1, hyper.clip / jnp.maximum(norm, 1e-12))
        gradient = jax.tree.map(lambda g: g * scale, gradient)
    law = optimizer(program.optimizer, hyper, program.memory)
    direction, memory = law.update(
        gradient,
        weights.optimizer,
        weights.network,
        **({"value": value, "grad": gradient, "value_fn": lambda n: loss(n)[0]} if program.memory else {}),
    )
    sign = 1 if program.memory else -1
    network = jax.tree.map(lambda p, d: p + sign * rate * d, weights.network, direction)
    if program.shrink:
        network = on_matrices(lambda p, _: jnp.sign(p) * jnp.maximum(jnp.abs(p) - rate * hyper.l1, 0), network, network)
    if "weight_decay" in program.uses:
        network = on_matrices(lambda p, old: p - rate * hyper.weight_decay * old, network, weights.network)
    if "max_norm" in program.uses:
        network = on_matrices(lambda p, _: _bounded(p, hyper.max_norm), network, network)
    return Weights(network, memory), total, jnp.sum(batch.weight)


def minimized(
    program: Program, network: MLP, batch: Batch, hyper: Hyper, drawn: Training | None
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """What a step minimizes, and the batch's summed loss that it reports; `drawn` is the pass's randomness.

    Minimized is the weighted mean over the batch plus l2/2 ||w||^2 + l1 ||w||_1. A perceptron's is the
    weighted sum: its batch is one example, whose weight says how far a mistake moves it.
    """
    each = example_losses(program.objective, network(batch.x, drawn), batch.y, hyper.label_smoothing, hyper.delta)
    total, extra = jnp.sum(each * batch.weight), penalty(program, network, hyper)
    heavy = jnp.maximum(jnp.sum(batch.weight), 1e-12)
    mean = total if program.objective.kind == "perceptron" else total / heavy
    return mean + extra, total + heavy * extra if program.penalized else total


def training(program: Program, hyper: Hyper, key: noise.Key) -> Training:
    """The randomness of one step's forward pass, with only the parts that the program uses."""
    return Training(
        key,
        dropout=hyper.dropout if "dropout" in program.uses else None,
        input_dropout=hyper.input_dropout if "input_dropout" in program.uses else None,
        noise=hyper.noise if "noise" in program.uses else None,
    )


def penalty(program: Program, network: MLP, hyper: Hyper) -> Float[Array, ""]:
    """l2/2 ||w||^2 + l1 ||w||_1 over the matrices; biases are exempt."""
    total: Float[Array, ""] = jnp.zeros(())
    for leaf in jax.tree.leaves(network):
        if leaf.ndim >= 2:
            if "l2" in program.uses:
                total += hyper.l2 / 2 * jnp.sum(jnp.square(leaf))
            if "l1" in program.uses and not program.shrink:
                total += hyper.l1 * jnp.sum(jnp.abs(leaf))
    return total


def on_matrices(change: Any, network: MLP, other: MLP) -> MLP:
    """Apply `change(leaf, other_leaf)` to the weight matrices; vectors (biases, norms) stay."""
    changed: MLP = jax.tree.map(lambda p, o: change(p, o) if p.ndim >= 2 else p, network, other)
    return changed


def _bounded(matrix: Float[Array, "units inputs"], bound: Float[Array, ""]) -> Float[Array, "units inputs"]:
    """Scale down the rows (a unit's incoming weights) whose norm exceeds `bound` (Srebro & Shraibman 2005)."""
    norms = jnp.sqrt(jnp.sum(jnp.square(matrix), axis=1, keepdims=True))
    return matrix * jnp.minimum(1, bound / jnp.maximum(norms, 1e-12))
