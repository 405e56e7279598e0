"""Finite differences: whether the gradient that training follows is the slope of the loss it minimizes.

Central differences in float64, for every parameter of a small copy of the network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Float32, Float64, Shaped

from layerwise.errors import LayerwiseError
from layerwise.inspection.plain import layer_name, name
from layerwise.nets import noise
from layerwise.nets.dense import MLP, Dense, Embed
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.hyper import Hyper, hyper
from layerwise.training.optimizer import DEFAULT_RATES
from layerwise.training.step import Batch, Program, minimized, program, training

Tree = TypeVar("Tree")
STEP = 1e-5  # of a parameter: truncation and rounding are then both about 1e-11
TOLERANCE = 1e-6  # relative
NOISE = 1e-5  # of the loss: what rounding leaves of smaller gradients is no longer within the tolerance
MOST = 20_000  # parameters, four losses each
ROWS, INPUTS, UNITS, OUTPUTS, CATEGORIES, WIDTH = 7, 4, 4, 4, 5, 3  # of a small copy, at most


@dataclass(frozen=True)
class LayerCheck:
    """The parameters of one layer: how many, and how far the two gradients are apart at most.

    `difference` is relative, over those parameters that are not at a kink of the loss; there a one-sided
    difference to the right and one to the left disagree, and the gradient is one of them: `kinks` of them.
    `worst` names the parameter that differs most, with its gradient by automatic differentiation and by
    finite differences. `failed` counts differences above the tolerance.
    """

    name: str
    activation: str
    parameters: int
    difference: float
    worst: str
    automatic: float
    finite: float
    kinks: int
    failed: int

    @property
    def passed(self) -> bool:
        """Whether every gradient of the layer is right."""
        return self.failed == 0


@dataclass(frozen=True)
class GradientCheck:
    """The layers of a network, checked with so large a `step` of every parameter."""

    layers: tuple[LayerCheck, ...]
    loss: float
    widths: tuple[int, ...]
    step: float = STEP
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether every gradient is right."""
        return all(layer.passed for layer in self.layers)

    @property
    def parameters(self) -> int:
        """How many were checked."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def kinks(self) -> int:
        """How many of them stand at a kink."""
        return sum(layer.kinks for layer in self.layers)

    @property
    def worst(self) -> LayerCheck:
        """The layer with the parameter that differs most."""
        return max(self.layers, key=lambda layer: layer.difference)


def gradcheck(
    network: MLP,
    x: Float32[np.ndarray, "batch inputs"],
    y: Shaped[np.ndarray, "batch ..."],
    objective: Objective,
    train: r.Train | None = None,
    task: r.Task | None = None,
    weight: Float32[np.ndarray, " batch"] | None = None,
) -> GradientCheck:
    """Compare the gradient of every parameter p with (E(p + h) - E(p - h)) / 2h.

    E is the loss that training minimizes: that of the weighted batch, with the penalties of `train`, and
    with its dropout and noise, drawn once and held. A noisy ReLU has no noise. `weight` are the examples',
    1 where it is None. Raises `LayerwiseError` for networks of more than 20,000 parameters; `miniature`
    makes a small copy.

    >>> from layerwise.nets.build import build
    >>> net = build(r.Mlp(hidden=(2,), activation=r.Tanh()), inputs=2, outputs=1, codes=(), seed=0)
    >>> gradcheck(net, np.ones((1, 2), np.float32), np.array([1], np.int32), Objective("binary", 1, 2)).passed
    True
    """
    made, settings, _ = settled(train, task, objective, len(x))
    weight = np.ones(len(x), np.float32) if weight is None else weight
    count = sum(leaf.size for leaf in jax.tree.leaves(network))
    if count > MOST:
        raise LayerwiseError(
            f"finite differences are taken of at most {MOST:,} parameters",
            received=f"{count:,} parameters",
            remedy="check a small copy: layerwise.inspection.miniature",
        )
    with jax.enable_x64(True):
        given = Batch(jnp.asarray(x), jnp.asarray(y), jnp.asarray(weight))
        wide, batch, settings = doubled((quiet(network), given, settings))
        flat, shaped = ravel_pytree(wide)
        drawn = training(made, settings, noise.key(1))

        def loss(flat: Float[Array, " parameters"]) -> Float[Array, ""]:
            return minimized(made, shaped(flat), batch, settings, drawn)[0]

        found: _Differences = jax.tree.map(np.asarray, jax.jit(lambda p: _differences(loss, p))(flat))
    return _judged(network, found)


class _Differences(NamedTuple):
    """The loss and its gradient; the differences to the right and to the left, over a step and over half of it."""

    loss: Any
    gradient: Any
    right: Any
    left: Any
    half_right: Any
    half_left: Any


def _differences(loss: Callable[[Any], Any], p: Float[Array, " parameters"]) -> _Differences:
    here, gradient = jax.value_and_grad(loss)(p)

    def slopes(number: Any) -> list[Array]:
        only = jnp.zeros_like(p).at[number].set(1)
        return [(loss(p + step * only) - here) / step for step in (STEP, -STEP, STEP / 2, -STEP / 2)]

    return _Differences(here, gradient, *jax.lax.map(slopes, jnp.arange(p.size), batch_size=256))


def _kinks(found: _Differences, mean: Float64[np.ndarray, " parameters"]) -> Bool[np.ndarray, " parameters"]:
    """Where the differences to either side disagree, by more than their mean and the gradient do.

    So they do where the loss is curved, too; but that grows in proportion to the step.
    """
    apart, half = np.abs(found.right - found.left), np.abs(found.half_right - found.half_left)
    curved = np.abs(half / np.maximum(apart, 1e-300) - 0.5) < 0.05
    kinks: Bool[np.ndarray, " parameters"] = (apart > np.abs(mean - found.gradient)) & ~curved
    return kinks


def _judged(network: MLP, found: _Differences) -> GradientCheck:
    """Which parameters fail, and which stand at a kink."""
    gradient, central = found.gradient, (found.right + found.left) / 2
    floor = NOISE * max(1.0, abs(float(found.loss)))
    difference = np.abs(central - gradient) / np.maximum(np.maximum(np.abs(central), np.abs(gradient)), floor)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    kink = (difference > TOLERANCE) & _kinks(found, central)
    layers, first = [], 0
    for title, activation, shape in _layers(network):
        size = sum(int(np.prod(part)) for part in shape)
        part = slice(first, first + size)
        shown = np.where(kink[part], -1.0, difference[part])
        at = int(shown.argmax())
        layers.append(
            LayerCheck(
                name=title,
                activation=activation,
                parameters=size,
                difference=max(float(shown[at]), 0.0),
                worst=_parameter(shape, at),
                automatic=float(gradient[part][at]),
                finite=float(central[part][at]),
                kinks=int(kink[part].sum()),
                failed=int((shown > TOLERANCE).sum()),
            )
        )
        first += size
    widths = (network.layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in network.layers))
    return GradientCheck(tuple(layers), float(found.loss), widths)


def _layers(network: MLP) -> list[tuple[str, str, list[tuple[int, ...]]]]:
    """Each layer's name, activation and the shapes of its parameters, in the order of the flat vector."""
    found = [(f"embedding {n}", "", [embed.table.shape]) for n, embed in enumerate(network.embeds, start=1)]
    for number, (layer, kind) in enumerate(zip(network.layers, network.activations, strict=True), start=1):
        shapes = [layer.weight.shape, layer.bias.shape]
        found.append((layer_name(number, len(network.layers)), name(kind), shapes))
    return found


