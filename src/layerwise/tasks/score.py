"""The score of a network's outputs: the metrics that its objective calls for."""

import numpy as np
from jaxtyping import Float32, Shaped

from layerwise.data.dataset import Quantities, Target
from layerwise.tasks.intervals import Interval
from layerwise.tasks.metrics import (
    Draws,
    accuracy_draws,
    classification,
    classification_by_score,
    multilabel,
    regression,
    rmse_draws,
)
from layerwise.tasks.objective import Objective, decide, probabilities


def headline(
    objective: Objective,
    outputs: Float32[np.ndarray, "rows outputs"],
    y: Shaped[np.ndarray, "rows *outputs"],
    target: Target,
    seed: int,
) -> Draws:
    """The accuracy, or else the RMSE in the target's own unit, on the rows and on each of their resamples."""
    match objective.kind:
        case "quantities":
            assert isinstance(target, Quantities)
            return rmse_draws(target.in_units(outputs), target.in_units(y), seed)
        case "labels":
            return accuracy_draws((outputs > 0) == (y > 0.5), seed)
        case _:
            return accuracy_draws(decide(objective, outputs) == y, seed)


def score(
    objective: Objective,
    outputs: Float32[np.ndarray, "rows outputs"],
    y: Shaped[np.ndarray, "rows *outputs"],
    target: Target,
    seed: int,
) -> dict[str, Interval]:
    """Each metric with its 95% interval; quantities in the target's own unit.

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
