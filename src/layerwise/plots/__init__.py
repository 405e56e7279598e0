"""Figures, all Plotly's, drawn from records of numbers."""

from layerwise.plots.studies import StudyFigures, best_so_far, finalists, importance, study
from layerwise.plots.surfaces import surface
from layerwise.plots.trials import curves, parallel, slice_of

__all__ = [
    "StudyFigures",
    "best_so_far",
    "curves",
    "finalists",
    "importance",
    "parallel",
    "slice_of",
    "study",
    "surface",
]
