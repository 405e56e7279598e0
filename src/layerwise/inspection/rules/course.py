"""Rules on the course of training: its learning rate, its accidents, and whether it did too much or too little."""

import math

import numpy as np

from layerwise.inspection.rules import Finding, Healthy, Severity, Unseen, Verdict
from layerwise.inspection.rules.case import Case

# An epoch should not leave the loss above what it was before the first step; dropout alone adds a little.
WORSE = 1.2
# A loss is measured by that of the best constant answer, so that the same thresholds hold for every task.
HALF = 0.5  # of it: a network that ends above it has not learnt well
HARDLY = 0.9  # of it: a network that ends above it has hardly learnt
FALLING = 0.005  # of it: what the last tenth of the epochs brings, where more epochs would still help
GAP, GAP_GRAVE = 0.1, 0.5  # of it: between the loss on validation rows and on training rows
SURE = 2.0  # standard errors that a gap must exceed: it is chance in one of twenty samples otherwise. A grave gap
# must be a warning without them, so that chance never takes a gap from unseen to grave at one step.
# The range test passes through every rate in few steps, so a rate of its best suggestion is right only within
# a factor; the recipes of this project were seen to train well at 1/50 to 40 times of it.
TOO_LOW, TOO_LOW_UNTRAINED = 30.0, 100.0
TENTH, FEW = 10, 5  # the last tenth of the epochs; with fewer than 5 there is no course to speak of


def divergence(case: Case) -> Verdict:
    """Losses that were no finite numbers any more."""
    rule = "divergence"
    if not case.epochs and not case.rollbacks and case.finished is None:
        return Unseen(rule, "there is no log of a training")
    times = len(case.rollbacks)
    given_up = case.finished is not None and case.finished.status == "diverged"
    if not times and not given_up:
        return Healthy(rule, "the loss was finite at every step")
    train = case.train
    used = f" than {train.learning_rate:g}" if train is not None else ""
    first = f", first in epoch {case.rollbacks[0].epoch}" if case.rollbacks else ""
    ended = "; after the last one training was given up" if given_up else ", and half the rate brought it back"
    return Finding(
        rule,
        "grave" if given_up else "warning",
        f"the loss was not finite {_times(times + given_up)}{first}{ended}",
        "any loss that is not finite; grave where training was given up",
        f"use a lower train.learning_rate{used}, or bound the gradient: train.clip = 1",
        "train.learning_rate",
    )


def learning_rate(case: Case) -> Verdict:
    """A rate too high to come down, or too low to arrive; from the course of the loss, or the range test."""
    rule = "learning rate"
    train = case.train
    if train is None:
        return Unseen(rule, "nothing is trained: the weights are set by hand")
    if case.subject.objective.kind == "perceptron":
        return Unseen(rule, "a perceptron decides the same at every rate")
    if not case.testable:
        return Unseen(rule, "L-BFGS finds the length of its steps by itself")
    if isinstance(train.learning_rate, str):
        return Unseen(rule, "it is found by a range test when training begins")
    if case.epochs:
        return _by_course(case, rule, train.learning_rate)
    if case.subject.trained:
        return Unseen(rule, "there is no log of a whole epoch")
    if case.long:
        return Unseen(rule, 'a range test of so large a network takes long; train.learning_rate = "find" makes one')
    return _by_range(case, rule, train.learning_rate)


