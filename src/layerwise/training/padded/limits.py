"""What the padded program has room for; anything else it would compute wrongly, so it is refused in words."""

from layerwise.data.dataset import Dataset
from layerwise.errors import RecipeError
from layerwise.recipe import records as r
from layerwise.training.padded.records import BATCH, LAYERS, ROOMS, ROWS, UNITS, Room
from layerwise.training.resolve import Resolved

LEFT_OUT = ("input_dropout", "noise", "clip", "max_norm")
KINDS = ("binary", "classes", "labels", "quantities")
REAL = "train it for real: layerwise train"


def check(resolved: Resolved, dataset: Dataset) -> r.Train:
    """The training of a resolved recipe that the padded program computes as `training.loop` does.

    Raises `RecipeError` with the limit where it does not.
    """
    train = resolved.recipe.train
    if not isinstance(train, r.Train):
        raise RecipeError("a network that is played with is trained", received="weights that stay", remedy=REAL)
    _check_network(resolved, dataset)
    if isinstance(train.optimizer, r.Lbfgs):
        raise RecipeError("L-BFGS takes no batches", remedy='use optimizer = "adam"', place="train.optimizer")
    if train.batch_size > BATCH:
        raise RecipeError(
            f"a batch that is played with has up to {BATCH} rows",
            received=str(train.batch_size),
            remedy=f"use train.batch_size = {BATCH}",
            place="train.batch_size",
        )
    for name in LEFT_OUT:
        if getattr(train, name):
            raise RecipeError(
                f"train.{name} is for training for real",
                received=str(getattr(train, name)),
                remedy=f"play without it: train.{name} = 0",
                place=f"train.{name}",
            )
    if train.learning_rate == "find":
        raise RecipeError(
            "a learning rate that is played with is a number", received='"find"', remedy="e.g. 0.03",
            place="train.learning_rate",
        )  # fmt: skip
    return train


def _check_network(resolved: Resolved, dataset: Dataset) -> None:
    network, objective = resolved.recipe.network, resolved.objective
    if not isinstance(network, r.Mlp | r.LinearNet) or objective.kind not in KINDS:
        raise RecipeError(
            "a network that is played with is a linear one or an mlp, its output's link the task's own",
            received=str(type(network).__struct_config__.tag),
            remedy=REAL,
            place="network",
        )
    output = getattr(network, "output", "auto")
    if output in ("tanh", "step"):
        raise RecipeError(
            "a network that is played with has linear outputs before the task's link", received=str(output),
            remedy='use network.output = "auto"', place="network.output",
        )  # fmt: skip
    if dataset.encoder.embeddings:
        raise RecipeError("a network that is played with embeds no categories", remedy=REAL, place="data")
    layers, width, rows = needed(resolved, dataset)
    if layers > LAYERS or width > UNITS or rows > ROWS:
        hidden = network.hidden if isinstance(network, r.Mlp) else ()
        raise RecipeError(
            f"a network that is played with has up to {LAYERS} hidden layers, {UNITS} units, inputs and outputs each, "
            f"and {ROWS:,} rows",
            received=f"{rows:,} rows of {dataset.x.shape[1]} inputs, layers of {(*hidden, objective.outputs)}",
            remedy=REAL,
        )


def needed(resolved: Resolved, dataset: Dataset) -> Room:
    """How much room a recipe takes."""
    network = resolved.recipe.network
    hidden = network.hidden if isinstance(network, r.Mlp) else ()
    rows, inputs = dataset.x.shape
    return Room(len(hidden), max(inputs, resolved.objective.outputs, *hidden), rows)


def room(resolved: Resolved, dataset: Dataset) -> Room:
    """The smallest room for a recipe that `check` has let pass."""
    wanted = needed(resolved, dataset)
    return next(room for room in ROOMS if fits(wanted, room))


def fits(wanted: Room, room: Room) -> bool:
    """Whether a room is large enough."""
    return all(some <= most for some, most in zip(wanted, room, strict=True))
