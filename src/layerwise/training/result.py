"""What a run is judged by: its scores on each part, and simple models on the same split."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from layerwise.data.dataset import Classes, Dataset
from layerwise.tasks.apart import SENT_UP_TO, Process, dismiss, leave, take
from layerwise.tasks.baselines import Answer, Answered, Problem, Scores, score_baselines
from layerwise.tasks.bootstrap import difference
from layerwise.tasks.intervals import Interval
from layerwise.tasks.metrics import Scored
from layerwise.tasks.objective import decide, score
from layerwise.tasks.separable import separable
from layerwise.training.forward import Forward
from layerwise.training.model import Model
from layerwise.training.wording import rounded

Metrics = dict[str, dict[str, Interval]]  # part -> metric -> interval


def scored(model: Model, dataset: Dataset, part: str, seed: int) -> Scored:
    """How the model does on one part of its data."""
    rows = dataset.part(part)
    outputs = Forward(model.network).over(dataset.x, rows)
    return score(model.objective, outputs, dataset.y[rows], dataset.target, seed)


def limits(model: Model, dataset: Dataset) -> tuple[str, ...]:
    """Why a perceptron that still errs on its training rows may never stop: the proof that no line exists."""
    if model.objective.kind != "perceptron" or not isinstance(dataset.target, Classes):
        return ()
    x, y = dataset.x[dataset.train], dataset.y[dataset.train]
    if (decide(model.objective, model.outputs(x)) == y).all():
        return ()
    if len(dataset.target.names) > 2:
        return ("the perceptron still errs on training rows: no planes that it found part all classes",)
    return (separable(x, y).explain(dataset.target.names, dataset.train + 1),)


class Compared(NamedTuple):
    """What the baselines came to: their figures; of each, by part, its headline figure less the network's on the
    same rows; a sentence where one of them beats the network; and how many an interruption left out.
    """

    baselines: dict[str, Metrics]
    differences: dict[str, dict[str, Interval]]
    remarks: tuple[str, ...]
    unscored: int


class Baselines:
    """Scores the classical models from `start` on: in a process of its own, or in a thread where there is none.

    `earlier` is what a session before had for an answer; where it was asked the same, it is not asked again.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int,
        weight: Float32[np.ndarray, " rows"],
        earlier: Answered | None = None,
    ) -> None:
        self._problem = Problem.of(dataset, seed, weight)
        self._names = [baseline.name for baseline in self._problem.baselines]
        self._found: dict[str, Answer] = {}
        if earlier is not None and earlier.problem == self._problem.fingerprint():
            self._found = {answer.method: answer for answer in earlier.answers if answer.scores}
            answered = tuple(name for name in self._names if name in self._found)
            self._problem = replace(self._problem, answered=answered)
        self._stop = threading.Event()
        self._process: Process | None = None
        self._taking = threading.RLock()  # so that no process is killed which another run has taken
        self._thread = threading.Thread(target=self._work, name="baselines", daemon=True)

    def start(self) -> None:
        """Begin, unless begun."""
        if self._thread.ident is None:
            self._thread.start()

    def cancel(self) -> None:
        """Begin no further baseline, and do not wait for one in a process of its own."""
        with self._taking:
            self._stop.set()
            if self._process is not None:
                self._process.kill()

    def result(self, own: Mapping[str, Scored]) -> "Compared":
        """The baselines' scores, waited for, beside the network's `own` on each part."""
        self.start()
        self._thread.join()
        differences: dict[str, dict[str, Interval]] = {}
        answers = self._answers()
        for answer in answers:
            apart = {p: difference(np.array(draws), own[p].draws) for p, draws in answer.draws.items() if p in own}
            differences[answer.name] = {part: found for part, found in apart.items() if found is not None}
        figures = {answer.name: answer.scores for answer in answers}
        said = remarks({part: found.metrics for part, found in own.items()}, figures, differences)
        unscored = len(self._names) - len(figures) if self._stop.is_set() else 0
        if unscored:
            said += (f"{unscored} of {len(self._names)} classical methods were not scored: it was interrupted.",)
        return Compared(figures, differences, said, unscored)

    def answered(self) -> Answered:
        """What there is for an answer so far, for a later session."""
        return Answered(self._problem.fingerprint(), self._answers())

    def _answers(self) -> tuple[Answer, ...]:
        """Those that have come, from simple to costly methods."""
        return tuple(self._found[name] for name in self._names if name in self._found)

    def _work(self) -> None:
        if self._problem.baselines and not self._apart() and not self._stop.is_set():
            self._gather(score_baselines(self._problem))

    def _apart(self) -> bool:
        """Whether a process of its own took the problem, and has answered."""
        with self._taking:
            if self._problem.nbytes > SENT_UP_TO:
                dismiss()  # memory is short
                return False
            if self._stop.is_set() or (process := take()) is None:
                return False
            self._process = process
        try:
            if taken := process.ask(self._problem):
                self._gather(process.answers(self._problem))
            return taken
        finally:
            with self._taking:
                self._process = None
            leave(process)

    def _gather(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self._found[answer.method] = answer
            if self._stop.is_set():
                break


# ── beside the baselines, in words ──────────────────────────────────────────────────────────────────


def remarks(
    figures: Mapping[str, Mapping[str, Interval]],
    baselines: Scores,
    differences: Mapping[str, Mapping[str, Interval]],
) -> tuple[str, ...]:
    """A sentence where a baseline beats the network, one where even the same answer for all rows does, and one for
    each that has no figures.

    `figures` are the network's, by part. Compared are the accuracy, or else the RMSE, on the test
    part, or else on the validation part. Only the best baseline is named. `differences` are those of
    each baseline's figure less the network's on the same rows, by part, where they are known.

    >>> net = {"test": {"accuracy": Interval(0.9, 0.85, 0.94)}}
    >>> tree = {"decision_tree": {"test": {"accuracy": Interval(0.97, 0.92, 0.99)}}}
    >>> print(*remarks(net, tree, {"decision_tree": {"test": Interval(0.07, 0.03, 0.11)}}))
    decision_tree beats the network on the test part: accuracy 0.97 (0.92 to 0.99) against 0.9 (0.85 to 0.94), by 0.07
    (0.03 to 0.11) on the same rows: more than chance.
    """
    sentences = []
    part = next((name for name in ("test", "validation") if figures.get(name)), "")
    own = figures.get(part, {})
    metric = "accuracy" if "accuracy" in own else "rmse"
    rivals = {name: parts[part][metric] for name, parts in baselines.items() if metric in parts.get(part, {})}
    if metric in own and rivals:
        sign = 1 if metric == "accuracy" else -1
        best = max(rivals, key=lambda name: sign * rivals[name].value)
        if sign * rivals[best].value > sign * own[metric].value:
            apart = differences.get(best, {}).get(part)
            sentences.append(_beaten(best, part, metric, rivals[best], own[metric], apart))
            sentences += _yet(own, baselines[best][part])
    if part and (useless := _useless(own, baselines, differences, part)):
        sentences.append(useless)
    sentences += [f"no figures for {name}." for name, parts in baselines.items() if not parts]
    return tuple(sentences)


def _balanced(figures: Mapping[str, Interval]) -> float | None:
    """The balanced accuracy, where there is one."""
    return figures["balanced_accuracy"].value if "balanced_accuracy" in figures else None


def _yet(own: Mapping[str, Interval], rival: Mapping[str, Interval]) -> list[str]:
    """A sentence where the network that is less accurate knows the rare classes better."""
    ours, theirs = _balanced(own), _balanced(rival)
    if ours is None or theirs is None or ours <= theirs:
        return []
    return [
        f"the network's balanced accuracy is higher, {rounded(ours, 3)} against {rounded(theirs, 3)}: "
        "it knows rarer classes better."
    ]


def _useless(
    own: Mapping[str, Interval],
    baselines: Scores,
    differences: Mapping[str, Mapping[str, Interval]],
    part: str,
) -> str:
    """What is said of a network that does worse, by more than chance, than the same answer for all rows.

    Of a classifier only where its balanced accuracy is lower, too: with class weights it may give up the other.
    """
    name = next((name for name in baselines if name.partition(" ")[0] in ("mean", "majority_class")), "")
    theirs, apart = baselines.get(name, {}).get(part, {}), differences.get(name, {}).get(part)
    if apart is not None and apart == Interval(0, 0, 0) and _balanced(own) == _balanced(theirs):
        return f"the network does on the {part} part what {name} does: it gives all rows the same answer."
    if apart is None or apart.low * apart.high <= 0:
        return ""
    far = False
    if "rmse" in own:
        worse, far = apart.value < 0, own["rmse"].value > 10 * theirs["rmse"].value
    else:
        worse = apart.value > 0 and (_balanced(own) or 0) <= (_balanced(theirs) or 0)
    if not worse:
        return ""
    said = f"the network does worse on the {part} part than {name}, which gives all rows the same answer"
    return (
        f"{said}: {'its weights went astray, lower train.learning_rate' if far else 'it has learned nothing of use'}."
    )


def _beaten(name: str, part: str, metric: str, rival: Interval, own: Interval, apart: Interval | None) -> str:
    theirs, ours = (f"{rounded(i.value)} ({rounded(i.low)} to {rounded(i.high)})" for i in (rival, own))
    where = f"the network on the {part} part: {metric} {theirs} against {ours}"
    if apart is None:  # scored on other rows: then only intervals that are clear of each other tell something
        overlap = rival.low <= own.high and own.low <= rival.high
        if overlap:
            return f"{name} is ahead of {where}; the intervals overlap, so it may be chance."
        return f"{name} beats {where}; the intervals do not overlap."
    ends = sorted((abs(apart.low), abs(apart.high))) if apart.low * apart.high > 0 else ()
    if ends:
        by = f"by {rounded(abs(apart.value), 2)} ({rounded(ends[0], 2)} to {rounded(ends[1], 2)}) on the same rows"
        return f"{name} beats {where}, {by}: more than chance."
    return f"{name} is ahead of {where}, by {rounded(abs(apart.value), 2)} on the same rows, which may be chance."
