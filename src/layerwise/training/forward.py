"""The network's outputs for any number of rows, from few compiled programs."""

from collections.abc import Callable
from functools import lru_cache

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Int64

from layerwise.nets.dense import MLP
from layerwise.training import compile as _  # noqa: F401  (prepares JAX before the first compilation)

COPIED = 65_536  # rows
SIZES = (1, 16, 256, 4096)  # rows are padded up to one of these, so that four programs serve all


@lru_cache(maxsize=64)
def _program(structure: jax.tree_util.PyTreeDef) -> Callable[[list[Array], Float32[np.ndarray, "rows inputs"]], Array]:
    """The forward pass of all networks of one structure; the weights are its arguments."""

    @jax.jit
    def forward(leaves: list[Array], x: Float[Array, "rows inputs"]) -> Float[Array, "rows outputs"]:
        network: MLP = jax.tree.unflatten(structure, leaves)
        return network(x)

    return forward


class Forward:
    """The outputs of one network; holds its weights ready, so that a call costs little beyond the work.

    >>> from layerwise.nets.build import build
    >>> from layerwise.recipe import records
    >>> network = build(records.Mlp(hidden=(3,)), inputs=2, outputs=1, codes=(), seed=0)
    >>> Forward(network)(np.zeros((5, 2), np.float32)).shape
    (5, 1)
    """

    def __init__(self, network: MLP) -> None:
        self._leaves, structure = jax.tree.flatten(network)
        self._program = _program(structure)

    def __call__(self, x: Float32[np.ndarray, "rows inputs"]) -> Float32[np.ndarray, "rows outputs"]:
        """The outputs of the deterministic pass, in chunks of at most 4096 rows."""
        rows = x.shape[0]
        if rows in SIZES:
            return np.asarray(self._program(self._leaves, x))
        chunks = [self._chunk(x[i : i + SIZES[-1]]) for i in range(0, rows, SIZES[-1])] or [self._chunk(x)]
        return np.concatenate(chunks)

    def over(
        self, x: Float32[np.ndarray, "rows inputs"], rows: Int64[np.ndarray, " some"]
    ) -> Float32[np.ndarray, "some outputs"]:
        """The outputs for some rows of `x`, of which no more than `COPIED` are copied at a time."""
        starts = range(0, max(rows.size, 1), COPIED)
        return np.concatenate([self(x[rows[start : start + COPIED]]) for start in starts])

    def _chunk(self, x: Float32[np.ndarray, "rows inputs"]) -> Float32[np.ndarray, "rows outputs"]:
        size = next(size for size in SIZES if size >= x.shape[0])
        padded = x if x.shape[0] == size else np.concatenate([x, np.zeros((size - x.shape[0], x.shape[1]), x.dtype)])
        return np.asarray(self._program(self._leaves, padded))[: x.shape[0]]
