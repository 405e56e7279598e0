"""Recipes with other values at some paths: how every control of the page changes one."""

from collections.abc import Mapping
from typing import Any

from layerwise.errors import RecipeError
from layerwise.recipe import Recipe, load, plain, put

MOST, LARGEST = (1 << 31) - 1, 3e38  # whole numbers and others


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


def check_numbers(path: str, value: Any) -> None:
    """Refuse numbers that the program has no room for: int32 and float32. Raises `RecipeError`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            check_numbers(f"{path}.{key}", inner)
    elif isinstance(value, int | float) and abs(value) > (most := MOST if isinstance(value, int) else LARGEST):
        said = f"{most:,}" if isinstance(value, int) else f"{most:g}"
        received = f"{value:g}" if abs(value) < 1e308 else "a number of hundreds of digits"
        raise RecipeError(
            f"a number that is played with is up to {said}", received=received, remedy=f"use {path} = 1", place=path
        )
