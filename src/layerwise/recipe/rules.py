"""What must hold between the parts of a recipe, beyond the type of each value.

Each rule is a function from the recipe to the problems it finds; `check` chains them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from layerwise.recipe import records as r


class Problem(NamedTuple):
    """A broken rule in the three parts every message has."""

    rule: str
    received: str
    remedy: str


Found = Iterator[tuple[Sequence[str], Problem]]


def check(recipe: r.Recipe) -> Found:
    """The problems of a recipe, each with the path of the value it concerns."""
    for rule in (_finite, _features, _points, _splits, _hidden, _weights, _trainable, _optimizer, _space):
        yield from rule(recipe)


def _finite(recipe: r.Recipe) -> Found:
    """TOML can write inf and nan; no setting means anything with them."""
    yield from _infinite(msgspec.to_builtins(recipe, str_keys=True), ())


def _infinite(value: Any, path: tuple[str, ...]) -> Found:
    match value:
        case float() if not math.isfinite(value):
            yield path, Problem("must be finite", repr(value), "give a finite number")
        case dict():
            for key, item in value.items():
                yield from _infinite(item, (*path, key))
        case list() | tuple():
            for item in value:
                yield from _infinite(item, path)


def _features(recipe: r.Recipe) -> Found:
    """Each once and in one order, so that equal inputs are written in one way."""
    if not isinstance(recipe.data, r.ToyData | r.PointsData):
        return
    given = recipe.data.features
    ordered = tuple(feature for feature in get_args(r.Feature) if feature in given)
    if given != ordered:
        rule = f"each feature stands once, in the order {', '.join(get_args(r.Feature))}"
        yield ("data", "features"), Problem(rule, ", ".join(given), f"write {list(ordered)}".replace("'", '"'))


def _points(recipe: r.Recipe) -> Found:
    """Classes have names of their own; every point is of one of them, and not all are of the same."""
    if not isinstance(recipe.data, r.PointsData) or not (classes := recipe.data.classes):
        return
    targets = [target for *_, target in recipe.data.points]
    wrong = next((row for row, target in enumerate(targets) if target not in range(len(classes))), None)
    if len(set(classes)) < len(classes):
        yield ("data", "classes"), Problem("each class has a name of its own", ", ".join(classes), "rename one of them")
    elif wrong is not None:
        yield (
            ("data", "points"),
            Problem(
                f"a point's third number is that of its class: {', '.join(map(str, range(len(classes))))}",
                f"{targets[wrong]:g} in point {wrong} (the first is 0)",
                "name that class in classes too, or drop classes for a quantity",
            ),
        )
    elif len(set(targets)) < 2:
        received = f"nothing but {classes[int(targets[0])]!r}"
        yield ("data", "points"), Problem("the points are of at least two classes", received, "add points of another")


def _splits(recipe: r.Recipe) -> Found:
    match recipe.data.split:
        case r.AutoSplit() | r.RandomSplit() | r.StratifiedSplit() | r.GroupSplit() | r.TimeSplit() as split:
            if split.validation + split.test >= 1:
                yield (
                    ("data", "split", "test"),
                    Problem(
                        "validation and test together leave rows to train on",
                        f"{split.validation} + {split.test}",
                        "make their sum less than 1, e.g. 0.2 and 0.2",
                    ),
                )
        case r.FoldSplit(folds=folds, fold=int() as fold) if fold > folds:
            yield (
                ("data", "split", "fold"),
                Problem(f"folds count from 1 to {folds}", str(fold), 'give a smaller fold, or "all"'),
            )
        case r.GivenSplit(by="none", validation="none", test="none"):
            yield (
                ("data", "split"),
                Problem(
                    "a given split names a column or files",
                    "neither",
                    'e.g. by = "part", or validation = "val.csv" and test = "test.csv"',
                ),
            )
        case r.GivenSplit(by=by, validation=validation, test=test) if (
            by != "none" and (validation, test) != ("none",) * 2
        ):
            yield (
                ("data", "split"),
                Problem(
                    "a given split names a column or files, not both", f"by = {by!r} and files", "drop one of them"
                ),
            )
        case _:
            pass


def _hidden(recipe: r.Recipe) -> Found:
    match recipe.network:
        case r.Mlp(hidden=hidden, activation=tuple() as activations) if len(activations) != len(hidden):
            yield (
                ("network", "activation"),
                Problem(
                    "one activation for all hidden layers, or one for each",
                    f"{len(activations)} activations for {len(hidden)} hidden layers",
                    f"give {len(hidden)}, or a single one",
                ),
            )
        case _:
            pass


def _weights(recipe: r.Recipe) -> Found:
    """Weights set by hand must chain: as many inputs as the layer before has units."""
    weights = getattr(recipe.network, "weights", ())
    if not weights:
        return
    widths = (*recipe.network.hidden, None) if isinstance(recipe.network, r.Mlp) else (None,)
    if len(weights) != len(widths):
        yield (
            ("network", "weights"),
            Problem("one matrix for each layer", f"{len(weights)} matrices", f"give {len(widths)}"),
        )
        return
    inputs: int | None = None
    for number, (matrix, width) in enumerate(zip(weights, widths, strict=True), start=1):
        columns = {len(row) for row in matrix}
        if not matrix or len(columns) != 1 or min(columns) < 2:
            remedy = "write each unit as [bias, w1, w2, ...]"
            received = f"layer {number}: rows of {sorted(columns) or 'no'} numbers"
        elif width is not None and len(matrix) != width:
            remedy, received = f"give {width} rows", f"layer {number}: {len(matrix)} rows"
        elif inputs is not None and columns != {inputs + 1}:
            remedy, received = f"give {inputs + 1} numbers a row", f"layer {number}: {columns.pop()} numbers a row"
        else:
            inputs = len(matrix)
            continue
        yield (
            ("network", "weights"),
            Problem("one row for each unit: its bias, then a weight for each input", received, remedy),
        )
        return


def _trainable(recipe: r.Recipe) -> Found:
    """A step function has derivative zero, so gradients cannot train through it."""
    network = recipe.network
    by_hand = bool(getattr(network, "weights", ()))
    if not isinstance(network, r.Mlp) or (recipe.train == "none") or (recipe.train == "auto" and by_hand):
        return
    for kinds, key in ((_activations(network), "activation"), ((network.output,), "output")):
        if any(isinstance(kind, r.Step) or kind == "step" for kind in kinds):
            yield (
                ("network", key),
                Problem(
                    "the step function's derivative is zero, so gradients cannot train through it",
                    "step",
                    'use "sigmoid" or "relu"; or set the weights by hand and train = "none"',
                ),
            )


def _activations(network: r.Mlp) -> tuple[r.Activation, ...]:
    """One for each hidden layer."""
    return network.activation if isinstance(network.activation, tuple) else (network.activation,) * len(network.hidden)


def _optimizer(recipe: r.Recipe) -> Found:
    """L-BFGS learns the loss's curvature from gradients and searches along a line for a lower loss.

    Chance changes the loss between two looks. What is done to gradient or weights beside the loss is
    undone by the next line search, or undoes it: the loss then never settles.
    """
    train = recipe.train
    if not isinstance(train, r.Train) or not isinstance(train.optimizer, r.Lbfgs):
        return
    same = "L-BFGS needs the same loss at every look"
    for name in ("dropout", "input_dropout", "noise"):
        if getattr(train, name) > 0:
            received = f"{name} = {getattr(train, name)}"
            yield ("train", name), Problem(same, received, "set it to 0, or use adam")
    if isinstance(recipe.network, r.Mlp) and any(isinstance(a, r.NoisyRelu) for a in _activations(recipe.network)):
        remedy = 'use activation = "relu", or optimizer = "adam"'
        yield ("network", "activation"), Problem(same, "noisy_relu, which draws anew at each step", remedy)
    for name, remedy in (
        ("clip", "set it to 0: the line search bounds each step; or use adam"),
        ("max_norm", "set it to 0, and use l2 to keep weights small; or use adam"),
        ("weight_decay", "set it to 0, and use l2, which is part of the loss; or use adamw"),
    ):
        value = getattr(train, name)
        if value != "auto" and value > 0:
            rule = "L-BFGS follows the loss alone, so gradients are not clipped nor weights changed beside it"
            yield ("train", name), Problem(rule, f"{name} = {value}", remedy)


def _space(recipe: r.Recipe) -> Found:
    if not isinstance(recipe.search, r.Search):
        return
    for path, axis in recipe.search.space.items():
        place = ("search", "space", path)
        given = [name for name in r.Axis.__struct_fields__ if getattr(axis, name)]
        if len(given) != 1:
            yield (
                place,
                Problem(
                    "an axis is one of log, uniform, int, choice", str(given or "none"), "e.g. { log = [1e-4, 1e-1] }"
                ),
            )
            continue
        values = getattr(axis, given[0])
        if given[0] == "choice":
            continue
        if len(values) != 2 or not all(isinstance(v, int | float) for v in values) or not values[0] < values[1]:
            yield (
                place,
                Problem(
                    "a range is [low, high] with low < high", str(list(values)), "give two numbers, the smaller first"
                ),
            )
        elif given[0] == "log" and values[0] <= 0:
            yield (
                place,
                Problem("a logarithmic range lies above zero", str(list(values)), "start above zero, e.g. 1e-4"),
            )
