"""From a recipe to the recipes of its folds."""

import pytest

from layerwise.errors import RecipeError
from layerwise.recipe import load
from layerwise.recipe import records as r
from layerwise.recipe.folds import fold_of, folded, folds_of

TOY = {"kind": "toy", "name": "xor"}


@pytest.mark.parametrize(
    ("split", "folds", "expected"),
    [
        ("auto", None, r.FoldSplit(5, "all", 0.2)),
        ("none", 3, r.FoldSplit(3, "all", 0.2)),
        ({"kind": "random", "validation": 0.0}, 3, r.FoldSplit(3, "all", 0.0)),
        ({"kind": "stratified", "validation": 0.1}, None, r.FoldSplit(5, "all", 0.1)),
        ({"kind": "kfold", "folds": 8, "fold": 2, "validation": 0.3}, None, r.FoldSplit(8, "all", 0.3)),
        ({"kind": "kfold", "folds": 8}, 4, r.FoldSplit(4, "all", 0.2)),
    ],
)
def test_the_recipe_of_all_folds(split, folds, expected):
    recipe = load({"data": TOY | {"split": split}, "seed": 7})
    whole = folded(recipe, folds)
    assert whole.data.split == expected
    assert folds_of(whole) == expected.folds
    parts = [fold_of(whole, fold) for fold in range(1, expected.folds + 1)]
    assert [part.data.split.fold for part in parts] == list(range(1, expected.folds + 1))
    assert not any(map(folds_of, parts))
    assert all(folded(part) == whole for part in parts), "nothing but the split differs"


@pytest.mark.parametrize(
    "split", [{"kind": "group", "by": "author"}, {"kind": "time", "by": "day"}, {"kind": "given", "by": "part"}]
)
def test_rows_that_belong_together_are_not_dealt_apart(split):
    recipe = load({"data": {"kind": "table", "path": "rows.csv", "target": "y", "split": split}})
    with pytest.raises(RecipeError, match="dealt at random") as error:
        folded(recipe, 5)
    assert split["kind"] in error.value.received


@pytest.mark.parametrize("folds", [1, 0, -1])
def test_fewer_than_two_folds_are_refused(folds):
    with pytest.raises(RecipeError, match=r"data\.split\.folds"):
        folded(load("digits"), folds)


def test_a_fold_that_is_not_there_is_refused():
    with pytest.raises(RecipeError, match="folds count from 1 to 3"):
        fold_of(folded(load("digits"), 3), 4)
