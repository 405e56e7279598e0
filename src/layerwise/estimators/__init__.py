"""The scikit-learn face: its names, parameters and conventions, with layerwise's engine behind them.

Change one import, ``from layerwise import MLPClassifier``, and everything around it (pipelines, grid
searches, cross-validation, pickling, pandas and Polars frames) goes on working.
"""

from layerwise.estimators.logistic import LogisticRegression
from layerwise.estimators.mlp import MLPClassifier, MLPRegressor
from layerwise.estimators.perceptron import Perceptron
from layerwise.estimators.search import LaneSearchCV

__all__ = ["LaneSearchCV", "LogisticRegression", "MLPClassifier", "MLPRegressor", "Perceptron"]
