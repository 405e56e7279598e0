"""Times several ways to do one thing, in turn, round after round: a machine's speed drifts within
minutes, so only figures taken side by side compare. Medians are printed, and the ratio to the first.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

# On some machines these slow NumPy's matrix products down; a benchmark should not start out with a handicap.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
# Nor should modules be parsed anew at each start, which Python does where it is told to keep nothing.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


class Fewer(NamedTuple):
    """A runner too slow to do as much as the others: its time is that of `work` units."""

    run: Callable[[], object]
    work: int


def race(
    title: str, work: int, unit: str, runners: dict[str, Callable[[], object] | Fewer], rounds: int = 7
) -> dict[str, float]:
    """Run every runner once to warm up, then `rounds` times in turn; `work` units are done by one run.

    Prints microseconds a unit (median, minimum) and how many times longer than the first runner each
    takes. Returns the medians in microseconds.
    """
    each = {name: run if isinstance(run, Fewer) else Fewer(run, work) for name, run in runners.items()}
    taken: dict[str, list[float]] = {name: [] for name in each}
    for run, _ in each.values():
        run()
    for _ in range(rounds):
        for name, (run, units) in each.items():
            began = time.perf_counter()
            run()
            taken[name].append((time.perf_counter() - began) / units * 1e6)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    first = next(iter(medians.values()))
    print(f"\n{title}")
    for name, median in medians.items():
        print(f"  {name:<44} {median:10.2f} us a {unit} (least {min(taken[name]):.2f})   x {median / first:.2f}")
    return medians


def installed(package: str) -> bool:
    """Whether an optional peer is there; says so where it is not."""
    found = importlib.util.find_spec(package) is not None
    if not found:
        print(f"  ({package} is not installed: left out)")
    return found
