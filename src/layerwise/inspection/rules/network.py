"""Rules on the units of a network and on the errors that come back through it."""

import math

from layerwise.data.dataset import Classes
from layerwise.inspection.curves import SATURATED
from layerwise.inspection.rules import Finding, Healthy, Unseen, Verdict
from layerwise.inspection.rules.case import Case
from layerwise.inspection.units import LayerActivations
from layerwise.tasks.objective import decide
from layerwise.tasks.separable import separable
from layerwise.training.forward import Forward

# The CS231n notes tell of networks of which 40% were dead where the learning rate was too high; the sound
# runs of this project's own recipes were seen to have up to 22% (spiral).
DEAD_WARNING, DEAD_GRAVE = 0.25, 0.40
# Before training nothing should be saturated: an error is to reach every layer (Glorot & Bengio 2010).
SATURATED_START, SATURATED_START_GRAVE = 0.50, 0.80
# A sound tanh network ends with many saturated units, as sure answers need (73% of the pairs in `circle`).
SATURATED_END = 0.90
# Glorot's and He's initial weights are made to keep the gradient's size: the ratio of first to last layer
# was between 0.2 and 1.6 in all of this project's own recipes, 0.00003 with seven layers of sigmoids.
VANISHING_WARNING, VANISHING_GRAVE, EXPLODING = 1e-2, 1e-3, 1e2
LEARNT = 0.5  # of the trivial loss: a network that ends below it has learnt in spite of what was found

TWO_SIDED = ("sigmoid", "tanh")


def separability(case: Case) -> Verdict:
    """A perceptron that still errs: no line parts the classes, or it has not found one yet."""
    rule = "one line for two classes"
    dataset, objective = case.subject.dataset, case.subject.objective
    if objective.kind != "perceptron" or not isinstance(dataset.target, Classes) or len(dataset.target.names) > 2:
        return Unseen(rule, "the network is no perceptron for two classes")
    if not case.subject.trained:
        return Unseen(rule, "nothing has been trained yet")
    x, y = dataset.x[dataset.train], dataset.y[dataset.train]
    wrong = int((decide(objective, Forward(case.subject.network)(x)) != y).sum())
    if not wrong:
        return Healthy(rule, f"all {len(y):,} training rows are decided rightly")
    seen = f"{wrong:,} of {len(y):,} training rows are decided wrongly"
    found = separable(x, y)
    proof = found.explain(dataset.target.names, dataset.train + 1).rstrip(".")
    if found.verdict == "inseparable":
        hidden = 'give it a hidden layer: network = { kind = "mlp", hidden = [4] }'
        return Finding(rule, "grave", f"{seen}. {proof}", "a proof by linear programming", hidden, "network")
    if found.verdict == "separable":
        more = "train longer: train.epochs"
        return Finding(rule, "warning", f"{seen}. {proof}", "a line that was found", more, "train.epochs")
    return Unseen(rule, f"{seen}. {proof}")


def dead_units(case: Case) -> Verdict:
    """Units that give no error back on any row, so that nothing teaches them any more."""
    rule = "dead units"
    if case.train is None:
        return Unseen(rule, "nothing is trained: the weights are set by hand")
    layers = [layer for layer in case.now.layers[:-1] if layer.activation in ("relu", "noisy_relu") or layer.dead]
    if not layers:
        return Unseen(rule, "no hidden layer has a function with a dead side, such as ReLU")
    worst = max(layers, key=lambda layer: len(layer.dead) / layer.units)
    share = len(worst.dead) / worst.units
    seen = f"{len(worst.dead)} of {worst.units} units of {worst.name}"
    on = f"on all {case.now.rows:,} training rows looked at"
    if share < DEAD_WARNING:
        return Healthy(rule, f"at most {seen} give 0 {on}")
    begun = next(layer for layer in case.start.layers if layer.name == worst.name)
    before = f" ({len(begun.dead)} were so before training)" if case.subject.trained else ""
    rate = f"a lower train.learning_rate than {case.train.learning_rate:g}, or " if case.subject.trained else ""
    return Finding(
        rule,
        "grave" if share >= DEAD_GRAVE else "warning",
        f"{seen} give 0 {on}{before}; where the output is 0 the slope is 0, so no error reaches them and they "
        "stay as they are",
        f"{DEAD_WARNING:.0%} of a layer; grave from {DEAD_GRAVE:.0%}",
        f'try {rate}network.activation = "leaky_relu", whose slope is nowhere 0',
        "train.learning_rate" if case.subject.trained else "network.activation",
    )


