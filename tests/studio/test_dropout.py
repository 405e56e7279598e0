"""What dropout left out of a step, told from the seed, against what the step did to the weights."""

from typing import Any

import numpy as np
import pytest

from layerwise.studio.games.session import Session
from layerwise.studio.games.settings import changed
from layerwise.training.padded.dropout import left_out

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60, "split": {"kind": "none"}},
    "network": {"kind": "mlp", "hidden": [5, 4], "activation": "tanh"},
    "train": {"epochs": 1000, "batch_size": 1, "optimizer": "sgd", "learning_rate": 0.1, "patience": 0, "dropout": 0.4},
}


def told(session: Session) -> np.ndarray:
    return left_out(*session.timeline.arguments, session.timeline.step)


def biases(session: Session) -> np.ndarray:
    return np.array(session.timeline.state.now.parameters.bias)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_unit_that_was_left_out_learned_nothing(seed: int) -> None:
    session = Session({**RECIPE, "seed": seed})
    out = 0
    for _ in range(12):
        before = biases(session)
        session.advance(1)
        shares, moved = told(session), biases(session) != before
        assert set(np.unique(shares)) <= {0, 1}
        for layer, units in enumerate((5, 4)):
            # A unit that stayed learns, unless no unit of the next layer passed an error back to it.
            passed = layer == 1 or (shares[1, :4] == 0).any()
            assert (moved[layer, :units] == ((shares[layer, :units] == 0) & passed)).all()
            assert not shares[layer, units:].any()
        out += int(shares.sum())
    assert 0.2 < out / (12 * 9) < 0.6


def test_of_a_batch_it_is_a_share_and_the_last_batch_counts_its_own_rows() -> None:
    session = Session(RECIPE)
    session.change(changed(session.recipe, "train.batch_size", 32))
    assert not told(session).any(), "no step was made"
    session.advance(1)
    assert (told(session)[0, :5] * 32 % 1 == 0).all() and 0.2 < told(session)[0, :5].mean() < 0.6
    session.advance(1)  # 28 rows are left of 60
    np.testing.assert_allclose(told(session)[0, :5] * 28 % 1, 0, atol=1e-4)
    session.change(changed(session.recipe, "train.dropout", 0.0))
    session.advance(1)
    assert not told(session).any()
