"""Look inside a network: what it consists of, what back-propagation computes, where training goes wrong.

Each inspection takes a network and data and returns a named record of arrays; `layerwise.plots` draws
them. `subject` finds network and data of a run, a model file or a recipe.
"""

from layerwise.inspection.cures import Overfitting, overfit
from layerwise.inspection.decisions import DecisionSurface, surface
from layerwise.inspection.evaluations import evaluation, mistakes
from layerwise.inspection.gradients import GradientCheck, gradcheck, miniature
from layerwise.inspection.plain import plain
from layerwise.inspection.sheets import BackpropSheet, backprop
from layerwise.inspection.subjects import Subject, initial, subject
from layerwise.inspection.summaries import Summary, summary

__all__ = [
    "BackpropSheet",
    "DecisionSurface",
    "GradientCheck",
    "Overfitting",
    "Subject",
    "Summary",
    "backprop",
    "evaluation",
    "gradcheck",
    "initial",
    "miniature",
    "mistakes",
    "overfit",
    "plain",
    "subject",
    "summary",
    "surface",
]
