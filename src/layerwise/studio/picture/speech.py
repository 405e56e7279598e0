"""The running diagnosis: one sentence on how training goes, and at most one thing to do about it.

Rules are asked in the order of `RULES`; the first that has something to say speaks. What goes wrong comes
first, then where training stands, then what the curves say. Each speaks only where its evidence is. Losses
are measured by that of the best constant answer, as in `layerwise.inspection.rules`, whose thresholds hold
here, too, so that they are the same for every task.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from layerwise.data.dataset import Dataset
from layerwise.inspection.rules.course import FALLING, GAP, GAP_GRAVE, HALF, HARDLY
from layerwise.inspection.rules.network import DEAD_WARNING
from layerwise.inspection.samples import sample_of
from layerwise.recipe import records as r
from layerwise.studio.history.journal import Setup, Typed
from layerwise.studio.history.timeline import Curve, Timeline
from layerwise.studio.picture.moment import TRAIN, VALIDATION, WINDOW, Moment, Saying, act, written
from layerwise.studio.picture.units import DEAD, SATURATED, ailments
from layerwise.tasks.constant import constant_loss
from layerwise.tasks.objective import training_weights
from layerwise.training.optimizer import DEFAULT_RATES
from layerwise.training.padded import Parameters
from layerwise.training.resolve import Resolved

FEW = 5  # epochs before the curves are judged at all
JUMPS = 0.6  # of a constant answer's loss: rises that add up to it within the window, while the loss comes down by less
BY_HEART = 0.05  # of it: a training loss below is as good as none
LEARNED = 0.15  # of it: a loss below on rows that were held out is learned
RISEN = 1.25  # times its lowest: a validation loss there is above it for good,
RISEN_LEAST = 0.01  # where that is so much of a constant answer's loss at least
FAR = 100  # times an optimizer's usual rate: halving what is higher would take long
MORE, MOST = 10, 1_000_000  # times the epochs of a recipe that came to its end are offered, up to so many
YOUNG = 20  # epochs for which a new branch is spoken of


Sections = dict[str, Shaped[np.ndarray, "..."]]  # of a frame


def sections(
    status: str, line: Timeline, now: Parameters, setup: Setup, dataset: Dataset
) -> Callable[[Curve], Sections]:
    """What works out two sections of a frame: `caption`, a saying as JSON in UTF-8, and `health`, each unit's ailment.

    `now` are the weights; the whole curve is handed over when they are worked out, as the frame has it. It
    may be called on another thread, while training goes on here.
    """
    *hidden, _ = setup.network.layers
    widths = tuple(len(layer.bias) for layer in hidden)
    left = (line.left.end, line.left.at) if line.left else None
    train, network = setup.resolved.recipe.train, setup.resolved.recipe.network
    assert isinstance(train, r.Train) and isinstance(network, r.Mlp | r.LinearNet)
    standing = (status, line.step, line.end, line.steps_per_epoch, line.best_step, line.edits, left)
    altered = _altered(line)

    def made(whole: Curve) -> Sections:
        health = ailments(now, setup.network.activations[:-1], widths, dataset)
        known = whole.until(standing[1])
        curve = known.array()
        if altered:
            curve = curve[np.searchsorted(curve[:, 0], altered[0]) :]
        trivial = _trivial(setup.resolved, dataset)
        said = say(Moment(*standing, curve, trivial, health, widths, train, network, known.best, altered))
        return {"caption": written(said), "health": health}

    return made


def _altered(line: Timeline) -> tuple[int, str] | None:
    """The step at which the network itself was changed last, and how."""
    if line.altered is None:
        return None
    step, setup = line.altered
    typed = isinstance(setup, Setup) and any(isinstance(edit, Typed) for edit in setup.edits)
    return step, "A weight was typed in." if typed else "The network was changed."


def _trivial(resolved: Resolved, dataset: Dataset) -> float:
    """The loss of the best constant answer to the training part."""
    task, rows = resolved.recipe.task, dataset.train
    weight = training_weights(task, dataset)[rows]
    sample = sample_of(task, dataset, rows, weight)
    return constant_loss(resolved.objective, sample.y, weight, float(sample.smoothing), float(sample.delta))


def say(moment: Moment) -> Saying:
    """What is to be said at a moment."""
    return next(said for rule in RULES if (said := rule(moment)) is not None)


def _count(number: int) -> str:
    """A number with thin spaces between the thousands."""
    return f"{number:,}".replace(",", "\u202f")


def _to_epoch(moment: Moment, step: int | float) -> dict[str, Any]:
    return act(f"Go to epoch {_count(moment.epoch(step))}", "seek", step=int(step))


def _slower(moment: Moment) -> dict[str, Any]:
    usual = DEFAULT_RATES[type(moment.train.optimizer)]
    if moment.rate > FAR * usual:
        return act(f"Set the learning rate to {usual:g}", "set", path="train.learning_rate", value=usual)
    return act("Halve the learning rate", "set", path="train.learning_rate", value=float(f"{moment.rate / 2:.4g}"))


# ── where training came to ──────────────────────────────────────────────────────────────────────


def diverged(moment: Moment) -> Saying | None:
    """A loss that was no finite number any more: training went back to the last good epoch."""
    if moment.status != "diverged":
        return None
    after = " after the last change" if moment.edits else ""
    acts = [act("Undo", "undo")] if moment.edits else []
    if math.isfinite(moment.rate):
        acts.append(_slower(moment))
    strong = f"Went back to step {_count(moment.step)}."
    return Saying("divergence", strong, f"The loss was not finite any more{after}.", tuple(acts), alert=True)


def initial(moment: Moment) -> Saying | None:
    """Before the first step."""
    if moment.step:
        return None
    return Saying("initial", "Initial weights.", "Guess what will happen, then press play.")


def ended(moment: Moment) -> Saying | None:
    """Training came to an end by itself."""
    if moment.status == "finished":
        epochs = moment.train.epochs
        more = min(MORE * epochs, MOST)
        on = act(f"Train on to epoch {_count(more)}", "set", path="train.epochs", value=more)
        acts = (on,) if more > epochs else ()
        return Saying("end", f"Finished after {_count(epochs)} epochs.", "The recipe asks for no more.", acts)
    if moment.status == "stopped_early":
        strong = f"Stopped early at epoch {_count(moment.epoch(moment.step))}."
        best = moment.best[0] if moment.best else moment.best_step
        rest = f"Validation was best at epoch {_count(moment.epoch(best))}."
        return Saying("end", strong, rest, (_to_epoch(moment, best),))
    return None


def back(moment: Moment) -> Saying | None:
    """Training stands before its end."""
    if moment.step >= moment.end:
        return None
    strong = f"Back at epoch {_count(moment.epoch(moment.step))}."
    return Saying("back", strong, "What comes after is known; play goes on from here.")


def altered(moment: Moment) -> Saying | None:
    """The network itself was changed, and no epoch has ended since: the curves are those of another one."""
    if moment.altered is None or moment.epoch(moment.step) > moment.epoch(moment.altered[0]):
        return None
    now = dict(zip((TRAIN, VALIDATION), moment.curve[0, [TRAIN, VALIDATION]], strict=True)) if len(moment.curve) else {}
    losses = [
        f"{now[column]:.2g} {words}"
        for column, words in ((TRAIN, "in training"), (VALIDATION, "in validation"))
        if math.isfinite(now.get(column, math.nan))
    ]
    rest = f"The loss is {' and '.join(losses)} now." if losses else "The loss is no finite number now."
    return Saying("change", moment.altered[1], rest, (act("Undo", "undo"), *_return(moment)))


def branched(moment: Moment) -> Saying | None:
    """A little way onto a new branch the old one is named."""
    if moment.left is None or moment.step - moment.left[1] > YOUNG * moment.per_epoch:
        return None
    last = f"up to epoch {_count(moment.epoch(moment.left[0]))}"
    return Saying("branch", "A new branch.", f"The line before, {last}, stays dotted.", _return(moment))


def _return(moment: Moment) -> tuple[dict[str, Any], ...]:
    return () if moment.left is None else (act("Return to the line before", "return"),)


# ── what is wrong with the network ──────────────────────────────────────────────────────────────


def dead(moment: Moment) -> Saying | None:
    """ReLUs that give 0 for every training row: a whole layer of them, or some where nothing was learned yet."""
    shares = _shares(moment, DEAD)
    if not shares or max(shares) < (DEAD_WARNING if not moment.known else 1.0):
        return None
    layer = int(np.argmax(shares))
    many, of = round(shares[layer] * moment.widths[layer]), moment.widths[layer]
    verb = "is" if many == 1 else "are"
    strong = f"{many} of {of} units of layer {layer + 1} {verb} dead."
    kinds = _activations(moment)
    kinds[layer] = {"kind": "leaky_relu"}
    rest = "They give 0 for every training point, so no error reaches them any more."
    return Saying("dead units", strong, rest, (act("Use leaky ReLU", "set", path="network.activation", value=kinds),))


def saturated(moment: Moment) -> Saying | None:
    """Units far out on their flat sides for every training row, where nothing was learned yet."""
    shares = _shares(moment, SATURATED)
    if not shares or moment.known or max(shares) < HALF:
        return None
    layer = int(np.argmax(shares))
    many, of = round(shares[layer] * moment.widths[layer]), moment.widths[layer]
    rest = "Weighted sums far from 0 let hardly any error back."
    acts = (act("Begin again", "reset"),)
    if moment.train.l2 < 0.001:
        acts = (act("Set L2 to 0.001", "set", path="train.l2", value=0.001),)
    return Saying("saturation", f"{many} of {of} units of layer {layer + 1} are saturated.", rest, acts)


def _shares(moment: Moment, ailment: int) -> list[float]:
    """Of each hidden layer, how many of its units have it."""
    return [float((row[:width] == ailment).mean()) for row, width in zip(moment.ailments, moment.widths, strict=False)]


def _activations(moment: Moment) -> list[dict[str, Any]]:
    """Every hidden layer's activation, as a recipe has it."""
    given = moment.network.activation if isinstance(moment.network, r.Mlp) else ()
    kinds = list(given) if isinstance(given, tuple | list) else [given] * len(moment.widths)
    return [{"kind": type(kind).__struct_config__.tag, **_fields(kind)} for kind in kinds]


