"""Rules on a run's scores: beside what knows nothing, beside classical methods, and what the test part can tell."""

from collections.abc import Mapping
from typing import NamedTuple

from layerwise.data.dataset import Quantities
from layerwise.inspection.rules import Finding, Healthy, Unseen, Verdict
from layerwise.inspection.rules.case import Case
from layerwise.tasks.intervals import Interval
from layerwise.training.wording import rounded

TRIVIAL = ("majority_class", "mean")
ROWS_SAID = 10_000_000  # beyond so many rows "more rows" is no advice
Scores = Mapping[str, Mapping[str, Interval]]


class Judged(NamedTuple):
    """The network's figures on a part and those of the baselines there; `sign` is 1 where larger is better.

    `apart` has each baseline's figure less the network's on the same rows, where they were scored on the same.
    """

    part: str
    rows: int
    metric: str
    sign: int
    own: Mapping[str, Interval]
    rivals: Scores
    apart: Mapping[str, Interval]

    def difference(self, rival: str) -> Interval | None:
        """By how much the network is better than a rival; None where that is not known on the same rows."""
        if (found := self.apart.get(rival)) is None:
            return None
        ends = sorted((-self.sign * found.low, -self.sign * found.high))
        return Interval(-self.sign * found.value, *ends)


def trivial(case: Case) -> Verdict:
    """A network that scores no better than an answer which never looks at the inputs."""
    rule = "no better than a constant answer"
    if isinstance(judged := _judged(case), str):
        return Unseen(rule, judged)
    name = next((name for name in judged.rivals if name.partition(" (")[0] in TRIVIAL), "")
    rival = judged.rivals.get(name, {})
    # Where classes are unbalanced, a network may know much and still not beat the accuracy of the commonest.
    metrics = [metric for metric in (judged.metric, "balanced_accuracy") if metric in rival and metric in judged.own]
    if not metrics:
        return Unseen(rule, f"the {judged.part} part has no figures of a constant answer")
    own, other = judged.own[judged.metric], rival[judged.metric]
    seen = (
        f"on {judged.rows:,} {judged.part} rows {_label(judged.metric)} is {_interval(own)}, of "
        f"{'the mean' if name.startswith('mean') else 'the commonest class'} {rounded(other.value, 3)}"
    )
    if any(judged.sign * (_worst(judged, metric) - rival[metric].value) > 0 for metric in metrics):
        return Healthy(rule, seen)
    ahead = any(judged.sign * (judged.own[metric].value - rival[metric].value) > 0 for metric in metrics)
    return Finding(
        rule,
        "warning" if ahead else "grave",
        f"{seen}: {'that may be chance' if ahead else 'the inputs were of no use to it'}",
        "an interval that holds what the constant answer has; grave where the network is not ahead at all",
        "look for other findings first; else the inputs may say nothing about this target, or the targets may "
        "stand beside the wrong rows: look at some under data",
        "data",
    )


def baselines(case: Case) -> Verdict:
    """A classical method that is better by more than chance."""
    rule = "classical methods"
    if isinstance(judged := _judged(case), str):
        return Unseen(rule, judged)
    best = _best(judged)
    if not best:
        return Unseen(rule, "no classical method was scored")
    own, rival = judged.own[judged.metric], judged.rivals[best][judged.metric]
    seen = f"{_label(judged.metric)} is {_interval(own)}, that of {_rival(best)}, the best of them, {_interval(rival)}"
    if (apart := judged.difference(best)) is None:
        clear = rival.low > own.high if judged.sign > 0 else rival.high < own.low
        how, threshold = "the intervals do not touch", "intervals that do not touch"
    else:
        clear, threshold = apart.high < 0, "a 95% interval of the difference on the same rows that leaves zero out"
        by, least, most = (rounded(-value, 2) for value in (apart.value, apart.high, apart.low))
        how = f"better by {by} ({least} to {most}) on the same rows"
    if not clear:
        return Healthy(rule, seen)
    return Finding(
        rule,
        "warning",
        f"on {judged.rows:,} {judged.part} rows {seen}: {how}",
        threshold,
        f"mend what else was found; then search for better settings: layerwise tune; or use {_rival(best)} itself",
        "search",
    )


