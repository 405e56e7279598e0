"""What was changed on the way, and what is played with since: the memos of a timeline's eras."""

from typing import Any, NamedTuple

from layerwise.nets.dense import MLP
from layerwise.recipe import Recipe
from layerwise.training.resolve import Resolved


class Typed(NamedTuple):
    """A weight, or with `source` None a bias, that was given another value."""

    layer: int
    unit: int
    source: int | None
    value: float


Edit = Recipe | Typed
Journal = list[tuple[int, Edit]]  # with the steps


class Setup(NamedTuple):
    """What is played with from a step on: a recipe, the same with its data's answers, the network it begins with.

    `edits` are those made at that step, in order.
    """

    recipe: Recipe
    resolved: Resolved
    network: MLP
    edits: tuple[Edit, ...] = ()


def with_edit(edits: tuple[Edit, ...], edit: Edit) -> tuple[Edit, ...]:
    """One change more at the same step. Of settings moved to and fro only where they end counts."""
    last = edits[-1] if edits else None
    if isinstance(last, Recipe) and isinstance(edit, Recipe) and _lasting(last) == _lasting(edit):
        return (*edits[:-1], edit)
    return (*edits, edit)


def _lasting(recipe: Recipe) -> Any:
    """What leaves a trace even if it is changed once more at the same step: units come anew, moments begin anew."""
    return recipe.network, getattr(recipe.train, "optimizer", None)
