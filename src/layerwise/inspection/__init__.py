"""Look inside a network: what it consists of, what back-propagation computes, where training goes wrong.

Each inspection takes a network and data and returns a named record of arrays; `layerwise.plots` draws
them. `subject` finds network and data of a run, a model file or a recipe.
"""

from layerwise.inspection.basins import Minima, Starts, minima
from layerwise.inspection.cures import Overfitting, overfit
from layerwise.inspection.curvatures import Curvature, curvature
from layerwise.inspection.curves import KINDS, Curve, activation
from layerwise.inspection.decisions import DecisionSurface, surface
from layerwise.inspection.diagnoses import diagnose
from layerwise.inspection.evaluations import evaluation, mistakes
from layerwise.inspection.gradients import GradientCheck, gradcheck, miniature
from layerwise.inspection.landscapes import Landscape, landscape, path_plane, random_plane
from layerwise.inspection.plain import plain
from layerwise.inspection.rules import Diagnosis, Finding, Healthy, Unseen
from layerwise.inspection.samples import Sample, sample
from layerwise.inspection.sheets import BackpropSheet, backprop, in_own_unit
from layerwise.inspection.subjects import Subject, initial, subject
from layerwise.inspection.summaries import Summary, summary
from layerwise.inspection.surroundings import Surroundings, has_path, surroundings
from layerwise.inspection.trajectories import Retraining, Trajectory, needed
from layerwise.inspection.units import Activations, Update, activations, update

__all__ = [
    "KINDS",
    "Activations",
    "BackpropSheet",
    "Curvature",
    "Curve",
    "DecisionSurface",
    "Diagnosis",
    "Finding",
    "GradientCheck",
    "Healthy",
    "Landscape",
    "Minima",
    "Overfitting",
    "Retraining",
    "Sample",
    "Starts",
    "Subject",
    "Summary",
    "Surroundings",
    "Trajectory",
    "Unseen",
    "Update",
    "activation",
    "activations",
    "backprop",
    "curvature",
    "diagnose",
    "evaluation",
    "gradcheck",
    "has_path",
    "in_own_unit",
    "initial",
    "landscape",
    "miniature",
    "minima",
    "mistakes",
    "needed",
    "overfit",
    "path_plane",
    "plain",
    "random_plane",
    "sample",
    "subject",
    "summary",
    "surface",
    "surroundings",
    "update",
]