def _by_course(case: Case, rule: str, rate: float) -> Verdict:
    """What the losses of the epochs say; the range test is asked only where they are bad."""
    losses = [epoch.loss for epoch in case.epochs]
    start, worst = case.start.loss, max(losses)
    ended = case.now.loss
    seen = f"the loss of the best weights is {ended:.3g}, a constant answer's {case.trivial:.3g}"
    if worst > WORSE * start:
        when = losses.index(worst) + 1
        return Finding(
            rule,
            "grave" if ended > HALF * case.trivial else "warning",
            f"too high: the training loss was {start:.3g} before the first step and {worst:.3g} in epoch {when}; "
            + seen,
            f"an epoch with {WORSE:g} times the initial loss; grave where the best loss is above {HALF:.0%} of a "
            "constant answer's",
            f"use a lower rate than {rate:g}, e.g. a tenth of it; train.warmup = 1 also helps where only the first "
            "steps are too long",
            "train.learning_rate",
        )
    fall = _fall(case)
    unfinished = case.finished is not None and case.finished.status == "finished" and _steady(losses)
    if ended > HALF * case.trivial and unfinished and not case.long:
        test = case.range_test
        if test.suggestion is not None and rate * TOO_LOW <= test.suggestion:
            return Finding(
                rule,
                "grave",
                f"too low: after all {len(losses)} epochs {seen}, and it was still falling; a range test suggests "
                f"{test.suggestion:.2g}, {test.suggestion / rate:,.0f} times the rate of {rate:g}",
                f"a rate {TOO_LOW:g} times below the range test's, and a loss above {HALF:.0%} of a constant answer's",
                f"train.learning_rate = {test.suggestion:.2g}",
                "train.learning_rate",
            )
    course = f"the training loss went from {start:.3g} to {losses[-1]:.3g} and never above {worst:.3g}"
    return Healthy(rule, course if math.isnan(fall) or fall >= 0 else f"{course}, rising a little at the end")


def _by_range(case: Case, rule: str, rate: float) -> Verdict:
    """Before any training: only the range test can tell."""
    test = case.range_test
    if test.suggestion is None:
        return Unseen(rule, "in a range test the loss only rose, whatever the rate")
    lowest = float(test.rates[int(np.argmin(np.where(np.isfinite(test.losses), test.losses, np.inf)))])
    seen = f"in a range test the loss falls most steeply at {test.suggestion:.2g} and rises again from {lowest:.2g}"
    common = (f"train.learning_rate = {test.suggestion:.2g}", "train.learning_rate")
    if rate >= lowest:
        threshold = "a rate at which the range test's loss rises again"
        return Finding(rule, "warning", f"too high: {rate:g}, while {seen}", threshold, *common)
    if rate * TOO_LOW_UNTRAINED <= test.suggestion:
        threshold = f"a rate {TOO_LOW_UNTRAINED:g} times below the range test's"
        return Finding(rule, "warning", f"probably too low: {rate:g}, while {seen}", threshold, *common)
    return Healthy(rule, f"{rate:g}; {seen}")


def over_fitting(case: Case) -> Verdict:
    """Learning by heart: the training rows are known much better than others."""
    rule = "over-fitting"
    if (missing := _untold(case)) is not None:
        return Unseen(rule, missing)
    validation = case.losses("validation")
    if len(validation) < 2:
        return Unseen(rule, "there is no validation part to compare with")
    train = case.losses("train")
    gap = float(validation.mean() - train.mean())
    error = math.sqrt(train.var() / len(train) + validation.var() / len(validation))
    sure = gap - SURE * error
    seen = (
        f"the loss is {train.mean():.3g} on training rows and {validation.mean():.3g} on validation rows, a gap of "
        f"{gap / case.trivial:.0%} (±{SURE * error / case.trivial:.0%}) of a constant answer's loss"
    )
    rise, best = _rise(case)
    climbed = (
        f"; the validation loss was lowest in epoch {best} and rose from {rise[0]:.3g} to {rise[1]:.3g} by epoch "
        f"{len(case.epochs)}"
        if rise
        else ""
    )
    known = gap > GAP * case.trivial and sure > 0
    if not known and not climbed:
        if gap > GAP * case.trivial:
            few = f"{len(validation):,} validation rows are too few to tell: {seen}, within {SURE:g} standard errors"
            return Unseen(rule, few)
        return Healthy(rule, seen)
    severity: Severity = "note"  # it rose, but the weights of the best epoch were kept: nothing is lost but time
    if known:
        severity = "grave" if gap > GAP_GRAVE * case.trivial and sure > GAP * case.trivial else "warning"
    stop = "set train.patience = 10 to stop in time, and " if case.train is not None and not case.train.patience else ""
    return Finding(
        rule,
        severity,
        seen + climbed,
        f"a gap of {GAP:.0%} of a constant answer's loss, beyond {SURE:g} standard errors (±); grave from "
        f"{GAP_GRAVE:.0%} where {GAP:.0%} are left without these; a note where the validation loss only rose by "
        f"{GAP:.0%}",
        f"{stop}try train.dropout = 0.3, train.weight_decay = 0.01 with adamw, fewer units, or more data",
        "train.dropout" if known or not stop else "train.patience",
    )


