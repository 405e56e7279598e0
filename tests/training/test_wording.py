"""What `repr` says of a run and its model, before and after training; and the package's public names."""

from pathlib import Path

import layerwise
from layerwise import Run


def test_a_run_and_its_model_tell_what_they_are(tmp_path: Path) -> None:
    recipe = {
        "data": {"kind": "toy", "name": "circle", "n": 60},
        "network": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 2},
    }
    run = Run(recipe, out=tmp_path / "one")
    assert repr(run) == f"<Run: running, 0 epochs, in {tmp_path / 'one'}>"
    with run:
        for _ in run:
            pass
    score = f"test accuracy {run.metrics['test']['accuracy'].value:.4g}"
    assert repr(run) == f"<Run: finished, 2 epochs, {score}, in {tmp_path / 'one'}>"
    model = layerwise.load(run.model_path)
    assert repr(model).endswith(f"(2 classes) from 2 columns, {score}>")
    assert "(2 classes) from 2 columns" in repr(run.model)


def test_the_public_names_are_listed() -> None:
    names = dir(layerwise)
    assert {"train", "tune", "Model", "plots", "report"} <= set(names)
    assert all(getattr(layerwise, name) is not None for name in names)
