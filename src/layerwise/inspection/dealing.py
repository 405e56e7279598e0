"""The validation part in two halves, so that nothing is judged by the rows that chose it."""

import numpy as np
from jaxtyping import Bool, Int64

from layerwise.data.dataset import Classes, Dataset, Rows
from layerwise.data.split import group_codes


def halves(dataset: Dataset) -> tuple[Rows, Rows]:
    """The validation rows that choose, and those that judge.

    Dealt at random, within each class where there are classes. Where the split is by group, whole groups are
    dealt; where it is by time, what is earlier chooses and what is later judges. The halves of these are as
    even as groups and moments allow, and one is empty where there is only one.
    """
    rows = np.sort(dataset.validation)
    if dataset.groups is not None:
        groups = group_codes(dataset.groups[rows])
        sizes = np.bincount(groups)
        judges = (_later if dataset.split == "time" else _dealt)(sizes)[groups]
        return rows[~judges], rows[judges]
    mixed = np.random.default_rng(rows.size).permutation(rows)
    if isinstance(dataset.target, Classes):
        mixed = mixed[np.argsort(dataset.y[mixed], kind="stable")]
    return np.sort(mixed[::2]), np.sort(mixed[1::2])


def _dealt(sizes: Int64[np.ndarray, " groups"]) -> Bool[np.ndarray, " groups"]:
    """The groups that judge: from the largest on, each goes to the half that has fewer rows."""
    judges, more = np.zeros(sizes.size, np.bool_), 0  # rows that choose, less those that judge
    for group in np.argsort(-sizes, kind="stable"):
        judges[group] = more > 0
        more += int(sizes[group]) * (-1 if judges[group] else 1)
    return judges


def _later(sizes: Int64[np.ndarray, " moments"]) -> Bool[np.ndarray, " moments"]:
    """The moments that judge: those after the change of time that is nearest to the middle."""
    ends = np.cumsum(sizes)
    last = int(np.abs(2 * ends[:-1] - ends[-1]).argmin()) if sizes.size > 1 else 0
    return np.arange(sizes.size) > last
