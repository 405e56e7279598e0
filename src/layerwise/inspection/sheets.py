"""Back-propagation in numbers: everything that one step computes, worked by the chain rule.

Every figure stands beside the one that automatic differentiation gives. All errors are computed from the
weights as they are; only then does the optimizer move them.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Shaped

from layerwise.data.dataset import Quantities, Target
from layerwise.inspection import chainrule
from layerwise.inspection.gradients import doubled, quiet, settled
from layerwise.inspection.plain import layer_name, name
from layerwise.nets import noise
from layerwise.nets.activation import activate
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, example_losses
from layerwise.training.hyper import Hyper
from layerwise.training.step import Batch, Program, fresh, minimized, penalty, step

# u are the weights of a layer, v those of the next one, f what comes into it; the index 0 is the bias.
FORWARD = "z_j = u_j0 + Σ_k u_jk f_k,   g_j = g(z_j)"
BACKWARD = "∂E/∂g_j = Σ_i v_ij ∂E/∂z_i,   ∂E/∂z_j = g'(z_j) ∂E/∂g_j"
GRADIENT = "∂E/∂u_jk = ∂E/∂z_j f_k,   ∂E/∂u_j0 = ∂E/∂z_j"
SMALLEST = 1e-6  # of an array's largest figure: what is smaller is compared with this
SWITCHED_OFF = frozenset({"dropout", "input_dropout", "noise"})


@dataclass(frozen=True)
class Checked:
    """An array as the formulas give it, and as automatic differentiation does."""

    worked: Float64[np.ndarray, "*shape"]
    automatic: Float64[np.ndarray, "*shape"]

    @property
    def difference(self) -> float:
        """The largest relative difference.

        Figures below a millionth of the array's largest are compared with that millionth.
        """
        size = np.maximum(np.abs(self.worked), np.abs(self.automatic))
        if not size.size:
            return 0.0
        same = (self.worked == self.automatic) | (np.isnan(self.worked) & np.isnan(self.automatic))
        with np.errstate(invalid="ignore", divide="ignore"):
            far = np.abs(self.worked - self.automatic) / np.maximum(size, SMALLEST * size.max())
        return float(np.where(same, 0.0, np.where(np.isnan(far), np.inf, far)).max())


@dataclass(frozen=True)
class LayerSheet:
    """One layer: what comes in (f), its weighted sums z, activations g(z) and their slopes g'(z); the errors
    that come back, ∂E/∂g (`arriving`) and ∂E/∂z (`error`); the gradients of E, and the weights before and
    after the step.

    An example's errors have its share of E in them, so a gradient is their sum over the batch times what
    came in, plus that of the penalties.
    """

    name: str
    activation: str
    equation: chainrule.Equation
    inputs: Float64[np.ndarray, "batch inputs"]
    weight: Float32[np.ndarray, "units inputs"]
    bias: Float32[np.ndarray, " units"]
    z: Checked
    g: Checked
    slope: Checked
    arriving: Float64[np.ndarray, "batch units"]
    error: Checked
    weight_gradient: Checked
    bias_gradient: Checked
    new_weight: Float32[np.ndarray, "units inputs"]
    new_bias: Float32[np.ndarray, " units"]

    @property
    def difference(self) -> float:
        """The largest relative difference in this layer."""
        checked = (self.z, self.g, self.slope, self.error, self.weight_gradient, self.bias_gradient)
        return max(part.difference for part in checked)


@dataclass(frozen=True)
class TableSheet:
    """An embedding: which row of the table each example looked up, the errors at its numbers, and the step.

    `codes` are the categories 0, 1, ...; the gradient of a row is the sum of the errors where it was used.
    """

    name: str
    codes: Float64[np.ndarray, " batch"]
    table: Float32[np.ndarray, "categories width"]
    error: Float64[np.ndarray, "batch width"]
    gradient: Checked
    new_table: Float32[np.ndarray, "categories width"]

    @property
    def difference(self) -> float:
        """The largest relative difference in this table."""
        return self.gradient.difference


@dataclass(frozen=True)
class OwnUnit:
    """What a regression is asked and what it says, in the target's own unit; all else on the sheet is in
    standardized units, as the network learns it.

    `columns`, `mean` and `scale` have an entry for each output.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    y: Float64[np.ndarray, "batch outputs"]
    predicted: Float64[np.ndarray, "batch outputs"]

    @property
    def equations(self) -> tuple[str, ...]:
        """How each quantity was standardized, by the mean and the standard deviation of its training rows."""
        shown = zip(self.columns, self.mean, self.scale, strict=True)
        return tuple(
            f"y = ({column} {'-' if mean >= 0 else '+'} {abs(mean):.6g}) / {scale:.6g}" for column, mean, scale in shown
        )


