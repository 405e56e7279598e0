"""Naming a winner: the best settings and the recipe as written, trained again on seeds the search did not see."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from layerwise.tune.events import Finalist
from layerwise.tune.ledger import Ledger
from layerwise.tune.space import Settings
from layerwise.tune.trials import Trial
from layerwise.tune.waves import Waves

FINALISTS = 3
SEEDS = 3  # that each finalist is trained on, beside the search's own


class Contender(NamedTuple):
    """Settings that may win: `lanes` has the search's own seed first, which makes the model, then the further ones.

    `number` is the trial's; None for the recipe as written. `searched` is the value that the search saw.
    """

    number: int | None
    settings: Settings
    searched: float | None
    lanes: list[Trial]


def contenders(ledger: Ledger, waves: Waves, seed: int) -> list[Contender]:
    """The best trials and the recipe as written, with fresh lanes; empty where no trial was completed."""
    chosen: list[tuple[int | None, Settings, float | None]] = list(ledger.best(FINALISTS))
    if not chosen:
        return []
    return [
        Contender(
            number,
            settings,
            searched,
            [
                waves.trial(-1 if number is None else number, settings, (seed + more) % 2**32)
                for more in range(SEEDS + 1)
            ],
        )
        for number, settings, searched in (*chosen, (None, {}, None))
    ]


def judged(contender: Contender, monitor: str, clock: Callable[[], float]) -> Finalist | None:
    """What a contender came to on the further seeds; None where one of its lanes diverged."""
    own, *others = contender.lanes
    values = [lane.value(monitor) for lane in others if lane.trainer.status != "diverged"]
    found = tuple(value for value in values if value is not None)
    if len(found) < SEEDS or own.trainer.status == "diverged":
        return None
    mean, low, high = interval(found)
    return Finalist(
        seconds=clock(),
        number=contender.number,
        settings=contender.settings,
        searched=contender.searched,
        values=found,
        mean=mean,
        low=low,
        high=high,
    )


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% interval of the mean by Student's t, of at least two values.

    >>> tuple(round(x, 3) for x in interval([1.0, 2.0, 3.0]))
    (2.0, -0.484, 4.484)
    """
    from scipy.special import stdtrit

    mean = statistics.fmean(values)
    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def verdict(finals: Sequence[Finalist], winner: Finalist, sign: int) -> tuple[str, ...]:
    """What the final says about the search, in a sentence or two."""
    found: list[str] = []
    written = next((final for final in finals if final.number is None), None)
    if winner.number is None:
        found.append("the recipe as written did best on further seeds: the search found nothing that is better than it")
    elif written is not None:
        gains = [sign * (a - b) for a, b in zip(written.values, winner.values, strict=True)]
        mean, low, _ = interval(gains)
        words = "more" if low > 0 else "no more"
        found.append(
            f"against the recipe as written the winner gains {mean:.3g} on the same {len(gains)} further seeds, "
            f"{words} than seeds alone make"
        )
    if winner.searched is not None and sign * (winner.mean - winner.searched) > 0:
        found.append(
            f"on further seeds the winner comes to {winner.mean:.4g} on average; the {winner.searched:.4g} that the "
            "search saw was partly luck"
        )
    return tuple(found)
