"""From the recipe as written to the recipe as run: every "auto" replaced, once the data is known."""

import re
from typing import NamedTuple

import msgspec

from layerwise.data.dataset import Classes, Dataset, Labels, Target
from layerwise.errors import DataError, RecipeError
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective, objective_for, watched
from layerwise.training.optimizer import DEFAULT_RATES

LBFGS_ROWS = 100_000


class Resolved(NamedTuple):
    """The recipe with all values written out, the objective, and sentences about what was changed."""

    recipe: r.Recipe
    objective: Objective
    notes: tuple[str, ...]


def resolve(recipe: r.Recipe, dataset: Dataset) -> Resolved:
    """Replace every "auto" of `recipe` by what this data and network call for.

    Raises `RecipeError` where the parts do not fit the data: a task for another kind of target, a
    quantity to monitor that the task does not have; `DataError` where no training row has weight.
    """
    task = _task(recipe.task, dataset.target)
    objective = objective_for(task, recipe.network, dataset.target)
    by_hand = bool(getattr(recipe.network, "weights", ()))
    train = recipe.train
    if train == "auto":
        train = "none" if by_hand else r.Train()
    notes = _link(recipe.network, objective)
    if isinstance(train, r.Train):
        train = _train(train, recipe.network, objective, dataset, notes)
    return Resolved(msgspec.structs.replace(recipe, task=task, train=train), objective, tuple(notes))


def _link(network: r.Network, objective: Objective) -> list[str]:
    """A sentence where the task ends the network with another function than the recipe names."""
    link = {"binary": "sigmoid", "labels": "sigmoid", "classes": "softmax"}.get(objective.kind)
    if link is None or not isinstance(network, r.Mlp) or network.output in ("auto", link):
        return []
    return [f'network.output = "{network.output}": the task adds {link} to the last layer, as with "auto"']


def _task(task: r.Task, target: Target) -> r.Task:
    if not isinstance(task, r.AutoTask):
        return task
    match target:
        case Classes():
            return r.Classify()
        case Labels():
            return r.MultiLabel()
        case _:
            return r.Regress()


def _train(train: r.Train, network: r.Network, objective: Objective, dataset: Dataset, notes: list[str]) -> r.Train:
    rows = dataset.train.size
    if not dataset.weight[dataset.train].any():
        raise DataError(
            "some training row has a weight above 0",
            received=f"{rows} training rows, all of weight 0",
            remedy="mend the column of weights, or split the rows otherwise",
        )
    if train.monitor not in watched(objective):
        raise RecipeError(
            f"train.monitor is one of {', '.join(watched(objective))} for this task",
            received=repr(train.monitor),
            remedy='use monitor = "loss"',
        )
    changes: dict[str, object] = {}
    if isinstance(network, r.PerceptronNet):
        # Rosenblatt's rule is the perceptron loss, one example at a time, at rate 1: scaling the rate
        # scales the weights and changes no decision.
        if not isinstance(train.optimizer, r.Sgd) or train.batch_size != 1:
            notes.append("a perceptron learns by its own rule: one example at a time, no optimizer")
        changes |= {"optimizer": r.Sgd(), "batch_size": 1}
        if train.learning_rate in ("auto", "find"):
            changes["learning_rate"] = 1.0
    elif isinstance(train.optimizer, r.Lbfgs):
        if rows > LBFGS_ROWS:
            raise RecipeError(
                f"L-BFGS looks at all rows at each step, so it is for up to {LBFGS_ROWS:,} of them",
                received=f"{rows:,} training rows",
                remedy='use optimizer = "adam"',
            )
        changes["batch_size"] = rows
        if train.learning_rate == "find":
            notes.append("L-BFGS finds the length of its steps by itself: no range test was made")
            changes["learning_rate"] = DEFAULT_RATES[r.Lbfgs]
    elif train.batch_size > rows:
        notes.append(f"batch_size {train.batch_size} is more than the {rows} training rows: reduced to {rows}")
        changes["batch_size"] = rows
    if train.learning_rate == "auto" and "learning_rate" not in changes:
        changes["learning_rate"] = DEFAULT_RATES[type(train.optimizer)]
    if train.weight_decay == "auto":
        changes["weight_decay"] = 0.01 if isinstance(train.optimizer, r.AdamW) else 0.0
    if dataset.validation.size == 0 and train.patience:
        notes.append("no validation part: early stopping is off and the last weights are kept")
        changes["patience"] = 0
    return msgspec.structs.replace(train, **changes)


def seconds(duration: str) -> float:
    """A duration such as "90s" or "1h30m" in seconds; "none" is infinite.

    >>> seconds("1h30m"), seconds("250ms"), seconds("none")
    (5400.0, 0.25, inf)
    """
    if duration == "none":
        return float("inf")
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration))
