"""What is drawn of outputs: which class each point of the square is taken for, how sure that is, and small pictures."""

import numpy as np
from jaxtyping import Float, Float32, UInt8

MOST = 255  # of a degree: as sure as can be
SIDE = 16  # points a side of a small picture
HALF, LOGIT = 2.0, 4.0  # a quantity's standardized value, and the log-odds, that are drawn in full color


def shades(kind: str, outputs: Float[np.ndarray, "*where outputs"]) -> UInt8[np.ndarray, "*where 2"]:
    """The class that each point is taken for, and a degree from 0 to 255; `outputs` are before their link.

    Of one output the classes are its signs, 0 negative and 1 positive, and the degree is |2p - 1|; of a quantity it
    is how many standard deviations it lies from the mean, two of them in full. Of several classes it is how far
    softmax is beyond chance. Degree 0 is neither: a tie of all, or what is no number.

    >>> shades("binary", np.array([[-9.0], [0.0], [1.0]])).tolist()
    [[0, 255], [1, 0], [1, 118]]
    >>> shades("classes", np.array([[0.0, 9.0, 0.0], [1.0, 1.0, 1.0]])).tolist()
    [[1, 255], [0, 0]]
    """
    if kind == "classes":
        taken = outputs.argmax(axis=-1)
        top = outputs.max(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore"):
            chance = 1 / outputs.shape[-1]
            size = (1 / np.exp(outputs - top).sum(axis=-1) - chance) / (1 - chance)
    else:
        first = outputs[..., 0]
        taken = (first >= 0).astype(np.int64)
        size = np.abs(first) / HALF if kind == "quantities" else np.abs(np.tanh(first / 2))
    size = np.clip(np.nan_to_num(size, nan=0.0, posinf=1.0), 0, 1)
    degree = np.where(size > 0, np.maximum(1, np.rint(MOST * size)), 0)  # hardly is not neither
    return np.stack([taken, degree], axis=-1).astype(np.uint8)


def small(kind: str, outputs: Float32[np.ndarray, "ys xs outputs"]) -> Float32[np.ndarray, "outputs side side"]:
    """A picture of each output, from -1 to 1: means of patches, which keep steep boundaries smooth.

    Softmax looks at how far an output is above the others, so of classes their mean is taken away.
    """
    with np.errstate(invalid="ignore"):
        values = outputs - outputs.mean(axis=-1, keepdims=True) if kind == "classes" else outputs
    values = np.clip(np.nan_to_num(values, nan=0.0) / (HALF if kind == "quantities" else LOGIT), -1, 1)
    side = values.shape[0] // SIDE
    patches = values.reshape(SIDE, side, SIDE, side, -1).mean(axis=(1, 3))
    found: Float32[np.ndarray, "outputs side side"] = np.ascontiguousarray(patches.transpose(2, 0, 1), np.float32)
    return found
