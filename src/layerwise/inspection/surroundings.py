"""What surrounds a solution: its loss over a plane, how curved it is, and what is to be known of both."""

from dataclasses import dataclass

from layerwise.inspection.curvatures import Curvature, curvature, stability
from layerwise.inspection.landscapes import Landscape, affordable, landscape, path_plane, random_plane
from layerwise.inspection.samples import flat, sample
from layerwise.inspection.subjects import MOST_ROWS, Subject
from layerwise.inspection.trajectories import Retraining
from layerwise.recipe import records as r
from layerwise.training.events import Epoch


@dataclass(frozen=True)
class Surroundings:
    """The loss on a plane through the solution, its curvature there, and sentences on what limits them."""

    landscape: Landscape
    curvature: Curvature
    notes: tuple[str, ...]


def has_path(subject: Subject) -> bool:
    """Whether training goes over several weights: it is one, and a run's came to the end of an epoch.

    >>> from layerwise.inspection.subjects import subject
    >>> has_path(subject("xor")), has_path(subject("xor-by-hand"))
    (True, False)
    """
    begun = subject.folder is None or any(isinstance(event, Epoch) for event in subject.events)
    return begun and isinstance(subject.recipe.train, r.Train)


def surroundings(subject: Subject, training: Retraining | None = None) -> Surroundings:
    """Measure around the solution that `training` came to, else around the subject's own network.

    The plane is that of the training's path, where it kept one; else it is a random one. Of a large network
    there are fewer points on it, measured on fewer rows.

    >>> from layerwise.inspection.subjects import subject
    >>> found = surroundings(subject("xor-by-hand"))
    >>> found.landscape.losses.shape, found.landscape.directions, found.curvature.loss
    ((41, 41), 'random', 0.0)
    """
    network = subject.network if training is None else training.network
    points, most = affordable(flat(network).size, subject.dataset.train.size)
    rows = sample(subject, "train", min(most, MOST_ROWS))
    if training is not None and training.path:
        plane = path_plane(training.trajectory, points)
    else:
        plane = random_plane(network, subject.recipe.seed, points)
    seen = landscape(network, subject.objective, rows, plane)
    curved = curvature(network, subject.objective, rows)
    notes = () if training is None else training.notes
    return Surroundings(seen, curved, (*notes, *_notes(subject, seen, curved)))


def _notes(subject: Subject, seen: Landscape, curved: Curvature) -> list[str]:
    notes = []
    rows = subject.dataset.train.size
    if seen.examples < rows:
        notes.append(f"Measured on {seen.examples:,} of {rows:,} training rows, evenly spread.")
    if curved.smallest < -curved.error - 1e-3 * abs(curved.largest):
        notes.append(
            f"The Hessian has a negative eigenvalue, too ({curved.smallest:.3g} or less): in some direction the loss "
            "still falls, so this is no minimum in the strict sense. At the end of trainings that is usual."
        )
    if said := stability(curved, subject.recipe.train):
        notes.append(said)
    return notes
