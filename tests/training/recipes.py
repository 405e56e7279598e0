"""Recipes that the tests of training share, so that each of their programs is compiled once for all of them."""

import dataclasses
from typing import Any

import numpy as np

from layerwise.data import load as load_data
from layerwise.data.dataset import Labels
from layerwise.nets.build import build
from layerwise.nets.dense import MLP
from layerwise.recipe import decode, plain, put
from layerwise.recipe import records as r
from layerwise.tasks.objective import training_weights
from layerwise.training.place import place
from layerwise.training.resolve import Resolved, resolve
from layerwise.training.step import SWITCHES, switched_on
from layerwise.training.trainer import Trainer

EPOCHS = 4
CLASSES = {"data": {"kind": "toy", "name": "circle", "n": 60, "noise": 0.1}}
REGRESSION = {"data": {"kind": "toy", "name": "plane", "n": 60, "noise": 0.1}}
SOME = {"kind": "mlp", "hidden": [5], "activation": "tanh"}

SWITCHED = {
    "train.l1": 0.01, "train.l2": 0.01, "train.weight_decay": 0.1, "train.dropout": 0.3, "train.input_dropout": 0.3,
    "train.noise": 0.3, "train.max_norm": 0.5, "train.clip": 0.01,
}  # fmt: skip
SWITCHES_EACH: list[dict[str, Any]] = [*({path: value} for path, value in SWITCHED.items()), SWITCHED]
SLOWER = {"train.learning_rate": 0.02}


def mlp(*hidden: int, activation: Any = "tanh") -> dict[str, Any]:
    return {"kind": "mlp", "hidden": list(hidden), "activation": activation}


LINEAR = mlp(5, 4, activation="linear")

