"""The score of a network's outputs: the metrics that its objective calls for."""

import numpy as np
from jaxtyping import Float32, Shaped

from layerwise.data.dataset import Quantities, Target
from layerwise.tasks.metrics import Scored, classification, classification_by_score, multilabel, regression
from layerwise.tasks.objective import Objective, probabilities


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
