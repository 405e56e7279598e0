"""The arrays on the device: the same rows, padded to few shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import load as load_data
from layerwise.nets import noise
from layerwise.recipe import decode
from layerwise.training.place import SHARED_UP_TO, place, place_arrays, room


@given(st.integers(0, 3_000_000), st.integers(1, 64))
def test_there_is_room_but_not_much_too_much(rows, least):
    found = room(rows, least)
    assert found >= max(rows, 1)
    assert found <= max(2 * rows, least, 1)
    assert rows <= SHARED_UP_TO or found == rows


def test_sizes_nearby_share_a_shape():
    assert len({room(rows) for rows in range(1025, 2049)}) == 1


@pytest.mark.parametrize("rows", [1, 5, 64, 20_000])
def test_the_rows_are_where_they_were(rows):
    random = np.random.default_rng(rows)
    x, y = random.standard_normal((rows, 3)).astype(np.float32), random.integers(0, 2, rows).astype(np.int32)
    weight, order = random.uniform(size=rows).astype(np.float32), random.permutation(rows)
    train, validation = order[: -(-rows // 2)], order[-(-rows // 2) :]
    data = place_arrays(x, y, weight, train, validation)
    for found, given_array in ((data.x, x), (data.y, y), (data.weight, weight)):
        np.testing.assert_array_equal(np.asarray(found)[:rows], given_array)
        assert found.shape[0] == room(rows)
    for found, count, part in (
        (data.train, data.train_rows, train),
        (data.validation, data.validation_rows, validation),
    ):
        assert int(count) == part.size
        np.testing.assert_array_equal(np.asarray(found)[: part.size], part)
        assert found.shape == (room(part.size),)
        assert ((np.asarray(found) >= 0) & (np.asarray(found) < rows)).all(), "padding names rows that exist"


def test_a_dataset_is_placed_with_its_parts_and_the_weights_given():
    recipe = decode({"data": {"kind": "toy", "name": "circle", "n": 50}})
    dataset = load_data(recipe.data, recipe.task, 0)
    weight = np.arange(50, dtype=np.float32)
    data = place(dataset, weight)
    np.testing.assert_array_equal(np.asarray(data.weight)[:50], weight)
    np.testing.assert_array_equal(np.asarray(data.x)[:50], dataset.x)
    np.testing.assert_array_equal(np.asarray(data.train)[: dataset.train.size], dataset.train)


def test_no_program_is_compiled_for_it(compilations):
    """Each costs 10 ms, and every data set has a shape of its own."""
    before = compilations()
    for rows in (37, 17_001):
        x, y = np.ones((rows, 7), np.float32), np.zeros((rows, 3), np.float32)
        place_arrays(x, y, np.ones(rows, np.float32), np.arange(rows), np.arange(0))
    noise.key(rows)
    assert compilations() == before


def test_what_has_rows_gets_the_room_asked_for():
    """Large data, too, so that folds of one row more or less share shapes; a part without rows needs none."""
    assert room(17_000, least=17_001) == 17_001
    placed = place_arrays(
        np.ones((20, 3), np.float32), np.ones(20, np.int32), np.ones(20, np.float32), np.arange(20), np.arange(0), 64
    )
    assert (placed.x.shape, placed.train.shape, placed.validation.shape) == ((64, 3), (64,), (1,))
    assert (int(placed.train_rows), int(placed.validation_rows)) == (20, 0)
