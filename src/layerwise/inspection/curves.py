"""What an activation function makes of a weighted sum, and how much of an error it lets back."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from layerwise.inspection import chainrule
from layerwise.inspection.plain import name
from layerwise.recipe import records as r

# A slope of a twentieth of the largest: back through three such units an error is 1/8000 of what it was.
SATURATED = 0.05
FLAT = 1e-5  # a function saturates where its slope tends to 0, so that far out it is as small as this
FAR, FINE = 15.0, 0.001  # where "far out" is, and how exactly the ends of the zones are found
POINTS = 481  # of a curve: an odd number, so that in the middle stands 0, where the kinks are

# From the lecture's to those that came after.
KINDS: tuple[r.Activation, ...] = (
    r.Sigmoid(), r.Tanh(), r.Relu(), r.LeakyRelu(), r.NoisyRelu(), r.Softplus(), r.Elu(), r.Gelu(), r.Silu(),
    r.Linear(), r.Step(),
)  # fmt: skip


class Zone(NamedTuple):
    """Weighted sums from `low` to `high`; an end may be infinite."""

    low: float
    high: float


class Zones(NamedTuple):
    """Where a function hardly passes an error back (`saturated`), and where it passes none (`dead`).

    After Gulcehre et al. 2016, "Noisy activation functions": a function saturates on a side where its
    slope tends to 0. `saturated` begins where |g'| is at most a twentieth of its largest value and not 0;
    in `dead` it is exactly 0. The leaky ReLU's slope is small on one side but tends to nothing, so it has
    neither.
    """

    saturated: tuple[Zone, ...]
    dead: tuple[Zone, ...]


@dataclass(frozen=True)
class Curve:
    """g(z) and g'(z) over a range of weighted sums, with their formulas.

    At a kink (`kinks`) the slope is the one that training takes, that of the left side. `low` and `high`
    are the values with noise of one standard deviation less or more; but for the noisy ReLU they are `value`.
    """

    name: str
    formula: str
    slope_formula: str
    z: Float64[np.ndarray, " points"]
    value: Float64[np.ndarray, " points"]
    slope: Float64[np.ndarray, " points"]
    low: Float64[np.ndarray, " points"]
    high: Float64[np.ndarray, " points"]
    zones: Zones
    kinks: tuple[float, ...]


def activation(kind: r.Activation, low: float = -6.0, high: float = 6.0) -> Curve:
    """The curve of an activation function over the weighted sums from `low` to `high`.

    >>> found = activation(r.Sigmoid(), -4.0, 4.0)
    >>> float(found.value[240]), float(found.slope[240])
    (0.5, 0.25)
    >>> [(round(zone.low, 2), round(zone.high, 2)) for zone in found.zones.saturated]
    [(-inf, -4.36), (4.36, inf)]
    """
    z = np.linspace(low, high, POINTS)
    value, slope = at(kind, z)
    noisy = isinstance(kind, r.NoisyRelu)
    spread = np.sqrt(at(r.Sigmoid(), z)[0]) if noisy else np.zeros_like(z)
    formula = chainrule.activation_equation(kind)
    return Curve(
        name=name(kind),
        formula=formula.function + (", while training of z + N(0, σ(z))" if noisy else ""),
        slope_formula=formula.derivative,
        z=z,
        value=value,
        slope=slope,
        low=at(kind, z - spread)[0],
        high=at(kind, z + spread)[0],
        zones=zones(kind),
        kinks=kinks(kind),
    )


def at(
    kind: r.Activation, z: Float64[np.ndarray, " points"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """g(z) and g'(z) at some weighted sums, by their formulas."""
    value, slope = chainrule.activation(kind, z[None])
    return value[0], slope[0]


def kinks(kind: r.Activation) -> tuple[float, ...]:
    """Where the slope jumps, or the function itself."""
    match kind:
        case r.Relu() | r.NoisyRelu() | r.LeakyRelu() | r.Step():
            return (0.0,)
        case r.Elu(alpha=alpha):
            return () if alpha == 1 else (0.0,)
        case _:
            return ()


@lru_cache(maxsize=64)
def zones(kind: r.Activation) -> Zones:
    """The saturated and the dead zones of a function, to three decimals.

    >>> zones(r.Relu()), zones(r.LeakyRelu())
    (Zones(saturated=(), dead=(Zone(low=-inf, high=0.0),)), Zones(saturated=(), dead=()))
    """
    z = np.linspace(-FAR, FAR, 2 * round(FAR / FINE) + 1)
    slope = np.abs(at(kind, z)[1])
    largest = float(slope.max())
    if largest == 0:
        return Zones((), (Zone(-np.inf, np.inf),))
    saturated, dead = [], []
    for side in (-1, 1):
        inward = slope if side < 0 else slope[::-1]  # from far out to the middle
        if inward[0] > FLAT * largest:
            continue
        nought, small = _run(inward == 0), _run(inward <= SATURATED * largest)
        inner, outer = (side * round(FAR - FINE * max(length - 1, 0), 3) + 0.0 for length in (small, nought))
        if nought:
            dead.append(Zone(*sorted((outer, side * np.inf))))
        if small > nought:
            saturated.append(Zone(*sorted((inner, outer if nought else side * np.inf))))
    return Zones(tuple(saturated), tuple(dead))


def _run(condition: Bool[np.ndarray, " points"]) -> int:
    """How many are true from the first on."""
    return len(condition) if condition.all() else int(np.argmin(condition))
