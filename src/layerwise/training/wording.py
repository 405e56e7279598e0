"""Words that many rooms use, first of all of `repr`: what a run, a cross-validation, a study or a model came to."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwise.tasks.intervals import Interval


def headline(metrics: "Mapping[str, Mapping[str, Interval]]") -> str:
    """The figure that counts most, in words; "" where nothing was scored.

    >>> from layerwise.tasks.intervals import Interval
    >>> headline({"train": {"r2": Interval(0.9, 0.8, 1.0)}, "test": {"r2": Interval(0.51, 0.4, 0.6)}})
    'test r2 0.51'
    """
    part = next((part for part in ("test", "validation", "train") if metrics.get(part)), "")
    for name, interval in metrics.get(part, {}).items():
        return f"{part} {name} {rounded(interval.value)}"
    return ""


def rounded(value: float | int, digits: int = 4, sign: str = "") -> str:
    """A figure with so many digits that count, large ones without a power of ten; with `sign` "+" it has always one.

    >>> rounded(0.123456), rounded(561_506.3), rounded(75_420.0, 2), rounded(2.5e-7)
    ('0.1235', '561,500', '75,000', '2.5e-07')
    """
    return f"{float(f'{value:.{digits}g}') or 0.0:{sign},.12g}"  # no -0


def described(kind: str, folder: Path, *facts: str) -> str:
    """What the `repr` of a run and its like says.

    >>> described("Run", Path("runs/digits-1"), "finished", "", "20 epochs")
    '<Run: finished, 20 epochs, in runs/digits-1>'
    """
    return f"<{kind}: {', '.join(filter(None, facts))}, in {folder}>"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "epoch"), counted(1_234, "epoch")
    ('1 epoch', '1,234 epochs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