def _parameter(shapes: list[tuple[int, ...]], at: int) -> str:
    """The parameter at a place of its layer's flat vector, in words; units and inputs count from 1."""
    rows, columns = shapes[0]
    if at >= rows * columns:
        return f"bias of unit {at - rows * columns + 1}"
    row, column = divmod(at, columns)
    if len(shapes) == 1:
        return f"number {column + 1} of category {row + 1}"
    return f"weight of unit {row + 1} for input {column + 1}"


# ── the step that is looked at ──────────────────────────────────────────────────────────────────


def settled(
    train: r.Train | None, task: r.Task | None, objective: Objective, rows: int
) -> tuple[Program, Hyper, tuple[str, ...]]:
    """The program and settings of one step, where the recipe leaves something open by its usual value.

    Without `train` it is plain gradient descent. Also sentences about what was put in place.
    """
    notes = []
    train = train or r.Train(optimizer=r.Sgd())
    if isinstance(train.learning_rate, str):
        usual = DEFAULT_RATES[type(train.optimizer)]
        if train.learning_rate == "find":
            notes.append(f"the learning rate is found when training begins; here it is the usual {usual:g}")
        train = msgspec.structs.replace(train, learning_rate=usual)
    if train.weight_decay == "auto":
        train = msgspec.structs.replace(train, weight_decay=0.01 if isinstance(train.optimizer, r.AdamW) else 0.0)
    return program(train, objective, rows), hyper(train, task or r.Classify()), tuple(notes)


