"""Figures, all Plotly's, drawn from records of numbers."""

from layerwise.plots.activations import activation, layer, norms
from layerwise.plots.architecture import architecture
from layerwise.plots.backprop import backprop_picture
from layerwise.plots.courses import course, together
from layerwise.plots.decision import decision_surface, hidden_units
from layerwise.plots.landscapes import curvature, landscape, minima
from layerwise.plots.overfitting import differences, learning
from layerwise.plots.runs import calibration, confusion, precision_recall, predicted, rivals, roc
from layerwise.plots.studies import StudyFigures, best_so_far, finalists, importance, study
from layerwise.plots.surfaces import surface
from layerwise.plots.trials import curves, parallel, slice_of

__all__ = [
    "StudyFigures",
    "activation",
    "architecture",
    "backprop_picture",
    "best_so_far",
    "calibration",
    "confusion",
    "course",
    "curvature",
    "curves",
    "decision_surface",
    "differences",
    "finalists",
    "hidden_units",
    "importance",
    "landscape",
    "layer",
    "learning",
    "minima",
    "norms",
    "parallel",
    "precision_recall",
    "predicted",
    "rivals",
    "roc",
    "slice_of",
    "study",
    "surface",
    "together",
]
