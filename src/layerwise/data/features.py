"""What a network gets of a point in the plane: any of seven functions of x1 and x2, as in TensorFlow Playground.

The sines have the period that they have there: its square reaches from -6 to 6, ours from -2 to 2.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from layerwise.recipe.records import Feature

Coordinates = Float64[np.ndarray, " rows"]

RAW = ("x1", "x2")
FUNCTIONS: Mapping[Feature, Callable[[Coordinates, Coordinates], Coordinates]] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1^2": lambda x1, x2: x1 * x1,
    "x2^2": lambda x1, x2: x2 * x2,
    "x1*x2": lambda x1, x2: x1 * x2,
    "sin(3*x1)": lambda x1, x2: np.sin(3 * x1),
    "sin(3*x2)": lambda x1, x2: np.sin(3 * x2),
}


def computed(features: Sequence[Feature], points: Float64[np.ndarray, "rows 2"]) -> Float64[np.ndarray, "rows width"]:
    """The features of points (x1, x2), a column each.

    >>> computed(["x2", "x1^2", "x1*x2"], np.array([[3.0, -1.0]])).tolist()
    [[-1.0, 9.0, -3.0]]
    """
    x1, x2 = points.T
    return np.stack([FUNCTIONS[feature](x1, x2) for feature in features], axis=1)
