"""A recipe in its fewest words: what stands for itself is left out."""

from collections.abc import Iterator
from typing import Any

from layerwise.errors import RecipeError
from layerwise.recipe.reading import decode, plain
from layerwise.recipe.records import Recipe


def brief(recipe: Recipe) -> dict[str, Any]:
    """The plain mapping with the fewest keys that is read as this very recipe.

    >>> from layerwise.recipe import load
    >>> brief(load({"data": {"kind": "toy", "name": "xor", "n": 500}, "train": {"optimizer": "sgd", "epochs": 9}}))
    {'data': {'kind': 'toy', 'name': 'xor'}, 'train': {'epochs': 9, 'optimizer': 'sgd'}}
    """
    tree = plain(recipe)

    def unchanged() -> bool:
        try:
            return decode(tree) == recipe
        except RecipeError:
            return False

    for holder, key in list(_places(tree)):
        value = holder.pop(key)
        if unchanged():
            continue
        if isinstance(value, dict) and set(value) == {"kind"}:
            holder[key] = value["kind"]
            if unchanged():
                continue
        holder[key] = value
    return _ordered(tree, plain(recipe))


def _places(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every key with the mapping that holds it, inner ones first."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _places(value)
        yield tree, key


def _ordered(tree: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """The same in the order of the full recipe, which trying things out has mixed up."""
    return {
        key: _ordered(tree[key], like[key])
        if isinstance(tree[key], dict) and isinstance(like[key], dict)
        else tree[key]
        for key in like
        if key in tree
    }
