"""The derivatives that back-propagation is made of, written out by hand; nothing here differentiates.

In float64 with NumPy, so that they owe nothing to the library whose derivatives they are compared with.
Each comes with its equation as one would write it on the board. The derivative is taken at the weighted sum z.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.hyper import Hyper

Values = Float64[np.ndarray, "batch units"]


class Equation(NamedTuple):
    """A function and its derivative in signs."""

    function: str
    derivative: str


def activation(kind: r.Activation, z: Values) -> tuple[Values, Values]:
    """g(z) and g'(z), elementwise; the noisy ReLU without its noise.

    At a kink it is the derivative from the left, but for ELU's, which is alpha there.

    >>> value, slope = activation(r.Sigmoid(), np.array([[0.0]]))
    >>> value.item(), slope.item()
    (0.5, 0.25)
    """
    match kind:
        case r.Sigmoid():
            g = sigmoid(z)
            return g, g * (1 - g)
        case r.Tanh():
            g = np.tanh(z)
            return g, 1 - g * g
        case r.Relu() | r.NoisyRelu():
            return np.maximum(z, 0), _one(z > 0)
        case r.LeakyRelu(slope=slope):
            return np.where(z > 0, z, slope * z), np.where(z > 0, 1.0, slope)
        case r.Elu(alpha=alpha):
            low = np.minimum(z, 0)
            return np.where(z > 0, z, alpha * np.expm1(low)), np.where(z > 0, 1.0, alpha * np.exp(low))
        case r.Gelu():
            from scipy.special import ndtr

            density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
            return z * ndtr(z), ndtr(z) + z * density
        case r.Silu():
            s = sigmoid(z)
            return z * s, s * (1 + z * (1 - s))
        case r.Softplus():
            return np.logaddexp(z, 0), sigmoid(z)
        case r.Linear():
            return z, np.ones_like(z)
        case r.Step():
            return _one(z > 0), np.zeros_like(z)


def activation_equation(kind: r.Activation) -> Equation:
    """How `activation` is written.

    >>> activation_equation(r.Tanh()).derivative
    "g'(z) = 1 - g²"
    """
    match kind:
        case r.Sigmoid():
            return Equation("g(z) = σ(z) = 1 / (1 + e^-z)", "g'(z) = g (1 - g)")
        case r.Tanh():
            return Equation("g(z) = tanh z", "g'(z) = 1 - g²")
        case r.Relu() | r.NoisyRelu():
            return Equation("g(z) = max(0, z)", "g'(z) = 1 where z > 0, else 0")
        case r.LeakyRelu(slope=slope):
            return Equation(f"g(z) = z where z > 0, else {slope:g} z", f"g'(z) = 1 where z > 0, else {slope:g}")
        case r.Elu(alpha=alpha):
            a = f"{alpha:g} " if alpha != 1 else ""
            return Equation(f"g(z) = z where z > 0, else {a}(e^z - 1)", f"g'(z) = 1 where z > 0, else {a}e^z")
        case r.Gelu():
            return Equation("g(z) = z Φ(z), Φ the normal distribution", "g'(z) = Φ(z) + z φ(z)")
        case r.Silu():
            return Equation("g(z) = z σ(z)", "g'(z) = σ(z) (1 + z (1 - σ(z)))")
        case r.Softplus():
            return Equation("g(z) = ln(1 + e^z)", "g'(z) = σ(z)")
        case r.Linear():
            return Equation("g(z) = z", "g'(z) = 1")
        case r.Step():
            return Equation("g(z) = 1 where z > 0, else 0", "g'(z) = 0 everywhere")


def sigmoid(z: Values) -> Values:
    """1 / (1 + e^-z), without overflow."""
    small = np.exp(-np.abs(z))
    values: Values = np.where(z >= 0, 1, small) / (1 + small)
    return values


def softmax(z: Values) -> Values:
    """e^z_i / Σ e^z, over each row."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Values = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _one(where: Shaped[np.ndarray, "batch units"]) -> Values:
    return where.astype(np.float64)


# ── losses ──────────────────────────────────────────────────────────────────────────────────────


