"""The two epochs of a curve that the page speaks of: where training stands, and the best one."""

import numpy as np
from jaxtyping import Float32

from layerwise.studio.history.timeline import Curve

Marks = Float32[np.ndarray, "2 5"]


def marks(curve: Curve, step: int) -> Marks:
    """The last epoch at or before a step, and the one with the lowest loss: on the validation part, else in training.

    Each a row of the curve; NaN where there is none. The best one is exact also where the curve was thinned.

    >>> curve = Curve()
    >>> for row in ((5.0, 0.4, 0.8, 0.5, 0.7), (10.0, 0.3, 0.9, 0.6, 0.6)):
    ...     curve.add(row)
    >>> marks(curve, 12)[:, [0, 3]].tolist()
    [[10.0, 0.6000000238418579], [5.0, 0.5]]
    """
    none = (np.nan,) * 5
    now = curve.until(step).rows[-1:] or [none]
    return np.array([now[0], curve.best or none], np.float32)
