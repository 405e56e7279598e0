"""Patience, equal rows, and padding, each against the plain way of doing it."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from layerwise.estimators.fitting import Examples, Fitting, Layers, Patience, distinct
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training.step import Program


@given(st.lists(st.sampled_from([1.0, 0.9, 0.85, 0.8, 0.5, 0.45, 0.2]), max_size=40), st.integers(1, 5))
def test_patience_stops_where_a_run_of_bad_epochs_is_long_enough(values: list[float], epochs: int) -> None:
    patience, best, bad = Patience(0.1, epochs), math.inf, 0
    for value in values:
        bad = bad + 1 if value > best - 0.1 else 0
        best = min(best, value)
        assert patience.ahead(1000) >= 1
        assert patience.saw(value) == (bad >= epochs)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 5))
def test_running_ahead_never_passes_the_end(values: list[float], epochs: int) -> None:
    """As long a call as `ahead` allows can only be stopped by its last epoch."""
    patience, left = Patience(0.05, epochs), list(values)
    while left:
        call, left = left[: patience.ahead(1000)], left[patience.ahead(1000) :]
        stops = [patience.saw(value) for value in call]
        assert not any(stops[:-1])
        if stops[-1]:
            return


def test_endless_patience() -> None:
    assert Patience(0.1, math.inf).ahead(7) == 7
    assert not any(Patience(None, 1).saw(value) for value in (1.0, 2.0, 3.0))


rows = st.tuples(st.sampled_from([-0.0, 0.0, 1.5]), st.sampled_from([0.25, 2.0]), st.integers(0, 1), st.integers(0, 3))


@given(st.lists(rows, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_distinct_adds_up_weights_whatever_the_order(
    table: list[tuple[float, float, int, int]], random: object
) -> None:
    expected: dict[tuple[float, float, int], float] = {}
    for a, b, label, weight in table:
        if weight:
            expected[a + 0.0, b, label] = expected.get((a + 0.0, b, label), 0) + weight
    if not expected:
        return
    found = []
    for order in (table, sorted(table, key=str)):
        a, b, label, weight = (np.array(column) for column in zip(*order, strict=True))
        x, y, w = distinct(np.stack([a, b], axis=1), label.astype(np.int32), weight.astype(float))
        assert {(*map(float, row), int(c)): float(n) for row, c, n in zip(x, y, w, strict=True)} == expected
        assert len(x) == len(expected)
        found.append((x, y, w))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def fitting(inputs: int, rows: int) -> Fitting:
    """A fit of 5 columns and 40 rows, with zeros and rows that weigh nothing added by hand."""
    random = np.random.default_rng(0)
    x = np.zeros((rows, inputs), np.float32)
    x[:40, :5] = random.normal(size=(40, 5))
    y = np.zeros(rows, np.int32)
    y[:40] = random.integers(0, 3, 40)
    coef = np.zeros((inputs, 7))
    coef[:5] = random.normal(size=(5, 7))
    layers = Layers([coef, random.normal(size=(7, 3))], [np.zeros(7), np.zeros(3)])
    train = r.Train(learning_rate=0.01, weight_decay=0.0, l2=0.01)
    program = Program(Objective("classes", 3, 3), r.Adam, r.ConstantRate, 16, "accuracy", frozenset({"l2"}))
    examples = Examples(x, y, np.ones(rows, np.float32), np.arange(40), np.arange(0))
    return Fitting(program, train, examples, layers, (r.Relu(), r.Linear()), seed=3)


def test_padding_changes_nothing_and_is_taken_off() -> None:
    bare, padded = fitting(5, 40), fitting(16, 512)
    losses = [each.advance(7) for each in (bare, padded)]
    assert [epoch.loss for epoch in losses[0]] == [epoch.loss for epoch in losses[1]]
    assert [coef.shape for coef in bare.latest.coefs] == [(5, 7), (7, 3)]
    np.testing.assert_array_equal(bare.latest.coefs[0], padded.latest.coefs[0][:5])
    np.testing.assert_array_equal(padded.latest.coefs[0][5:], 0)


def test_how_calls_are_cut_changes_nothing() -> None:
    whole, pieces = fitting(5, 40), fitting(5, 40)
    whole.advance(12)
    for epochs in (1, 4, 7):
        pieces._limit = 2
        assert len(pieces.advance(epochs)) == epochs
    np.testing.assert_array_equal(whole.latest.coefs[1], pieces.latest.coefs[1])
