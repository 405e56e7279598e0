"""Whether trials with layers of several widths share programs, by padding them to common widths.

A program takes about as long to compile as a small network to train. Padding saves programs and costs
products with zeros; which is less is forecast from how many widths there are and how long they train.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

Hidden = tuple[int, ...]

# As measured on two cores by benchmarks/bench_engine.py and bench_lanes.py; only their ratios matter.
COMPILING = 0.6  # seconds a program
PRODUCTS = 2e10  # multiply-adds a second of one core
OVERHEAD = 5e-6  # seconds a step, however small the network
FINENESS = (1.0, 1.5, 2.0, 4.0, math.inf)  # of the common widths: each so many times the one before
NARROWEST = 8


class Widths:
    """The rule by which hidden layers are padded.

    `seen` are hidden layers of trials as they are planned (a sample will do for `trials` of them), `steps`
    how many steps one trains, `ends` its numbers of inputs and outputs.

    >>> many = [(width,) for width in range(16, 80)]
    >>> Widths(many, trials=64, steps=1000, batch_size=32, ends=(64, 10), cores=2).padded((40,))
    (79,)
    >>> Widths(many, trials=64, steps=10**6, batch_size=32, ends=(64, 10), cores=2).padded((40,))
    ()
    """

    def __init__(
        self, seen: Sequence[Hidden], *, trials: int, steps: int, batch_size: int, ends: tuple[int, int], cores: int
    ) -> None:
        self._widest: dict[int, Hidden] = {}
        for hidden in seen:
            known = self._widest.get(len(hidden), hidden)
            self._widest[len(hidden)] = tuple(map(max, known, hidden))

        def seconds(fineness: float) -> float:
            padded = [self._rounded(hidden, fineness) for hidden in seen]
            products = sum(3 * batch_size * _parameters(hidden, ends) for hidden in padded) / len(padded)
            training = trials * steps * (OVERHEAD + products / PRODUCTS) / cores
            return len(set(padded)) * COMPILING + training

        self.fineness = min(FINENESS, key=seconds) if len(set(seen)) > 1 else 1.0

    def padded(self, hidden: Hidden) -> Hidden:
        """The widths that hidden layers are padded to; () where they stay as they are."""
        return () if self.fineness == 1 else self._rounded(hidden, self.fineness)

    def _rounded(self, hidden: Hidden, fineness: float) -> Hidden:
        if fineness == 1:
            return hidden
        widest = self._widest.get(len(hidden), hidden)
        if math.isinf(fineness):
            return tuple(map(max, widest, hidden))
        return tuple(max(width, min(_next(width, fineness), top)) for width, top in zip(hidden, widest, strict=True))


def _next(width: int, fineness: float) -> int:
    """The next of 8, 8 f, 8 f^2, ..."""
    power = math.ceil(math.log(max(width, NARROWEST) / NARROWEST, fineness) - 1e-9)
    return round(NARROWEST * fineness**power)


def _parameters(hidden: Hidden, ends: tuple[int, int]) -> int:
    return sum((a + 1) * b for a, b in pairwise((ends[0], *hidden, ends[1])))