def predicted(objective: Objective, outputs: Values) -> Values:
    """What the outputs g mean: probabilities, or the numbers themselves."""
    match objective.kind:
        case "binary" | "labels":
            return sigmoid(outputs)
        case "classes":
            return softmax(outputs)
        case "perceptron" | "probability" | "quantities":
            return outputs


def loss(
    objective: Objective, outputs: Values, y: Shaped[np.ndarray, "batch ..."], smoothing: float, delta: float
) -> tuple[Float64[np.ndarray, " batch"], Values]:
    """E_n of each example, and ∂E_n/∂g of each output g.

    `smoothing` is that of the labels, `delta` where Huber's loss turns linear.

    >>> each, error = loss(Objective("binary", 1, 2), np.array([[0.0]]), np.array([1]), 0.0, 1.0)
    >>> round(each.item(), 6), error.item()
    (0.693147, -0.5)
    """
    m = outputs.shape[1]
    y = y.astype(np.float64)
    match objective.kind:
        case "binary" | "labels":
            wanted = y.reshape(outputs.shape) * (1 - smoothing) + smoothing / 2
            each = np.logaddexp(outputs, 0) - outputs * wanted
            return each.mean(axis=1), (sigmoid(outputs) - wanted) / m
        case "classes":
            wanted = (np.arange(m) == y[:, None]) * (1 - smoothing) + smoothing / m
            highest = outputs.max(axis=1, keepdims=True)
            surprise = np.log(np.exp(outputs - highest).sum(axis=1, keepdims=True)) + highest - outputs
            return (wanted * surprise).sum(axis=1), softmax(outputs) - wanted
        case "perceptron":
            return _perceptron(outputs, y)
        case "probability" | "quantities":
            error = outputs - y.reshape(outputs.shape)
            size = np.abs(error)
            match objective.loss if objective.kind == "quantities" else "mse":
                case "mse":
                    return (error**2).mean(axis=1), 2 * error / m
                case "mae":
                    return size.mean(axis=1), np.sign(error) / m
                case _:
                    each = np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
                    return each.mean(axis=1), np.clip(error, -delta, delta) / m


def _perceptron(scores: Values, y: Shaped[np.ndarray, " batch"]) -> tuple[Float64[np.ndarray, " batch"], Values]:
    """A mistake, or a score of zero, costs its margin; where several others score best, they share the error."""
    if scores.shape[1] == 1:
        pull = 2.0 * y[:, None] - 1
    else:
        right = np.arange(scores.shape[1]) == y[:, None]
        others = np.where(right, -np.inf, scores)
        best = others == others.max(axis=1, keepdims=True)
        pull = right - best / best.sum(axis=1, keepdims=True)
    margin = (pull * scores).sum(axis=1)
    wrong = margin <= 0
    return np.where(wrong, -margin, 0.0), np.where(wrong[:, None], -pull, 0.0)


def loss_equation(objective: Objective, smoothing: float, delta: float) -> Equation:
    """How `loss` is written: E of one example with target y, and its error at the outputs g.

    >>> loss_equation(Objective("binary", 1, 2), 0.0, 1.0).derivative
    '∂E/∂g = p - y'
    """
    m = objective.outputs
    mean, share = (f"1/{m} Σ_i ", f" / {m}") if m > 1 else ("", "")
    i = "_i" if m > 1 else ""
    soft = f", y smoothed by {smoothing:g}" if smoothing else ""
    match objective.kind:
        case "binary" | "labels":
            function = f"E = -{mean}[y{i} ln p{i} + (1 - y{i}) ln(1 - p{i})], p{i} = σ(g{i}){soft}"
            bracket = f"(p{i} - y{i}){share}" if share else "p - y"
            return Equation(function, f"∂E/∂g{i} = {bracket}")
        case "classes":
            return Equation(f"E = -Σ_i y_i ln p_i, p_i = e^g_i / Σ_k e^g_k{soft}", "∂E/∂g_i = p_i - y_i")
        case "perceptron" if m == 1:
            return Equation("E = max(0, -s g), s = +1 or -1", "∂E/∂g = -s where s g <= 0, else 0")
        case "perceptron":
            return Equation(
                "E = max(0, g_other - g_right), other: the best of the other classes",
                "∂E/∂g_right = -1 and ∂E/∂g_other = 1 where g_right <= g_other, else 0",
            )
        case "probability":
            return Equation("E = (g - y)²", "∂E/∂g = 2 (g - y)")
        case "quantities":
            match objective.loss:
                case "mse":
                    return Equation(f"E = {mean}(g{i} - y{i})²", f"∂E/∂g{i} = 2 (g{i} - y{i}){share}")
                case "mae":
                    return Equation(f"E = {mean}|g{i} - y{i}|", f"∂E/∂g{i} = sign(g{i} - y{i}){share}")
                case "huber":
                    inside = f"e²/2 where |e| <= {delta:g}, else {delta:g} (|e| - {delta / 2:g})"
                    return Equation(f"E = {mean}{inside}, e = g{i} - y{i}", f"∂E/∂g{i} = e cut to ±{delta:g}{share}")