def test_size(case: Case) -> Verdict:
    """A difference to the best classical method that so few rows cannot show."""
    rule = "size of the test part"
    if isinstance(judged := _judged(case), str):
        return Unseen(rule, judged)
    best = _best(judged)
    if not best:
        return Unseen(rule, "no classical method was scored")
    if (apart := judged.difference(best)) is None:
        return Unseen(rule, f"{_rival(best)}, the best of the classical methods, was scored on a sample of the rows")
    own, rival = judged.own[judged.metric], judged.rivals[best][judged.metric]
    by, low, high = (rounded(value, 2, "+") for value in (apart.value, apart.low, apart.high))
    seen = (
        f"{_label(judged.metric)} {rounded(own.value, 3)} against {rounded(rival.value, 3)} of {_rival(best)}: on the "
        f"same {judged.rows:,} {judged.part} rows a difference of {by} ({low} to {high})"
    )
    if apart.low > 0 or apart.high < 0:
        return Healthy(rule, seen)
    if apart.value:
        half = (apart.high - apart.low) / 2
        rows = judged.rows * (half / apart.value) ** 2
        seen += ", which may be chance" + (f"; about {_round(rows):,} rows would tell" if rows < ROWS_SAID else "")
    else:
        seen += ": equal, as far as so few rows can tell"
    folds = ', or train folds: data.split = { kind = "kfold" }' if case.subject.dataset.split != "kfold" else ""
    return Finding(
        rule,
        "note",
        seen,
        "a 95% interval of the difference that holds zero",
        f"claim no difference; or keep more rows for the {judged.part} part{folds}",
        "data.split",
    )


test_size.__test__ = False  # type: ignore[attr-defined]  # not pytest's


def _judged(case: Case) -> Judged | str:
    """The scores of a finished run on its test part, or else its validation part; or why there are none."""
    finished = case.finished
    if finished is None:
        return "only a run that has ended has scores"
    part = next((name for name in ("test", "validation") if finished.metrics.get(name)), "")
    if not part:
        return "no rows are held out"
    rivals = {name: parts[part] for name, parts in finished.baselines.items() if parts.get(part)}
    if not rivals:
        return "no baseline was scored beside the network"
    quantity = isinstance(case.subject.dataset.target, Quantities)
    metric = "rmse" if quantity else "accuracy"
    own = finished.metrics[part]
    if metric not in own:
        return f"the {part} part has no {metric}"
    apart = {name: parts[part] for name, parts in finished.differences.items() if part in parts}
    return Judged(part, case.subject.dataset.part(part).size, metric, -1 if quantity else 1, own, rivals, apart)


def _best(judged: Judged) -> str:
    """The best method that looks at the inputs."""
    known = {
        name: figures[judged.metric].value
        for name, figures in judged.rivals.items()
        if judged.metric in figures and name.partition(" (")[0] not in TRIVIAL
    }
    return max(known, key=lambda name: judged.sign * known[name], default="")


def _worst(judged: Judged, metric: str) -> float:
    """The worse end of the network's interval."""
    return judged.own[metric].low if judged.sign > 0 else judged.own[metric].high


def _label(metric: str) -> str:
    return {"rmse": "the RMSE", "accuracy": "the accuracy"}[metric]


def _rival(name: str) -> str:
    return name.replace("_", " ").replace("svm", "SVM").replace("rbf", "RBF").replace("bayes", "Bayes")


def _interval(figure: Interval) -> str:
    return f"{rounded(figure.value, 3)} ({rounded(figure.low, 3)} to {rounded(figure.high, 3)})"


def _round(rows: float) -> int:
    """To one digit that counts: it is an estimate."""
    return int(float(f"{max(rows, 1.0):.0e}"))
