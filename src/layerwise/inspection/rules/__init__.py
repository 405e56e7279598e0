"""The rules of the diagnosis, by what they judge. Each takes a `Case` and gives one verdict: that it found something,
that all is well, or that it cannot tell.
"""

from dataclasses import dataclass
from typing import Literal

# grave: what the network has learnt, or its score, is not to be relied on. warning: it could be better, or its
# score is worth less than it seems. note: worth knowing; nothing needs to be done.
Severity = Literal["grave", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("grave", "warning", "note")  # worst first


@dataclass(frozen=True)
class Finding:
    """What a rule found: its evidence in numbers, the threshold that it passed, and what can be done about it.

    `key` is the setting of the recipe that the remedy changes.
    """

    rule: str
    severity: Severity
    evidence: str
    threshold: str
    remedy: str
    key: str


@dataclass(frozen=True)
class Healthy:
    """A rule that found nothing, and what it saw."""

    rule: str
    evidence: str


@dataclass(frozen=True)
class Unseen:
    """A rule that could not be judged, and why."""

    rule: str
    why: str


Verdict = Finding | Healthy | Unseen


@dataclass(frozen=True)
class Diagnosis:
    """The findings, worst first; what was looked at and found healthy; and what was not looked at."""

    name: str
    findings: tuple[Finding, ...]
    healthy: tuple[Healthy, ...]
    unseen: tuple[Unseen, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None where there is none."""
        return self.findings[0].severity if self.findings else None