# ── through a network and back ──────────────────────────────────────────────────────────────────


class Layer(NamedTuple):
    """What comes into a layer (f), its sums z, activations g and slopes g'(z); the errors ∂E/∂g that come
    back (`arriving`) and ∂E/∂z (`error`); the gradients of its weights and biases."""

    f: Any
    z: Any
    g: Any
    slope: Any
    arriving: Any
    error: Any
    weight: Any
    bias: Any


class Table(NamedTuple):
    """The errors at the numbers that an embedding gave, and the gradient of its table."""

    error: Any
    gradient: Any


class Passes(NamedTuple):
    """Both passes through a network; the gradients have those of the `penalty` in them."""

    tables: list[Table]
    layers: list[Layer]
    losses: Any
    penalty: float


def propagate(
    network: MLP,
    objective: Objective,
    x: Float64[np.ndarray, "batch inputs"],
    y: Shaped[np.ndarray, "batch ..."],
    share: Float64[np.ndarray, " batch"],
    uses: frozenset[str],
    settings: Hyper,
) -> Passes:
    """Forward through the layers, and the errors back from the last to the first; no weight moves meanwhile."""
    forward = []
    f = _inputs(network, x)
    for layer, kind in zip(network.layers, network.activations, strict=True):
        z = _wide(layer.bias) + f @ _wide(layer.weight).T
        g, slope = activation(kind, z)
        forward.append((f, z, g, slope))
        f = g
    losses, error_of_output = loss(objective, f, y, float(settings.label_smoothing), float(settings.delta))
    arriving = share[:, None] * error_of_output
    layers: list[Layer] = []
    for layer, (f, z, g, slope) in zip(reversed(network.layers), reversed(forward), strict=True):
        weight = _wide(layer.weight)
        error = slope * arriving
        gradient = error.T @ f + _pull(weight, uses, settings)
        layers.insert(0, Layer(f, z, g, slope, arriving, error, gradient, error.sum(axis=0)))
        arriving = error @ weight
    matrices = [embed.table for embed in network.embeds] + [layer.weight for layer in network.layers]
    penalty = sum(_penalty(_wide(matrix), uses, settings) for matrix in matrices)
    return Passes(_looked_up(network, x, arriving, uses, settings), layers, losses, penalty)


def _wide(array: Any) -> Any:
    return np.asarray(array, np.float64)


def _codes(x: Float64[np.ndarray, "batch inputs"], column: int) -> Int64[np.ndarray, " batch"]:
    return x[:, column].astype(np.int64)


def _inputs(network: MLP, x: Float64[np.ndarray, "batch inputs"]) -> Float64[np.ndarray, "batch width"]:
    """The plain columns, then the numbers of each embedded one."""
    if not network.embeds:
        return x
    looked_up = [_wide(embed.table)[_codes(x, embed.column)] for embed in network.embeds]
    return np.concatenate([x[:, list(network.kept)], *looked_up], axis=1)


