"""Generated points in two dimensions: the logic gates, and figures that show what a network can do.

The figures of TensorFlow Playground, which fill [-6, 6], are drawn at a third of its scale, on
[-2, 2]: inputs then have a variance near one, which is what initializations expect.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from layerwise.recipe.records import ToyName

RADIUS = 5 / 3  # the outer radius of the round figures
HALF = 2.0  # half the side of the square that the two regression figures fill

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
GATES = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}  # in the order of CORNERS

CORNER_SIGNS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float64)
CORNER_NAMES = ("lower left", "lower right", "upper left", "upper right")

Points = Float[np.ndarray, "n 2"]


class Toy(NamedTuple):
    """Points and their targets.

    `y` holds indices into the class names `names`, or the quantity that `names` gives the name of.
    """

    x: Float32[np.ndarray, "n 2"]
    y: Int32[np.ndarray, " n"] | Float32[np.ndarray, " n"]
    kind: Literal["classes", "quantity"]
    names: tuple[str, ...]


def make(name: ToyName, n: int, noise: float, seed: int) -> Toy:
    """`n` points of the figure `name`; classes take turns, so that they are as balanced as can be.

    Targets are given first, then each point is moved at random: `noise` is the standard deviation
    of that in units of the figure's size (the side of the gates' square, the radius of a moon, the
    outer radius 5/3 of the others).

    * `and`, `or`, `xor`: the corners of {0, 1} x {0, 1} in the order 00, 01, 10, 11, over and over;
      four points without noise are the truth table
    * `circle`: a disk of half the radius inside a ring
    * `gaussians`: two round clouds, which touch but hardly mix
    * `spiral`: two arms of 1.75 turns
    * `moons`: two interleaved half circles, as `sklearn.datasets.make_moons` draws them
    * `arms`: three arms of just under half a turn
    * `clouds`: four round clouds, one in each corner
    * `rings`: a disk and two rings around it, evenly apart
    * `plane`: y = (x1 + x2) / 4 on the square, from -1 to 1
    * `multi-gaussian`: bumps and hollows in turn in two rows of three, between -1 and 1

    >>> toy = make("xor", 4, noise=0.0, seed=0)
    >>> toy.x.tolist(), toy.y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    generator = np.random.default_rng([seed, *b"toy"])
    turns, threes, fours = (np.arange(n) % classes for classes in (2, 3, 4))
    match name:
        case "and" | "or" | "xor":
            corner = np.arange(n) % 4
            return _classes(CORNERS[corner], np.array(GATES[name])[corner], noise, generator, ("0", "1"))
        case "circle":
            points = _circle(turns, generator)
            return _classes(points, turns, noise * RADIUS, generator, ("outside", "inside"))
        case "gaussians":
            points = RADIUS * (0.4 * (2 * turns[:, None] - 1) + 0.14 * generator.standard_normal((n, 2)))
            return _classes(points, turns, noise * RADIUS, generator, ("lower left", "upper right"))
        case "spiral":
            points = _arms(turns, turn=3.5 * np.pi, start=0.1)
            return _classes(points, turns, noise * RADIUS, generator, ("first arm", "second arm"))
        case "moons":
            return _classes(_moons(turns), turns, noise, generator, ("upper", "lower"))
        case "arms":
            points = _arms(threes, turn=0.9 * np.pi, start=0.08)
            return _classes(points, threes, noise * RADIUS, generator, ("first arm", "second arm", "third arm"))
        case "clouds":
            points = RADIUS * (0.55 * CORNER_SIGNS[fours] + 0.14 * generator.standard_normal((n, 2)))
            return _classes(points, fours, noise * RADIUS, generator, CORNER_NAMES)
        case "rings":
            points = _rings(threes, generator)
            return _classes(points, threes, noise * RADIUS, generator, ("inner", "middle", "outer"))
        case "plane":
            points = generator.uniform(-HALF, HALF, (n, 2))
            return _quantity(points, points.sum(axis=1) / (2 * HALF), noise, generator)
        case "multi-gaussian":
            points = generator.uniform(-HALF, HALF, (n, 2))
            return _quantity(points, _bumps(points), noise, generator)


def _classes(
    points: Points,
    classes: Int[np.ndarray, " n"],
    scatter: float,
    generator: np.random.Generator,
    names: tuple[str, ...],
) -> Toy:
    return Toy(_scattered(points, scatter, generator), classes.astype(np.int32), "classes", names)


def _quantity(points: Points, values: Float[np.ndarray, " n"], noise: float, generator: np.random.Generator) -> Toy:
    return Toy(_scattered(points, noise * RADIUS, generator), values.astype(np.float32), "quantity", ("y",))


def _scattered(points: Points, scatter: float, generator: np.random.Generator) -> Float32[np.ndarray, "n 2"]:
    moved: Points = points + scatter * generator.standard_normal(points.shape)
    return moved.astype(np.float32)


def _circle(turns: Int[np.ndarray, " n"], generator: np.random.Generator) -> Points:
    """Class 1 uniform on the disk of radius 0.5, class 0 on the ring from 0.7 to 1, times RADIUS."""
    inner, outer = np.where(turns == 1, [[0.0], [0.5]], [[0.7], [1.0]])
    share = generator.uniform(size=len(turns))
    radius = RADIUS * np.sqrt(inner**2 + share * (outer**2 - inner**2))  # areas grow with the square
    return _polar(radius, generator.uniform(0, 2 * np.pi, len(turns)))


def _rings(threes: Int[np.ndarray, " n"], generator: np.random.Generator) -> Points:
    """Class k in the middle of the k-th third of the disk of radius RADIUS, uniform by area within half of it."""
    inner, outer = (threes + 0.2) / 3, (threes + 0.8) / 3
    share = generator.uniform(size=len(threes))
    radius = RADIUS * np.sqrt(inner**2 + share * (outer**2 - inner**2))
    return _polar(radius, generator.uniform(0, 2 * np.pi, len(threes)))


def _arms(classes: Int[np.ndarray, " n"], turn: float, start: float) -> Points:
    """As many spiral arms as there are classes, each the first one turned; they begin a little off the center."""
    count = int(classes.max()) + 1
    along = _along(classes, count)
    return _polar(RADIUS * (start + (1 - start) * along), turn * along + 2 * np.pi * classes / count)


def _moons(turns: Int[np.ndarray, " n"]) -> Points:
    upper = _polar(np.ones(len(turns)), np.pi * _along(turns, 2))
    points: Points = np.where(turns[:, None] == 1, [1.0, 0.5] - upper, upper)
    return points


def _along(classes: Int[np.ndarray, " n"], count: int) -> Float[np.ndarray, " n"]:
    """Each point's place along its own class's curve, evenly from 0 to 1."""
    place = np.arange(len(classes)) // count
    last = np.bincount(classes, minlength=count)[classes] - 1
    along: Float[np.ndarray, " n"] = place / np.maximum(last, 1)
    return along


def _polar(radius: Float[np.ndarray, " n"], angle: Float[np.ndarray, " n"]) -> Points:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _bumps(points: Points) -> Float[np.ndarray, " n"]:
    """sum_k s_k exp(-|x - c_k|^2 / (2 * 0.4^2)), neighbors s_k of opposite sign."""
    values = np.zeros(len(points))
    for column in (-1, 0, 1):
        for row in (-1, 1):
            center = np.array([column * 4 / 3, row * 5 / 6])
            squares = ((points - center) ** 2).sum(axis=1)
            values += row * (1 - 2 * (column % 2)) * np.exp(-squares / (2 * 0.4**2))
    return values