def _fields(kind: r.Activation) -> dict[str, float]:
    return {name: getattr(kind, name) for name in kind.__struct_fields__}


# ── what the curves say ─────────────────────────────────────────────────────────────────────────


def first_epochs(moment: Moment) -> Saying | None:
    """Too few epochs to judge."""
    if not len(moment.curve):
        return Saying("beginning", "The first epoch.", "Its curves begin where it ends.")
    if len(moment.curve) < FEW:
        since = " since the change" if moment.altered else ""
        return Saying("beginning", f"The first epochs{since}.", "Watch whether both losses come down.", _return(moment))
    return None


def jumping(moment: Moment) -> Saying | None:
    """A rate too high: from epoch to epoch the training loss leaps up and down instead of coming down."""
    loss = moment.curve[-WINDOW - 1 :, TRAIN]
    steps = np.diff(loss)
    rises = float(steps[steps > 0].sum())
    if len(steps) < FEW or rises < JUMPS * moment.trivial or loss[0] - loss[-1] > rises:
        return None
    acts = (_slower(moment),) if math.isfinite(moment.rate) else ()
    rest = f"From epoch to epoch it leaps up again, at a learning rate of {moment.rate:g}."
    return Saying("learning rate", "The training loss jumps.", rest, acts)


def by_heart(moment: Moment) -> Saying | None:
    """Hardly any training loss, and much on rows that were held out."""
    if not moment.held_out or moment.now(TRAIN) > BY_HEART * moment.trivial:
        return None
    if moment.now(VALIDATION) - moment.now(TRAIN) < GAP_GRAVE * moment.trivial:
        return None
    rest = f"The training loss is almost nothing, the validation loss {moment.now(VALIDATION):.2g}."
    return Saying("over-fitting", "Learned by heart.", rest, _to_best(moment))