def _looked_up(
    network: MLP,
    x: Float64[np.ndarray, "batch inputs"],
    arriving: Float64[np.ndarray, "batch width"],
    uses: frozenset[str],
    settings: Hyper,
) -> list[Table]:
    """A row of a table gets the errors of all examples that looked it up."""
    found, first = [], len(network.kept)
    for embed in network.embeds:
        table = _wide(embed.table)
        error = arriving[:, first : first + table.shape[1]]
        gradient = _pull(table, uses, settings)
        np.add.at(gradient, _codes(x, embed.column), error)
        found.append(Table(error, gradient))
        first += table.shape[1]
    return found


def _penalty(matrix: Values, uses: frozenset[str], settings: Hyper) -> float:
    """λ/2 Σ u² of L2 and λ Σ |u| of L1, where they are on."""
    ridge = float(settings.l2) / 2 * float((matrix**2).sum()) if "l2" in uses else 0.0
    return ridge + (float(settings.l1) * float(np.abs(matrix).sum()) if "l1" in uses else 0.0)


def _pull(matrix: Values, uses: frozenset[str], settings: Hyper) -> Values:
    """The derivatives of `_penalty`."""
    pull = np.zeros_like(matrix)
    if "l2" in uses:
        pull += float(settings.l2) * matrix
    if "l1" in uses:
        pull += float(settings.l1) * np.sign(matrix)
    return pull


# ── the update ──────────────────────────────────────────────────────────────────────────────────


def update_equations(optimizer: type[r.Optimizer], uses: frozenset[str], settings: Hyper) -> tuple[str, ...]:
    """How an optimizer's first step moves a weight u, and what else does; `uses` are the switches that are on.

    >>> from layerwise.training.hyper import hyper
    >>> settings = hyper(r.Train(optimizer=r.Sgd(), learning_rate=0.5, weight_decay=0.0), r.Classify())
    >>> update_equations(r.Sgd, frozenset(), settings)
    ('u ← u - η ∂E/∂u, η = 0.5',)
    """
    rate, mu, beta, epsilon = (
        f"{float(value):.4g}" for value in (settings.learning_rate, settings.momentum, settings.beta2, settings.epsilon)
    )
    laws: dict[type, str] = {
        r.Sgd: f"u ← u - η ∂E/∂u, η = {rate}",
        r.Momentum: f"m = ∂E/∂u, later μ m + ∂E/∂u; u ← u - η m, η = {rate}, μ = {mu}",
        r.Nesterov: f"m = ∂E/∂u, later μ m + ∂E/∂u; u ← u - η (∂E/∂u + μ m), η = {rate}, μ = {mu}",
        r.Adagrad: f"s = (∂E/∂u)², later s + (∂E/∂u)²; u ← u - η ∂E/∂u / √(s + ε), η = {rate}, ε = {epsilon}",
        r.RmsProp: f"s = (1 - β) (∂E/∂u)², later β s + the same; u ← u - η ∂E/∂u / √(s + ε), "
        f"η = {rate}, β = {beta}, ε = {epsilon}",
        r.Lion: f"u ← u - η sign(∂E/∂u) at the first step, η = {rate}",
        r.Lbfgs: "u ← u - a ∂E/∂u at the first step, its length a by a line search",
    }
    adam = (
        "u ← u - η m̂ / (√v̂ + ε); once corrected, at the first step m̂ = ∂E/∂u and v̂ = (∂E/∂u)²; "
        f"η = {rate}, ε = {epsilon}"
    )
    found = []
    if "l2" in uses:
        found.append(f"L2: λ/2 Σ u² is added to E, ∂E/∂u has λ u in it, λ = {settings.l2:.4g}, biases spared")
    if "l1" in uses:
        found.append(f"L1: λ Σ |u| is added to E, ∂E/∂u has λ sign(u) in it, λ = {settings.l1:.4g}, biases spared")
    if "clip" in uses:
        found.append(f"clipping: gradients whose norm together exceeds {settings.clip:.4g} are scaled down to it")
    found.append(laws.get(optimizer, adam))
    if "weight_decay" in uses:
        found.append(f"weight decay: then u ← u - η λ u, with the u before the step, λ = {settings.weight_decay:.4g}")
    if "max_norm" in uses:
        found.append(f"max-norm: a unit's weights whose norm exceeds {settings.max_norm:.4g} are scaled down to it")
    return tuple(found)
