"""Runs of an instant, and one that is long enough to be interrupted."""

from layerwise.training.events import Epoch

RECIPE = {
    "data": {"kind": "toy", "name": "xor", "n": 200, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "train": {"epochs": 30, "learning_rate": 0.01},
}
LONG = {**RECIPE, "train": {"epochs": 1_000_000, "patience": 0, "learning_rate": 0.001}}
# Of a run that is over.
RUN_FILES = {".lock", "recipe.toml", "events.jsonl", "state.safetensors", "model.safetensors", "metrics.json"}


def first_epoch(run):
    """Go on until an epoch is over."""
    return next(event for event in run if isinstance(event, Epoch))
