"""From one run's recipe to that of a cross-validation, and from that to the recipe of each fold."""

import msgspec

from layerwise.errors import RecipeError
from layerwise.recipe import records as r
from layerwise.recipe.reading import load


def folded(recipe: r.Recipe, folds: int | None = None) -> r.Recipe:
    """The recipe with every fold of a k-fold split: its own, or one in place of rows dealt at random.

    `folds` is their number; else the recipe's own, or 5. Raises `RecipeError` where the recipe splits by
    group, by time or as given: dealt at random, rows that belong together would stand on both sides.

    >>> folded(load("digits"), 3).data.split
    FoldSplit(folds=3, fold='all', validation=0.2)
    """
    split = recipe.data.split
    match split:
        case r.FoldSplit():
            new = msgspec.structs.replace(split, fold="all", folds=split.folds if folds is None else folds)
        case r.AutoSplit() | r.RandomSplit() | r.StratifiedSplit():
            new = r.FoldSplit(folds=5 if folds is None else folds, validation=split.validation)
        case r.NoSplit():
            new = r.FoldSplit(folds=5 if folds is None else folds)
        case _:
            raise RecipeError(
                "folds are dealt at random",
                received=f"split = {split.__struct_config__.tag!r}, which keeps rows together on purpose",
                remedy='keep that split and train once; or write split = { kind = "kfold" } where rows are independent',
                place="data.split",
            )
    return load(_with(recipe, new))


def folds_of(recipe: r.Recipe) -> int:
    """How many runs the recipe asks for as a cross-validation; 0 where it asks for one run.

    >>> folds_of(folded(load("digits"))), folds_of(load("digits"))
    (5, 0)
    """
    match recipe.data.split:
        case r.FoldSplit(folds=folds, fold="all"):
            return folds
        case _:
            return 0


def fold_of(recipe: r.Recipe, fold: int) -> r.Recipe:
    """The recipe of one fold, counted from 1."""
    assert isinstance(recipe.data.split, r.FoldSplit)
    return load(_with(recipe, msgspec.structs.replace(recipe.data.split, fold=fold)))


def _with(recipe: r.Recipe, split: r.FoldSplit) -> r.Recipe:
    return msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, split=split))
