"""Reports: one page a run or a study, which opens without a network."""

from layerwise.report.runs import run
from layerwise.report.studies import study

__all__ = ["run", "study"]
