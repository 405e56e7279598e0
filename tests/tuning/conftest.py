"""A small search that all tests of studies share, so that its programs are compiled once."""

from typing import Any

import pytest

from layerwise.tuning.study import Study

RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "circle", "n": 120, "noise": 0.1},
    "network": {"kind": "mlp", "hidden": [4], "activation": "tanh"},
    "train": {"epochs": 8, "batch_size": 16, "patience": 0},
    "search": {
        "method": "random",
        "trials": 8,
        "space": {"train.learning_rate": {"log": [1e-3, 1e-1]}, "train.dropout": {"uniform": [0, 0.3]}},
    },
}


@pytest.fixture(autouse=True)
def no_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classical models beside the winner take longer than all else here, and are tested elsewhere.

    Nor is there a process for them, which would import scikit-learn first.
    """
    monkeypatch.setattr("layerwise.training.run.prepare", lambda: None)
    monkeypatch.setattr("layerwise.training.result.take", lambda: None)
    monkeypatch.setattr("layerwise.training.result.score_baselines", lambda *_: iter(()))


@pytest.fixture(scope="session")
def recipe_with():
    """A function that gives the recipe with settings changed by dotted path."""
    return recipe


def recipe(**changes: Any) -> dict[str, Any]:
    """The recipe; `train__epochs=3` stands for the path train.epochs."""
    import copy

    tree = copy.deepcopy(RECIPE)
    for path, value in changes.items():
        *places, last = path.split("__")
        inner = tree
        for place in places:
            inner = inner[place]
        inner[last] = value
    return tree


@pytest.fixture(scope="session")
def finish():
    """A function that searches with a study to its end."""

    def finish(study: Study) -> Study:
        with study:
            for _ in study:
                pass
        return study

    return finish


@pytest.fixture
def study_of(tmp_path):
    """A function that runs a study to its end and gives it with its events."""
    count = 0

    def run(**changes: Any) -> tuple[Study, list[Any]]:
        nonlocal count
        count += 1
        with Study(recipe(**changes), out=tmp_path / f"study-{count}") as study:
            return study, list(study)

    return run