def _rise(case: Case) -> tuple[tuple[float, float] | None, int]:
    """The lowest validation loss and the last one, where that is clearly above it while the training rows were
    learnt; and the epoch of the lowest."""
    losses = [epoch.validation.get("loss", math.nan) for epoch in case.epochs]
    if not losses or not all(map(math.isfinite, losses)):
        return None, 0
    best = int(np.argmin(losses))
    clear = losses[-1] - losses[best] > GAP * case.trivial and case.epochs[-1].loss < HALF * case.trivial
    return ((losses[best], losses[-1]) if clear else None), best + 1


def under_fitting(case: Case) -> Verdict:
    """Learning too little: the training rows themselves are hardly known, or training ended while it still helped."""
    rule = "under-fitting"
    if (missing := _untold(case)) is not None:
        return Unseen(rule, missing)
    loss = float(case.losses("train").mean())
    seen = (
        f"the loss on training rows is {loss:.3g}, {loss / case.trivial:.0%} of a constant answer's {case.trivial:.3g}"
    )
    if loss > HARDLY * case.trivial:
        return Finding(
            rule,
            "grave",
            f"{seen}: the network knows hardly more than what is usual",
            f"{HARDLY:.0%} of a constant answer's loss",
            "look at the learning rate first; then try more units in network.hidden, less regularization, or better "
            "inputs: there may be nothing in these to learn from",
            "train.learning_rate",
        )
    fall = _fall(case)
    complete = case.finished is not None and case.finished.status in ("finished", "time_limit", "interrupted")
    if complete and fall > FALLING * case.trivial:
        return Finding(
            rule,
            "warning",
            f"{seen}, and the loss was still falling when training ended: by {fall:.2g} in the last tenth of "
            f"{len(case.epochs)} epochs",
            f"{FALLING:.1%} of a constant answer's loss in the last tenth of the epochs",
            f"train longer: train.epochs = {2 * len(case.epochs)}, with train.patience = 10 to stop in time",
            "train.epochs",
        )
    return Healthy(rule, seen)


def _untold(case: Case) -> str | None:
    """Why nothing can be said on how much was learnt."""
    if not case.subject.trained:
        return "nothing has been trained yet"
    if case.train is None:
        return "nothing is trained: the weights are set by hand"
    if not math.isfinite(case.trivial):
        return "a perceptron's loss counts mistakes only, and its least is no measure"
    if case.trivial == 0:
        return "all training rows have the same target"
    return None


def _fall(case: Case) -> float:
    """By how much the loss fell over the last tenth of the epochs, on training and validation rows alike."""
    epochs = case.epochs
    if len(epochs) < FEW:
        return math.nan
    before, last = epochs[-1 - max(1, len(epochs) // TENTH)], epochs[-1]
    falls = [before.loss - last.loss]
    if "loss" in before.validation and "loss" in last.validation:
        falls.append(before.validation["loss"] - last.validation["loss"])
    return min(falls)


def _steady(losses: list[float]) -> bool:
    """Whether the training loss was falling to the end, however slowly."""
    return len(losses) >= FEW and losses[-1] <= min(losses[:-1])


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
