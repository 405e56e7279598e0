"""What turns a network and data into a job: the loss, the quantities watched, the meaning of outputs.

An `Objective` is static and hashable, so it is part of a compiled program's identity; its functions
are pure and run inside that program.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Shaped

from layerwise.data.dataset import Classes, Dataset, Labels, Quantities, Target
from layerwise.errors import RecipeError
from layerwise.nets import loss as losses
from layerwise.recipe import records as r
from layerwise.tasks.metrics import Scored, classification, classification_by_score, multilabel, regression

Kind = Literal["perceptron", "probability", "binary", "classes", "labels", "quantities"]
Sums = dict[str, Array]


@dataclass(frozen=True)
class Objective:
    """The job in a word (`kind`), its loss, and how many classes and network outputs it has.

    perceptron: scores, trained by mistakes. probability: the output is itself the probability of the
    second class (a step unit). binary: one logit. classes: a logit a class. labels: a logit a label.
    quantities: regression, in the target's standardized units.
    """

    kind: Kind
    outputs: int
    classes: int = 0
    loss: Literal["mse", "mae", "huber"] = "mse"


def objective_for(task: r.Task, network: r.Network, target: Target) -> Objective:
    """The objective of a resolved task on a target. Raises `RecipeError` where they do not fit."""
    match task, target:
        case r.Classify(), Classes(names=names):
            return _classification(network, len(names))
        case r.MultiLabel(), Labels(columns=columns):
            if isinstance(network, r.PerceptronNet):
                raise _no_perceptron("a target of several labels", "logistic")
            if isinstance(network, r.Mlp) and network.output in ("step", "tanh"):
                raise _no_output(network.output, "several labels", "the task adds sigmoid itself")
            return Objective("labels", len(columns))
        case r.Regress(loss=kind), Quantities(columns=columns):
            if isinstance(network, r.PerceptronNet):
                raise _no_perceptron("a target of numbers", "linear")
            if isinstance(network, r.Mlp) and network.output == "sigmoid":
                raise _no_output("sigmoid", "a target of numbers", 'it has no bounds; "tanh" gives -1 to 1')
            return Objective("quantities", len(columns), loss=kind)
        case _:
            raise RecipeError(
                "the task fits the target",
                received=f"task {type(task).__struct_config__.tag!r} with a target of {type(target).__name__.lower()}",
                remedy='leave the task out (task = "auto") to let it follow from the data',
            )


def _classification(network: r.Network, classes: int) -> Objective:
    outputs = 1 if classes == 2 else classes
    if isinstance(network, r.PerceptronNet):
        return Objective("perceptron", outputs, classes)
    if isinstance(network, r.Mlp) and network.output in ("step", "tanh"):
        if network.output == "tanh" or classes > 2:
            raise _no_output(network.output, f"{classes} classes", "the task adds sigmoid or softmax itself")
        return Objective("probability", 1, 2)
    return Objective("binary" if classes == 2 else "classes", outputs, classes)


def _no_perceptron(received: str, kind: str) -> RecipeError:
    return RecipeError(
        "a perceptron answers one question with yes or no, so it classifies",
        received=received,
        remedy=f'use network = "linear" for {kind} regression, or a target of classes',
    )


def _no_output(output: str, target: str, why: str) -> RecipeError:
    return RecipeError(
        "the output's activation suits the target",
        received=f"output = {output!r} with {target}",
        remedy=f'use output = "auto"; {why}',
    )


def example_losses(
    objective: Objective,
    outputs: Float[Array, "batch outputs"],
    y: Shaped[Array, "batch ..."],
    smoothing: Float[Array, ""],
    delta: Float[Array, ""],
) -> Float[Array, " batch"]:
    """The loss of each example. `smoothing` and `delta` are arrays so that a search may vary them."""
    match objective.kind:
        case "perceptron":
            return losses.perceptron(outputs, y)
        case "probability":
            return losses.squared_error(outputs, y[:, None].astype(outputs.dtype))
        case "binary":
            return losses.binary_cross_entropy(outputs, y[:, None].astype(outputs.dtype), smoothing)
        case "classes":
            return losses.categorical_cross_entropy(outputs, y, smoothing)
        case "labels":
            return losses.binary_cross_entropy(outputs, y, smoothing)
        case "quantities":
            match objective.loss:
                case "mse":
                    return losses.squared_error(outputs, y)
                case "mae":
                    return losses.absolute_error(outputs, y)
                case "huber":
                    return losses.huber(outputs, y, delta)


def decide(objective: Objective, outputs: Shaped[Any, "rows outputs"]) -> Int[Any, " rows"]:
    """The class of each example: the larger score, or a positive one; a tie goes to the first class.

    Works on NumPy's arrays as on JAX's, and gives its own kind back.
    """
    if outputs.shape[-1] == 1:
        decided = outputs[:, 0] > (0.5 if objective.kind == "probability" else 0)
    else:
        decided = outputs.argmax(axis=-1)
    return decided.astype(np.int32)


# ── quantities watched while training: sums over batches, then figures ──────────────────────────


def tally(
    objective: Objective,
    outputs: Float[Array, "batch outputs"],
    y: Shaped[Array, "batch ..."],
    w: Float[Array, " batch"],
) -> Sums:
    """Sums over a batch from which `figures` computes; they add up over batches."""
    match objective.kind:
        case "quantities":
            residual, column = jnp.square(outputs - y), w[:, None]
            return {
                "count": w.sum(),
                "residual": (column * residual).sum(0),
                "y": (column * y).sum(0),
                "y2": (column * y * y).sum(0),
            }
        case "labels":
            right = ((outputs > 0) == (y > 0.5)).astype(w.dtype).mean(axis=-1)
            return {"count": w.sum(), "right": (w * right).sum()}
        case _:
            # A matrix product of one-hot rows rather than a scatter, which XLA cannot take into one kernel.
            classes = jnp.arange(objective.classes)
            true, said = y[:, None] == classes, decide(objective, outputs)[:, None] == classes
            return {"confusion": (true * w[:, None]).T @ said.astype(w.dtype)}


def figures(objective: Objective, sums: Sums) -> dict[str, Float[Array, ""]]:
    """Accuracy and its kin, or R2, from the sums of `tally`, NaN over no rows; "loss" is not among them."""
    match objective.kind:
        case "quantities":
            total = sums["y2"] - jnp.square(sums["y"]) / sums["count"]
            return {"r2": (1 - sums["residual"] / jnp.maximum(total, 1e-12)).mean()}
        case "labels":
            return {"accuracy": sums["right"] / sums["count"]}
        case _:
            confusion = sums["confusion"]
            right, true, said = jnp.diag(confusion), confusion.sum(1), confusion.sum(0)
            present = true > 0
            recall = jnp.where(present, right / jnp.maximum(true, 1), 0)
            f1 = 2 * right / jnp.maximum(true + said, 1)
            seen = present | (said > 0)
            return {
                "accuracy": right.sum() / confusion.sum(),
                "balanced_accuracy": recall.sum() / present.sum(),
                "macro_f1": jnp.where(seen, f1, 0).sum() / seen.sum(),
            }


def watched(objective: Objective) -> tuple[str, ...]:
    """The names that `monitor` may take for this objective."""
    match objective.kind:
        case "quantities":
            return ("loss", "r2")
        case "labels":
            return ("loss", "accuracy")
        case _:
            return ("loss", "accuracy", "balanced_accuracy", "macro_f1")


def accuracy_or_r2(
    objective: Objective,
    outputs: Float32[np.ndarray, "rows outputs"],
    y: Shaped[np.ndarray, "rows *outputs"],
    weight: Float32[np.ndarray, " rows"] | None = None,
) -> float:
    """The one of `figures` that says how much is right: the accuracy, or of quantities the mean of each one's R2.

    >>> said, true = np.array([[1.0, 30.0], [3.0, 30.0]], np.float32), np.array([[1.0, 20.0], [3.0, 40.0]], np.float32)
    >>> accuracy_or_r2(Objective("quantities", 2), said, true)
    0.5
    """
    weights = jnp.ones(len(y)) if weight is None else jnp.asarray(weight)
    if objective.kind == "quantities":  # R2 does not depend on the origin; near it the sums of squares are precise
        middle = y.mean(axis=0)
        outputs, y = outputs - middle, y - middle
    found = figures(objective, tally(objective, jnp.asarray(outputs), jnp.asarray(y), weights))
    return float(found["r2" if objective.kind == "quantities" else "accuracy"])


# ── meaning of outputs, outside the program ─────────────────────────────────────────────────────


def probabilities(
    objective: Objective, outputs: Float32[np.ndarray, "rows outputs"]
) -> Float32[np.ndarray, "rows classes"]:
    """Class probabilities, rows summing to one; for labels each label's own probability.

    A perceptron has none: the class it decides on gets 1.
    """
    match objective.kind:
        case "classes":
            shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
        case "labels":
            return _sigmoid(outputs)
        case "binary":
            second = _sigmoid(outputs[:, 0])
        case "probability":
            second = outputs[:, 0]
        case "perceptron":
            return np.asarray(np.eye(objective.classes, dtype=np.float32)[decide(objective, outputs)])
        case "quantities":
            raise TypeError("a regression has no probabilities")
    return np.stack([1 - second, second], axis=1).astype(np.float32)


def _sigmoid(z: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    # tanh does not overflow where exp(-z) would
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), np.float32)


def score(
    objective: Objective,
    outputs: Float32[np.ndarray, "rows outputs"],
    y: Shaped[np.ndarray, "rows *outputs"],
    target: Target,
    seed: int,
) -> Scored:
    """Each metric with its 95% interval, and the headline figure on every draw; quantities in the target's own unit.

    A perceptron's figures leave out those that need probabilities, since it gives none.
    """
    match objective.kind:
        case "quantities":
            assert isinstance(target, Quantities)
            return regression(target.in_units(outputs), target.in_units(y), seed)
        case "labels":
            return multilabel(probabilities(objective, outputs), y, seed)
        case "perceptron":
            scores = np.concatenate([-outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs
            return classification_by_score(scores, y, seed)
        case "binary" | "classes" | "probability":
            return classification(probabilities(objective, outputs), y, seed)


def training_weights(task: r.Task, dataset: Dataset) -> Float32[np.ndarray, " rows"]:
    """The weight of each row in the loss: its own times its class's.

    "balanced" is n / (classes * count) over the training part, as in scikit-learn.
    """
    target = dataset.target
    if not isinstance(task, r.Classify) or not isinstance(target, Classes) or task.class_weight == "none":
        return dataset.weight
    if task.class_weight == "balanced":
        counts = np.bincount(dataset.y[dataset.train], minlength=len(target.names))
        per_class = dataset.train.size / (len(target.names) * np.maximum(counts, 1))
    else:
        per_class = _given(task.class_weight, target.names)
    return np.asarray(dataset.weight * per_class[dataset.y], np.float32)


def _given(weights: Mapping[str, float], names: tuple[str, ...]) -> np.ndarray:
    if unknown := sorted(set(weights) - set(names)):
        raise RecipeError(
            "task.class_weight names classes of the target",
            received=", ".join(unknown),
            remedy=f"the classes are: {', '.join(names)}",
        )
    return np.array([weights.get(name, 1.0) for name in names])