def over_fitting(moment: Moment) -> Saying | None:
    """The validation loss has risen from its lowest, by much or for long, while the training loss has not."""
    lowest = moment.lowest
    if lowest is None:
        return None
    now = moment.now(VALIDATION)
    rise = now - lowest[VALIDATION]
    lasting = moment.long_past and now > RISEN * lowest[VALIDATION] and rise > RISEN_LEAST * moment.trivial
    risen = rise > GAP * moment.trivial or lasting
    if not risen or not moment.known or moment.now(TRAIN) > lowest[TRAIN]:
        return None
    strong = f"Over-fitting since epoch {_count(moment.epoch(lowest[0]))}."
    rest = f"The validation loss was {lowest[VALIDATION]:.2g} there and is {now:.2g}; the training loss has not risen."
    return Saying("over-fitting", strong, rest, _to_best(moment))


def _to_best(moment: Moment) -> tuple[dict[str, Any], ...]:
    there = moment.lowest is not None and moment.lowest[0] < moment.step
    return (_to_epoch(moment, moment.lowest[0]),) if there and moment.lowest else ()


def nothing_learned(moment: Moment) -> Saying | None:
    """After some epochs the training loss is still about that of a constant answer."""
    if len(moment.curve) < WINDOW or moment.now(TRAIN) < HARDLY * moment.trivial:
        return None
    share = moment.now(TRAIN) / moment.trivial
    rest = f"The training loss is {share:.0%} of what the same answer for all points gets."
    kinds = _activations(moment)
    if not kinds or all(kind["kind"] == "linear" for kind in kinds):
        rest += " A network without curves draws one straight line only."
        layer = {"kind": "mlp", "hidden": [4], "activation": "tanh"}
        return Saying(
            "under-fitting", "Hardly learning.", rest, (act("Add a hidden layer", "set", path="network", value=layer),)
        )
    falling = moment.curve[-WINDOW, TRAIN] > moment.curve[-1, TRAIN]
    acts: tuple[dict[str, Any], ...] = ()
    if falling and math.isfinite(moment.rate) and moment.rate < 1:
        faster = float(f"{3 * moment.rate:.4g}")
        acts = (act("Triple the learning rate", "set", path="train.learning_rate", value=faster),)
    return Saying("under-fitting", "Hardly learning.", rest, acts)


