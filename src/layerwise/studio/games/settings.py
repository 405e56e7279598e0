"""Recipes with other values at some paths: how every control of the page changes one."""

from collections.abc import Mapping
from typing import Any

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load, plain, put


def changed(recipe: Recipe, path: str, value: Any) -> Recipe:
    """A recipe with another value at a path, checked. Raises `RecipeError`.

    >>> changed(load("xor"), "train.epochs", 5).train.epochs
    5
    """
    return changed_at(recipe, {path: value})


def changed_at(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with other values at several paths, checked as a whole. Raises `RecipeError`."""
    raw = plain(recipe)
    for path, value in values.items():
        try:
            put(raw, path.split("."), value)
        except (AttributeError, TypeError, KeyError):
            raise RecipeError("a path names a key of the recipe", received=path, remedy="e.g. train.epochs") from None
    return checked(raw)


def checked(raw: Mapping[str, Any]) -> Recipe:
    """The recipe of what a page sent. Raises `RecipeError`."""
    try:
        return load(raw)
    except RecursionError:
        raise RecipeError("a recipe is not nested that deep", received="too many brackets") from None