@dataclass(frozen=True)
class BackpropSheet:
    """One step of back-propagation on a batch, in float64, and the weights after it, in training's float32.

    `share` is what each example's loss counts in E, the loss that is minimized: its weight in the weighted
    mean; `losses` has E_n of each example, `penalty` what L1 and L2 add. `predicted` are the outputs as
    probabilities or numbers (batch, outputs). `updates` says in equations how a weight is moved, `notes`
    what is not as in training. `own_unit` has a regression's target as `in_own_unit` gives it.
    """

    x: Float64[np.ndarray, "batch columns"]
    y: Shaped[np.ndarray, "batch *outputs"]
    share: Float64[np.ndarray, " batch"]
    loss_equation: chainrule.Equation
    losses: Checked
    penalty: float
    predicted: Float64[np.ndarray, "batch outputs"]
    tables: tuple[TableSheet, ...]
    layers: tuple[LayerSheet, ...]
    optimizer: str
    learning_rate: float
    updates: tuple[str, ...]
    notes: tuple[str, ...]
    own_unit: OwnUnit | None = None

    @property
    def loss(self) -> float:
        """E: the weighted losses of the batch with the penalties."""
        return float(self.share @ self.losses.worked) + self.penalty

    @property
    def difference(self) -> float:
        """The largest relative difference between the formulas and automatic differentiation."""
        return max(
            self.losses.difference,
            *(table.difference for table in self.tables),
            *(layer.difference for layer in self.layers),
        )


def backprop(
    network: MLP,
    x: Float32[np.ndarray, "batch inputs"],
    y: Shaped[np.ndarray, "batch ..."],
    objective: Objective | None = None,
    train: r.Train | None = None,
    task: r.Task | None = None,
    weight: Float32[np.ndarray, " batch"] | None = None,
) -> BackpropSheet:
    """One step of back-propagation, worked by hand and beside it by automatic differentiation.

    With E = Σ_n w_n E_n / Σ_n w_n (a perceptron's without the denominator) and f what comes into a layer,
        forward    z_j = u_j0 + Σ_k u_jk f_k,           g_j = g(z_j)
        backward   ∂E/∂g_j = Σ_i v_ij ∂E/∂z_i,          ∂E/∂z_j = g'(z_j) ∂E/∂g_j
        gradients  ∂E/∂u_jk = Σ_n ∂E/∂z_j f_k,          ∂E/∂u_j0 = Σ_n ∂E/∂z_j
    and, once all of them are known, the first step of the optimizer of `train` (plain gradient descent where
    it is None), as `training.step` makes it (Rumelhart, Hinton & Williams 1986). Without an `objective`,
    whole numbers are classes and others quantities; `task` has its settings, `weight` the examples' (else 1).

    >>> from layerwise.nets.build import build
    >>> net = build(r.Mlp(hidden=(2,), activation=r.Sigmoid()), inputs=2, outputs=1, codes=(), seed=0)
    >>> sheet = backprop(net, np.array([[0.0, 1.0]], np.float32), np.array([1], np.int32))
    >>> [layer.error.worked.shape for layer in sheet.layers], sheet.difference < 1e-12
    ([(1, 2), (1, 1)], True)
    """
    y = y.astype(np.float32 if np.issubdtype(y.dtype, np.floating) else np.int32)  # as training has it
    objective = objective or _objective(network, y)
    made, settings, notes = settled(train, task, objective, len(x))
    weight = np.ones(len(x), np.float32) if weight is None else weight
    share = weight.astype(np.float64)
    if objective.kind != "perceptron":
        share = share / max(share.sum(), 1e-12)
    with np.errstate(over="ignore", invalid="ignore"):  # weights that have diverged are shown as they are
        worked = chainrule.propagate(network, objective, x.astype(np.float64), y, share, made.uses, settings)
    batch = Batch(jnp.asarray(x), jnp.asarray(y), jnp.asarray(weight))
    with jax.enable_x64(True):
        automatic = _automatic(quiet(network), made, settings, batch)
    after = _after(network, made, settings, batch)
    return BackpropSheet(
        x=x.astype(np.float64),
        y=y,
        share=share,
        loss_equation=chainrule.loss_equation(objective, float(settings.label_smoothing), float(settings.delta)),
        losses=Checked(worked.losses, automatic.losses),
        penalty=worked.penalty,
        predicted=chainrule.predicted(objective, worked.layers[-1].g),
        tables=_tables(network, x, worked, automatic, after),
        layers=tuple(_layer(network, number, worked, automatic, after) for number in range(len(network.layers))),
        optimizer=name(made.optimizer),
        learning_rate=float(settings.learning_rate),
        updates=chainrule.update_equations(made.optimizer, made.uses, settings),
        notes=(*notes, *_notes(network, made, train)),
    )