def flat(losses: Float64[np.ndarray, " epochs"], trivial: float) -> bool:
    """Whether losses, one an epoch, have stopped falling; before two windows of epochs there is no evidence of it."""
    if len(losses) < 2 * WINDOW:
        return False
    before, now = float(np.median(losses[-2 * WINDOW : -WINDOW])), float(np.median(losses[-WINDOW:]))
    return before - now <= FALLING * trivial


def plateau(moment: Moment) -> Saying | None:
    """The training loss is not small, and does not fall any more."""
    if moment.now(TRAIN) < LEARNED * moment.trivial or not flat(moment.curve[:, TRAIN], moment.trivial):
        return None
    epochs = moment.epoch(moment.curve[-1, 0] - moment.curve[-2 * WINDOW, 0])
    rest = f"The training loss has stayed at {moment.now(TRAIN):.2g} for {_count(epochs)} epochs."
    return Saying("plateau", "A plateau.", rest, _return(moment))


def learned(moment: Moment) -> Saying | None:
    """Little loss left on the rows that were held out, or where there are none on the training rows."""
    column = VALIDATION if moment.held_out else TRAIN
    if moment.now(column) > LEARNED * moment.trivial or moment.now(TRAIN) > LEARNED * moment.trivial:
        return None
    rest = f"The validation loss is down to {moment.now(column):.2g}."
    if not moment.held_out:
        rest = "The training loss is down to almost nothing; nothing is held out for validation."
    return Saying("learned", "Learned.", rest, _return(moment))


def stalled(moment: Moment) -> Saying | None:
    """The validation loss is not small, does not fall any more, and was lower long ago."""
    lowest, now = moment.lowest, moment.now(VALIDATION)
    if lowest is None or not moment.long_past or now <= LEARNED * moment.trivial or moment.falls(VALIDATION):
        return None
    rest = f"The validation loss was lowest at epoch {_count(moment.epoch(lowest[0]))}, {lowest[VALIDATION]:.3g}; "
    return Saying("stalled", "No better on validation.", f"{rest}it is {now:.3g} now.", _to_best(moment))


def learning(moment: Moment) -> Saying:
    """Whatever comes down does so; what does not is said."""
    if not moment.held_out:
        rest = "Nothing is held out for validation, so over-fitting cannot be seen."
        return Saying("learning", "Training.", rest, _return(moment))
    match moment.falls(TRAIN), moment.falls(VALIDATION):
        case True, True:
            rest = "Training and validation loss come down."
        case True, False:
            rest = "The training loss comes down, the validation loss does not."
        case False, True:
            rest = "The validation loss comes down, the training loss does not."
        case _ if len(moment.curve) >= 2 * WINDOW:
            both = f"{moment.now(TRAIN):.2g} in training and {moment.now(VALIDATION):.2g} in validation"
            return Saying("plateau", "A plateau.", f"The loss has stayed at {both}.", _return(moment))
        case _:
            rest = "The losses go up and down a little."
    return Saying("learning", "Learning.", rest, _return(moment))


RULES: tuple[Callable[[Moment], Saying | None], ...] = (
    diverged, initial, ended, back, altered, branched, dead, first_epochs, jumping, saturated,
    by_heart, over_fitting, nothing_learned, plateau, stalled, learned, learning,
)  # fmt: skip
