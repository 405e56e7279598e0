"""The loss surface of a network of 20,000 parameters: 41 x 41 networks on 1,000 examples.

    python benchmarks/bench_landscape.py

What `inspection.landscape` takes with compilation and without; other ways to compute the same; and the
floor: the operations of the layers' products, at the rate of one large product. The task's bound is 10 s.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

from layerwise.training import compile as prepared  # first: it sets JAX up
from layerwise.training.lanes import cores

# isort: split
import jax
import numpy as np

from layerwise.inspection import curvature, landscape, random_plane
from layerwise.inspection.samples import Sample, mean_loss, shaped
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective

WIDTHS = (64, 160, 56, 10)
ROWS, POINTS, ROUNDS = 1000, 41, 5


def seconds(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """The shortest of some calls."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(work())
        found.append(time.perf_counter() - began)
    return min(found)


def rate() -> float:
    """Floating-point operations a second of one large product, all cores at it."""
    side = 2048
    left = jax.device_put(np.random.default_rng(0).standard_normal((side, side), np.float32))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(left))
    return 2 * side**3 / seconds(lambda: product(left))


def main() -> None:
    """Print what the surface takes, and the ways that were not chosen."""
    jax.config.update("jax_enable_compilation_cache", False)  # what compiling takes is to be seen
    random = np.random.default_rng(0)
    network = build(r.Mlp(hidden=WIDTHS[1:-1]), inputs=WIDTHS[0], outputs=WIDTHS[-1], codes=(), seed=0)
    objective = Objective("classes", WIDTHS[-1], WIDTHS[-1])
    x = random.standard_normal((ROWS, WIDTHS[0]), np.float32)
    rows = Sample(x, random.integers(0, WIDTHS[-1], ROWS).astype(np.int32), np.ones(ROWS, np.float32))
    rows = jax.device_put(rows)
    plane = random_plane(network, 0, POINTS)
    parameters = plane.axes.shape[1]
    print(f"{POINTS} x {POINTS} networks of {parameters:,} parameters on {ROWS:,} examples, {cores()} cores")

    def surface() -> Any:
        return landscape(network, objective, rows, plane).losses

    first, again = seconds(surface, 1), seconds(surface)
    print(f"  landscape, compilation included   {first:7.3f} s")
    print(f"  landscape, compiled               {again:7.3f} s")
    work = 2 * ROWS * POINTS**2 * sum(a * b for a, b in pairwise(WIDTHS))
    peak = rate()
    floor = work / peak
    print(f"  the products alone                {floor:7.3f} s, {again / floor:.1f} times as fast")
    print(f"    {work / 1e9:.0f} G operations at the {peak / 1e9:.0f} G a second of one large product")
    print("other ways, compiled:")
    axes = tuple(shaped(axis, network) for axis in plane.axes)
    grid = np.stack(np.meshgrid(plane.xs, plane.ys), axis=-1).astype(np.float32)
    for batch in (None, 8, POINTS):
        way = "one by one" if batch is None else f"{batch} in a batch (vmap)"
        program = jax.jit(partial(over, objective, batch), compiler_options=prepared.options(tiny=False))
        call = partial(program, network, *axes, rows)

        def threaded(call: Any = call) -> Any:
            with ThreadPoolExecutor(cores()) as pool:
                return list(pool.map(lambda places: np.asarray(call(places)), grid))

        jax.block_until_ready(call(grid.reshape(-1, 2)))
        print(f"  {way:24} one call  {seconds(partial(call, grid.reshape(-1, 2))):7.3f} s")
        threaded()
        print(f"  {way:24} a thread each core, a row a call  {seconds(threaded):7.3f} s")
    first, again = (seconds(lambda: curvature(network, objective, rows).largest, n) for n in (1, ROUNDS))
    print(f"largest eigenvalue with its cut: {first:.3f} s with compilation, {again:.3f} s without")


def over(objective: Objective, batch: int | None, network: Any, one: Any, two: Any, rows: Sample, places: Any) -> Any:
    """The losses at some places, `batch` networks at a time."""

    def at(place: Any) -> Any:
        moved = jax.tree.map(lambda w, a, b: w + place[0] * a + place[1] * b, network, one, two)
        return mean_loss(objective, moved, rows)

    return jax.lax.map(at, places, batch_size=batch)


if __name__ == "__main__":
    main()
