"""Naming a winner: the best settings and the recipe as written, trained again on seeds the search did not see."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from layerwise.tasks.intervals import Interval, mean_within
from layerwise.tuning.events import Finalist
from layerwise.tuning.ledger import Ledger
from layerwise.tuning.space import Settings
from layerwise.tuning.trials import Trial

FINALISTS = 3
SEEDS = 3  # that each finalist is trained on, beside the search's own


class Contender(NamedTuple):
    """Settings that may win. `number` is None for the recipe as written; `searched` is what the search saw."""

    number: int | None
    settings: Settings
    searched: float | None


def contenders(ledger: Ledger) -> list[Contender]:
    """The best trials and the recipe as written; empty where no trial was completed."""
    best = [Contender(*found) for found in ledger.best(FINALISTS)]
    return [*best, Contender(None, {}, None)] if best else []


def judged(contender: Contender, lanes: Sequence[Trial], monitor: str, seconds: float) -> Finalist | None:
    """What a contender came to on the further seeds; None where one of its lanes diverged.

    The first of `lanes` is of the search's own seed: it makes the model, and is not counted.
    """
    own, *others = lanes
    values = [lane.value(monitor) for lane in others if lane.trainer.status != "diverged"]
    found = tuple(value for value in values if value is not None)
    if len(found) < SEEDS or own.trainer.status == "diverged":
        return None
    mean = interval(monitor, found)
    return Finalist(
        seconds=seconds,
        number=contender.number,
        settings=contender.settings,
        searched=contender.searched,
        values=found,
        mean=mean.value,
        low=mean.low,
        high=mean.high,
    )


def interval(monitor: str, values: Sequence[float], comparisons: int = 1) -> Interval:
    """Mean and 95% interval of the monitored quantity over seeds, which are independent; see `mean_within`."""
    return mean_within(monitor, values, 1 / math.sqrt(len(values)), comparisons)


def verdict(finals: Sequence[Finalist], winner: Finalist, sign: int) -> tuple[str, ...]:
    """What the final says about the search, in a sentence or two."""
    found: list[str] = []
    written = next((final for final in finals if final.number is None), None)
    if winner.number is None:
        found.append("the recipe as written did best on further seeds: the search found nothing that is better than it")
    elif written is not None:
        gains = [sign * (a - b) for a, b in zip(written.values, winner.values, strict=True)]
        rivals = len(finals) - 1  # of the recipe as written; the winner is the best of them
        gain = interval("", gains, comparisons=rivals)
        words = (
            "more than seeds alone make"
            if gain.low > 0
            else f"which {len(gains)} seeds do not show to be more than seeds alone make"
            + (f" (the best of {rivals} rivals is judged more strictly than one)" if rivals > 1 else "")
        )
        found.append(
            f"against the recipe as written the winner gains {gain.value:.3g} on the same {len(gains)} further seeds, "
            + words
        )
    if winner.searched is not None and sign * (winner.mean - winner.searched) > 0:
        found.append(
            f"on further seeds the winner comes to {winner.mean:.4g} on average; the {winner.searched:.4g} that the "
            "search saw was partly luck"
        )
    return tuple(found)
