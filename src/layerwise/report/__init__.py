"""Reports: one page a study, which opens without a network."""

from layerwise.report.studies import study

__all__ = ["study"]
