"""layerwise: train, tune, look inside and use neural networks on your own data, from one file.

    run = layerwise.train("digits")           # or a recipe file, or a mapping
    model = layerwise.load(run.model_path)
    model.predict(rows)

Names are imported when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerwise.estimators import LaneSearchCV as LaneSearchCV
    from layerwise.estimators import LogisticRegression as LogisticRegression
    from layerwise.estimators import MLPClassifier as MLPClassifier
    from layerwise.estimators import MLPRegressor as MLPRegressor
    from layerwise.estimators import Perceptron as Perceptron
    from layerwise.progress.calls import cross_validate as cross_validate
    from layerwise.progress.calls import load as load
    from layerwise.progress.calls import train as train
    from layerwise.progress.calls import tune as tune
    from layerwise.training.folds import CrossValidation as CrossValidation
    from layerwise.training.model import Model as Model
    from layerwise.training.run import Run as Run
    from layerwise.tuning.study import Study as Study

__version__ = "0.1.0"

_HOME = {
    "CrossValidation": "layerwise.training.folds",
    "LaneSearchCV": "layerwise.estimators",
    "LogisticRegression": "layerwise.estimators",
    "MLPClassifier": "layerwise.estimators",
    "MLPRegressor": "layerwise.estimators",
    "Model": "layerwise.training.model",
    "Perceptron": "layerwise.estimators",
    "Run": "layerwise.training.run",
    "Study": "layerwise.tuning.study",
    "cross_validate": "layerwise.progress.calls",
    "load": "layerwise.progress.calls",
    "train": "layerwise.progress.calls",
    "tune": "layerwise.progress.calls",
}

__all__ = [
    "CrossValidation",
    "LaneSearchCV",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "Perceptron",
    "Run",
    "Study",
    "cross_validate",
    "load",
    "train",
    "tune",
]


def __dir__() -> list[str]:
    return [*__all__, "inspection", "plots", "report", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in ("inspection", "plots", "report"):
        return import_module(f"layerwise.{name}")
    raise AttributeError(f"module 'layerwise' has no attribute {name!r}")