# Each line is a recipe, and what each of its companions among the lanes has instead. Each is a program to be
# compiled, so lines differ in many ways at once: every optimizer (and with it every regularizer, one at a time and
# all at once), schedule, activation, loss and kind of target is in one of them.
TABLE: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "sgd": (
        {"train": {"optimizer": "sgd", "learning_rate": 0.5, "schedule": {"kind": "step", "every": 1.5}}},
        [*SWITCHES_EACH, {"train.schedule.factor": 0.9}],
    ),
    "momentum": (
        {
            "labels": True,
            "network": mlp(5, activation="sigmoid"),
            "train": {"optimizer": {"kind": "momentum"}, "learning_rate": 0.1, "schedule": "exponential"},
        },
        [*SWITCHES_EACH, {"train.optimizer.momentum": 0.5}, {"train.schedule.factor": 0.9}],
    ),
    "nesterov": (
        {
            "data": {"kind": "named", "name": "iris"},
            "network": mlp(5, activation={"kind": "elu", "alpha": 0.7}),
            "train": {"optimizer": "nesterov", "learning_rate": 0.1, "schedule": "cosine"},
        },
        [*SWITCHES_EACH, {"train.schedule.floor": 0.5}],
    ),
    "adagrad": (
        {
            **REGRESSION,
            "task": {"kind": "regress", "loss": "mae"},
            "network": mlp(5, activation="gelu"),
            "train": {"optimizer": "adagrad", "learning_rate": 0.3, "schedule": "one_cycle"},
        },
        [*SWITCHES_EACH, {"train.schedule.peak": 0.6}],
    ),
    "rmsprop": (
        {
            **REGRESSION,
            "network": mlp(5, activation="silu"),
            "train": {"optimizer": "rmsprop", "learning_rate": 0.03, "warmup": 1.5},
        },
        [*SWITCHES_EACH, {"train.warmup": 0.0}],
    ),
    "adam": (
        {"train": {"optimizer": {"kind": "adam", "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6}, "learning_rate": 0.03}},
        [
            *SWITCHES_EACH,
            {"train.optimizer.beta1": 0.95}, {"train.optimizer.beta2": 0.9}, {"train.optimizer.epsilon": 1e-2},
        ],
    ),
    "adamw": (
        {
            **REGRESSION,
            "task": {"kind": "regress", "loss": "huber", "delta": 0.5},
            "network": mlp(5, activation="softplus"),
            "train": {"optimizer": "adamw", "learning_rate": 0.03, "monitor": "r2"},
        },
        [*SWITCHES_EACH, {"task.delta": 1.5}],
    ),
    "lion": (
        {
            "task": {"kind": "classify", "label_smoothing": 0.2},
            "network": mlp(5, activation={"kind": "leaky_relu", "slope": 0.2}),
            "train": {"optimizer": "lion", "learning_rate": 0.01, "monitor": "accuracy"},
        },
        [*SWITCHES_EACH, {"task.label_smoothing": 0.0}],
    ),
    "lbfgs": (
        {"train": {"optimizer": {"kind": "lbfgs", "memory": 5}, "l2": 0.05, "learning_rate": 1.0}},
        [{"train.epochs": 3}],
    ),
    "two layers, batches of one": (
        {"network": mlp(5, 4, activation=["noisy_relu", "relu"]), "train": {"batch_size": 1}}, [SLOWER]
    ),
    "no layer, batches of all rows, some end early": (
        {
            "data": {"kind": "toy", "name": "gaussians", "n": 60},
            "network": "linear",
            "train": {"batch_size": 36, "patience": 2, "tolerance": 0.2, "epochs": 9},
        },
        [{"train.patience": 3}, {"train.tolerance": 0.0}, {"train.epochs": 1}],
    ),
    "linear units": ({"network": LINEAR}, [SLOWER, SWITCHED]),
    "a perceptron": ({"network": "perceptron"}, [{"train.epochs": 2}]),
}  # fmt: skip
EVERYTHING: frozenset[str] = frozenset(SWITCHES)
NOTHING: frozenset[str] = frozenset()


class Maker:
    """Makes lanes that share their data; each has a network and a state of its own."""

    def __init__(self, given: dict[str, Any]) -> None:
        tree = {**CLASSES, "network": SOME, **given}
        labels = tree.pop("labels", False)
        usual = {"epochs": EPOCHS, "batch_size": 8, "patience": 0, "learning_rate": 0.05}
        self.recipe = decode({**tree, "train": {**usual, **tree.get("train", {})}})
        self.dataset = load_data(self.recipe.data, self.recipe.task, 0)
        if labels:  # no toy has several: where each coordinate is above 0, and whether they agree
            x = self.dataset.x
            y = np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 0] * x[:, 1] > 0], axis=1).astype(np.float32)
            self.dataset = dataclasses.replace(self.dataset, y=y, target=Labels(("a", "b", "c")))
        self.data = place(self.dataset, training_weights(self.recipe.task, self.dataset))

    def resolved(self, changes: dict[str, Any] | None = None, seed: int = 0) -> Resolved:
        tree = plain(self.recipe)
        for path, value in (changes or {}).items():
            put(tree, path.split("."), value)
        return resolve(decode({**tree, "seed": seed}), self.dataset)

    def network(self, resolved: Resolved, seed: int = 0) -> MLP:
        return build(
            resolved.recipe.network,
            inputs=self.dataset.x.shape[1],
            outputs=resolved.objective.outputs,
            codes=self.dataset.encoder.embeddings,
            seed=seed,
        )

    def lane(self, changes: dict[str, Any] | None = None, uses: frozenset[str] = EVERYTHING, seed: int = 0) -> Trainer:
        resolved = self.resolved(changes, seed)
        full_batch = isinstance(resolved.recipe.train.optimizer, r.Lbfgs)
        return Trainer(
            resolved.recipe,
            resolved.objective,
            self.data,
            self.network(resolved, seed),
            uses=frozenset() if full_batch else uses,
            rollbacks=0,
        )


def uses_of(name: str) -> frozenset[str]:
    """What a line of the table and its companions switch on: their program has all of it."""
    given, companions = TABLE[name]
    maker = Maker(given)
    return frozenset().union(*(switched_on(maker.resolved(changes).recipe.train) for changes in ({}, *companions)))