def in_own_unit(sheet: BackpropSheet, target: Target) -> BackpropSheet:
    """The sheet with a regression's target and outputs in the target's own unit beside; others as they are.

    >>> from layerwise.nets.build import build
    >>> net = build(r.LinearNet(), inputs=1, outputs=1, codes=(), seed=0)
    >>> sheet = backprop(net, np.array([[0.0]], np.float32), np.array([[-0.5]], np.float32))
    >>> own = in_own_unit(sheet, Quantities(("price",), (100.0,), (20.0,))).own_unit
    >>> own.equations, own.y.tolist()
    (('y = (price - 100) / 20',), [[90.0]])
    """
    if not isinstance(target, Quantities):
        return sheet
    own = target.in_units(np.asarray(sheet.y, np.float64)), target.in_units(sheet.predicted)
    return replace(sheet, own_unit=OwnUnit(target.columns, target.mean, target.scale, *own))


def _objective(network: MLP, y: Shaped[np.ndarray, "batch ..."]) -> Objective:
    outputs = network.layers[-1].weight.shape[0]
    if np.issubdtype(y.dtype, np.floating):
        return Objective("quantities", outputs)
    return Objective("binary", 1, 2) if outputs == 1 else Objective("classes", outputs, outputs)


# ── by automatic differentiation, and the step ──────────────────────────────────────────────────


class _Layer(NamedTuple):
    """What automatic differentiation says of one layer's units."""

    z: Any
    g: Any
    slope: Any
    error: Any


class _Automatic(NamedTuple):
    """The same of all layers, and of all parameters."""

    layers: list[_Layer]
    gradient: MLP
    losses: Any


def _automatic(network: MLP, made: Program, settings: Hyper, batch: Batch) -> _Automatic:
    """The same of the project's own forward pass and loss, differentiated by JAX; to be called in float64."""
    wide, batch, settings = doubled((network, batch, settings))
    # Added to the biases, an example at a time, they have the derivatives ∂E/∂z.
    offsets = [jnp.zeros((batch.x.shape[0], layer.bias.size)) for layer in network.layers]

    def energy(network: MLP, offsets: list[Float[Array, "batch _"]]) -> Float[Array, ""]:
        biases = [layer.bias + offset for layer, offset in zip(network.layers, offsets, strict=True)]
        shifted = eqx.tree_at(lambda net: [layer.bias for layer in net.layers], network, biases)
        # Those shifted biases are matrices: the penalties, which spare biases, are taken of the network itself.
        loose = replace(made, uses=made.uses - {"l1", "l2"})
        return minimized(loose, shifted, batch, settings, None)[0] + penalty(made, network, settings)

    @jax.jit
    def all_of_it(network: MLP) -> _Automatic:
        gradient, errors = jax.grad(energy, argnums=(0, 1))(network, offsets)
        passes, layers = network.layerwise(batch.x), []
        for (z, g), kind, error in zip(passes, network.activations, errors, strict=True):
            _, slope = jax.vjp(partial(activate, kind), z)
            layers.append(_Layer(z, g, slope(jnp.ones_like(g))[0], error))
        each = example_losses(made.objective, passes[-1].values, batch.y, settings.label_smoothing, settings.delta)
        return _Automatic(layers, gradient, each)

    found: _Automatic = jax.tree.map(np.asarray, all_of_it(wide))
    return found


