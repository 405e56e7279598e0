"""A Bayesian search learns from the trials that are over, whatever asks for them."""

import math
from pathlib import Path

from layerwise.recipe import decode
from layerwise.tuning.ledger import Ledger
from layerwise.tuning.space import Settings, Space

BEST = -1.8  # logarithm of the learning rate
RANDOM_SHARE = 0.25  # of points that fall within half a power of ten of it by chance


def value(settings: Settings) -> float:
    """A bowl, of which the second axis is a small part."""
    return (math.log10(settings["train.learning_rate"]) - BEST) ** 2 + 0.1 * settings["train.dropout"]


def searched(folder: Path, seed: int) -> list[Settings]:
    axes = {"train.learning_rate": {"log": [1e-4, 1]}, "train.dropout": {"uniform": [0, 0.5]}}
    space = Space(decode({"data": {"kind": "toy", "name": "xor"}, "search": {"method": "bayes", "space": axes}}))
    found: list[Settings] = []
    with Ledger(
        folder / f"{seed}.journal", name="bowl", owner=str(seed), space=space, method="bayes", trials=40, seed=seed,
        direction="minimize",
    ) as ledger:  # fmt: skip
        while tickets := ledger.take(8):
            for ticket in tickets:
                ledger.tell(ticket.number, "finished", value(ticket.settings))
                found.append(ticket.settings)
    return found


def test_later_trials_gather_where_earlier_ones_were_good(tmp_path: Path) -> None:
    late = [settings for seed in range(5) for settings in searched(tmp_path, seed)[16:]]
    near = [s for s in late if abs(math.log10(s["train.learning_rate"]) - BEST) < 0.5]
    assert len(near) / len(late) > 1.5 * RANDOM_SHARE