def saturation(case: Case) -> Verdict:
    """Sigmoids and their kin far out on their flat sides, where an error all but ends."""
    rule = "saturation"
    if case.train is None:
        return Unseen(rule, "nothing is trained: the weights are set by hand")
    start, now = _flattest(case.start.layers), _flattest(case.now.layers)
    if start is None or now is None:
        return Unseen(rule, "no layer has a function that saturates, such as sigmoid or tanh")
    begun, share = _flat(start), _flat(now)
    what = f"have a slope of at most {SATURATED:.0%} of the steepest"
    remedy = "scale the inputs to about -1 to 1, keep network.initialization"
    if begun >= SATURATED_START:
        return Finding(
            rule,
            "grave" if begun >= SATURATED_START_GRAVE and not _learnt(case) else "warning",
            f"before training {begun:.0%} of the values of {start.name} ({_kind(start)}) {what}: weighted sums so far "
            "from 0 let hardly any error back",
            f"{SATURATED_START:.0%} of a layer before training; grave from {SATURATED_START_GRAVE:.0%}",
            f'{remedy} = "auto", or use network.activation = "relu"',
            "network.initialization",
        )
    if share >= SATURATED_END:
        return Finding(
            rule,
            "warning" if _learnt(case) else "grave",
            f"{share:.0%} of the values of {now.name} ({_kind(now)}) {what}, {begun:.0%} before training; "
            f"{len(now.stuck)} of its {now.units} units are so on every one of {case.now.rows:,} rows",
            f"{SATURATED_END:.0%} of a layer; grave where the network has not learnt either",
            f"try a lower train.learning_rate than {case.train.learning_rate:g}, or train.l2 = 0.001 to keep the "
            "weights small",
            "train.learning_rate",
        )
    return Healthy(rule, f"at most {share:.0%} of the values of {now.name} {what}")


def _flattest(layers: tuple[LayerActivations, ...]) -> LayerActivations | None:
    """Of the layers that saturate on some side the most saturated one; the output's purpose may be to saturate."""
    kinds = (*TWO_SIDED, "softplus", "elu", "gelu", "silu")
    return max((layer for layer in layers[:-1] if layer.activation in kinds), key=_flat, default=None)


def _flat(layer: LayerActivations) -> float:
    """How saturated a layer is: its values; or its units, where one side of the function is meant to be flat."""
    return layer.saturated if layer.activation in TWO_SIDED else len(layer.stuck) / layer.units


def _kind(layer: LayerActivations) -> str:
    return layer.activation.replace("_", " ")


def gradients(case: Case) -> Verdict:
    """Errors that shrink or grow on their way back to the first layer."""
    rule = "gradients through the layers"
    hidden = len(case.now.layers) - 1
    if case.train is None:
        return Unseen(rule, "nothing is trained: the weights are set by hand")
    if hidden < 2:
        return Unseen(rule, f"with {hidden or 'no'} hidden layer there is no way for an error to get lost on")
    ratio, after = case.start.gradient_ratio, case.now.gradient_ratio
    if not math.isfinite(ratio):
        return Unseen(rule, "the last layer has no gradient to compare the first one's with")
    first, last = case.start.layers[0].gradient_norm, case.start.layers[-1].gradient_norm
    seen = (
        f"before training the gradient's norm is {first:.2g} in the first layer and {last:.2g} in the last, "
        f"{ratio:.2g} times as much"
    )
    seen += f"; after it, {after:.2g} times" if case.subject.trained and math.isfinite(after) else ""
    if ratio < VANISHING_WARNING:
        return Finding(
            rule,
            "grave" if ratio < VANISHING_GRAVE and not _learnt(case) else "warning",
            f"it vanishes: {seen}; the first of {hidden} hidden layers hardly learn",
            f"a ratio of {VANISHING_WARNING:g}; grave from {VANISHING_GRAVE:g}",
            'use network.activation = "relu" with network.initialization = "auto", or fewer layers in network.hidden',
            "network.initialization" if ratio == 0 else "network.activation",
        )
    if ratio > EXPLODING:
        return Finding(
            rule,
            "warning",
            f"it explodes: {seen}",
            f"a ratio of {EXPLODING:g}",
            'keep network.initialization = "auto", or bound the gradient: train.clip = 1',
            "train.clip",
        )
    return Healthy(rule, seen)


def _learnt(case: Case) -> bool:
    """Whether the network came to a loss far below that of a constant answer all the same."""
    return case.subject.trained and case.now.loss < LEARNT * case.trivial