def _after(network: MLP, made: Program, settings: Hyper, batch: Batch) -> MLP:
    """The network after the optimizer's first step, but for dropout and noise the very step of training."""
    still = replace(made, uses=made.uses - SWITCHED_OFF)
    settings = jax.tree.map(jnp.asarray, settings)
    weights, _, _ = jax.jit(step, static_argnums=0)(
        still, fresh(still, quiet(network), settings), batch, settings, settings.learning_rate, noise.key(0)
    )
    after: MLP = jax.tree.map(np.asarray, weights.network)
    return after


# ── side by side ────────────────────────────────────────────────────────────────────────────────


def _layer(network: MLP, at: int, worked: chainrule.Passes, automatic: _Automatic, after: MLP) -> LayerSheet:
    layer, kind, new = network.layers[at], network.activations[at], after.layers[at]
    by_hand, differentiated, gradient = worked.layers[at], automatic.layers[at], automatic.gradient.layers[at]
    return LayerSheet(
        name=layer_name(at + 1, len(network.layers)),
        activation=name(kind),
        equation=chainrule.activation_equation(kind),
        inputs=by_hand.f,
        weight=np.asarray(layer.weight),
        bias=np.asarray(layer.bias),
        z=Checked(by_hand.z, differentiated.z),
        g=Checked(by_hand.g, differentiated.g),
        slope=Checked(by_hand.slope, differentiated.slope),
        arriving=by_hand.arriving,
        error=Checked(by_hand.error, differentiated.error),
        weight_gradient=Checked(by_hand.weight, np.asarray(gradient.weight)),
        bias_gradient=Checked(by_hand.bias, np.asarray(gradient.bias)),
        new_weight=np.asarray(new.weight),
        new_bias=np.asarray(new.bias),
    )


def _tables(
    network: MLP, x: Float32[np.ndarray, "batch inputs"], worked: chainrule.Passes, automatic: _Automatic, after: MLP
) -> tuple[TableSheet, ...]:
    return tuple(
        TableSheet(
            name=f"embedding {number}",
            codes=x[:, embed.column].astype(np.float64),
            table=np.asarray(embed.table),
            error=error,
            gradient=Checked(gradient, np.asarray(checked.table)),
            new_table=np.asarray(new.table),
        )
        for number, (embed, checked, new, (error, gradient)) in enumerate(
            zip(network.embeds, automatic.gradient.embeds, after.embeds, worked.tables, strict=True), start=1
        )
    )


def _notes(network: MLP, made: Program, train: r.Train | None) -> tuple[str, ...]:
    """Where this step is not as in training, and what is to be known of it."""
    notes = []
    if off := sorted(made.uses & SWITCHED_OFF):
        notes.append(f"without the {' and '.join(word.replace('_', ' ') for word in off)} that training adds at random")
    if any(isinstance(kind, r.NoisyRelu) for kind in network.activations):
        notes.append("the noisy ReLUs have no noise here")
    if train is not None and (train.warmup or not isinstance(train.schedule, r.ConstantRate)):
        notes.append("the learning rate is the full one: the schedule and the warm-up are left out")
    if any(isinstance(kind, r.Step) for kind in network.activations):
        notes.append(
            "the derivative of a step is 0 everywhere: no error passes back through it, so no gradient can train "
            "the weights before it"
        )
    return tuple(notes)