def quiet(network: MLP) -> MLP:
    """The network with ReLUs in place of noisy ones, which they are but for the noise."""
    calm = tuple(r.Relu() if isinstance(kind, r.NoisyRelu) else kind for kind in network.activations)
    return MLP(network.embeds, network.layers, network.kept, calm)


def doubled(tree: Tree) -> Tree:
    """Every real number of a tree of arrays in float64, whole numbers as they are; where float64 is on."""
    found: Tree = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64 if a.dtype.kind == "f" else a.dtype), tree)
    return found


# ── a small copy ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Miniature:
    """A small network of the same activations and loss, with a batch of examples."""

    network: MLP
    objective: Objective
    x: Float32[np.ndarray, "batch inputs"]
    y: Shaped[np.ndarray, "batch ..."]
    weight: Float32[np.ndarray, " batch"]


def miniature(network: MLP, objective: Objective, seed: int = 0) -> Miniature:
    """A copy of `network` with few inputs, units, outputs and categories, of which nothing else is left out.

    Its weights and examples are drawn anew, since in a trained network units may be dead or saturated,
    where any gradient would pass; the examples differ in weight.
    """
    random = np.random.default_rng(seed)
    kept = len(network.kept) if network.embeds else network.layers[0].weight.shape[1]
    plain, codes = min(kept, INPUTS), len(network.embeds)
    tables = [tuple(map(min, embed.table.shape, (CATEGORIES, WIDTH))) for embed in network.embeds]
    embeds = tuple(
        Embed(jnp.asarray(random.standard_normal(shape), jnp.float32), plain + number)
        for number, shape in enumerate(tables)
    )
    widths = [plain + sum(width for _, width in tables)]
    widths += [min(layer.weight.shape[0], UNITS) for layer in network.layers]
    objective = replace(objective, outputs=min(objective.outputs, OUTPUTS), classes=min(objective.classes, OUTPUTS))
    layers = []
    for inputs, units in pairwise(widths):
        weights = 1.5 / np.sqrt(inputs) * random.standard_normal((units, inputs))
        layers.append(
            Dense(jnp.asarray(weights, jnp.float32), jnp.asarray(0.3 * random.standard_normal(units), jnp.float32))
        )
    x = random.standard_normal((ROWS, plain + codes)).astype(np.float32)
    for number, (categories, _) in enumerate(tables):
        x[:, plain + number] = random.integers(0, categories, ROWS)
    weight = random.uniform(0.5, 2, ROWS).astype(np.float32)
    small = MLP(embeds, tuple(layers), tuple(range(plain)) if embeds else (), network.activations)
    return Miniature(small, objective, x, _targets(objective, random), weight)


def _targets(objective: Objective, random: np.random.Generator) -> Shaped[np.ndarray, "batch ..."]:
    match objective.kind:
        case "quantities":
            return random.standard_normal((ROWS, objective.outputs)).astype(np.float32)
        case "labels":
            return random.integers(0, 2, (ROWS, objective.outputs)).astype(np.float32)
        case _:
            return random.integers(0, objective.classes, ROWS).astype(np.int32)
