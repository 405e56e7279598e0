"""Every error layerwise raises on purpose.

    LayerwiseError
    ├── RecipeError        the recipe is wrong: unknown key, bad value, parts that do not fit
    ├── DataError          the data is wrong: missing file, absent column, nothing to learn from
    ├── ModelFileError     the model file is cut short, altered, newer than we are, or not ours
    ├── RunError           a run folder cannot be read, resumed or taken
    │   └── FailedError    a run that began in order could not go on: a machine or a database failed
    ├── StorageError       a file cannot be written: disk full, folder read-only
    └── MissingExtraError  an optional dependency is not installed

Each carries four parts, so that every message reads alike: the *rule* that was broken, what was
*received*, the *remedy*, and the *place* (file, line, row, column) where it stands.

>>> print(DataError("the target column must exist", received="'prise'", remedy="name one of: price, area"))
the target column must exist
  received: 'prise'
  remedy:   name one of: price, area
"""

from typing import Any

LONGEST = 1_000  # characters of a part: a column's name or a category can be a megabyte


class LayerwiseError(Exception):
    """Base of all errors a user can cause; the command line prints it without a traceback.

    `rule` is the broken rule as a statement, `received` what came instead, `remedy` what to do
    next, `place` where it stands ("prices.csv, row 3, column 'area'"). Only `rule` is required. What
    is longer than 1,000 characters is cut.
    """

    exit_code = 2

    def __init__(self, rule: str, *, received: str = "", remedy: str = "", place: str = "") -> None:
        rule, received, remedy, place = (
            part if len(part) <= LONGEST else part[: LONGEST - 3] + "..." for part in (rule, received, remedy, place)
        )
        super().__init__(rule, received, remedy, place)
        self.rule = rule
        self.received = received
        self.remedy = remedy
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        """So that an error raised in a worker process comes out in the one that waits for it."""
        return _again, (type(self), self.rule, self.received, self.remedy, self.place)

    def __str__(self) -> str:
        lines = [self.rule]
        if self.place:
            lines.append(f"  at:       {self.place}")
        if self.received:
            lines.append(f"  received: {self.received}")
        if self.remedy:
            lines.append(f"  remedy:   {self.remedy}")
        return "\n".join(lines)


def _again(kind: type[LayerwiseError], rule: str, received: str, remedy: str, place: str) -> LayerwiseError:
    error = kind.__new__(kind)
    LayerwiseError.__init__(error, rule, received=received, remedy=remedy, place=place)
    return error


class RecipeError(LayerwiseError, ValueError):
    """The recipe is wrong: an unknown key, a value out of range, parts that do not fit together."""


class DataError(LayerwiseError, ValueError):
    """The data is wrong: a file or column is missing, malformed, or holds nothing to learn from."""


class ModelFileError(LayerwiseError, ValueError):
    """A model file is cut short, altered, newer than this version, or was not written by layerwise."""


class RunError(LayerwiseError, RuntimeError):
    """A run's folder cannot be read, resumed or taken."""


class FailedError(RunError):
    """A run that began in order could not be finished: a machine, a database or another process failed."""

    exit_code = 1


class MissingExtraError(LayerwiseError, ImportError):
    """An optional dependency is absent; the remedy is the exact install command."""

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"this needs the package {package}, which is not installed",
            remedy=f'pip install "layerwise[{extra}]"',
        )


class StorageError(LayerwiseError, OSError):
    """A file cannot be written: the disk is full, the folder read-only or not there."""
