"""Whether what a lesson claims happens: its checks, on the engine that the page plays with.

python -m layerwise.studio.school.examine FILE... says it of a lecturer's files.
"""

import math
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from layerwise.errors import DataError, LayerwiseError
from layerwise.recipe import Recipe, load, plain
from layerwise.studio.games.session import Session
from layerwise.studio.picture.units import DEAD, SATURATED, ailments
from layerwise.studio.school.lessons import Check, Lesson, read
from layerwise.training import padded
from layerwise.training.forward import Forward

NOTHING = 0.01  # a weight below has all but vanished
THOUSANDTH = 5.1e-4  # as far as an output may be off


def examined(lesson: Lesson) -> list[str]:
    """The claims of a lesson that do not hold, in words; none where all is well.

    Raises `RecipeError` where a recipe of it cannot be played.
    """
    for recipe in (lesson.recipe, *lesson.states.values()):
        Session(recipe)
    found: list[str] = []
    for check in lesson.head.check:
        found += [f"{check.state or 'the beginning'}: {failed}" for failed in _failed(lesson, check)]
    return found


def _failed(lesson: Lesson, check: Check) -> list[str]:
    recipe = lesson.states[check.state] if check.state else lesson.recipe
    failures = [_of_one(_with_seed(recipe, seed), check) for seed in check.seeds or (recipe.seed,)]
    if check.times is None:
        return [failed for each in failures for failed in each]
    held, (low, high) = sum(not each for each in failures), check.times
    return [] if low <= held <= high else [f"it holds for {held} of {len(failures)} seeds, not for {low} to {high}"]


def _of_one(recipe: Recipe, check: Check) -> list[str]:
    session = Session(recipe)
    aim = check.epochs * session.steps_per_epoch
    while session.step < aim and session.advance(aim - session.step):
        pass
    seen, failures = figures(session), []
    for name, bound in check.least.items():
        if not seen[name] >= bound:
            failures.append(f"{name} is {seen[name]:.4g}, not at least {bound:g}")
    for name, bound in check.most.items():
        if not seen[name] <= bound:
            failures.append(f"{name} is {seen[name]:.4g}, not at most {bound:g}")
    if check.outputs:
        said = outputs(session)
        if len(said) != len(check.outputs) or np.abs(said - check.outputs).max() > THOUSANDTH:
            failures.append(f"the outputs are {', '.join(f'{value:.3f}' for value in said)}")
    return failures


def _with_seed(recipe: Recipe, seed: int) -> Recipe:
    return recipe if seed == recipe.seed else load({**plain(recipe), "seed": seed})


def figures(session: Session) -> dict[str, float]:
    """What a check can ask for, as things are now; NaN where it is unknown."""
    curve = session.timeline.curve.array()
    last = curve[-1] if len(curve) else np.full(5, math.nan)
    parameters, network = session.timeline.parameters, session.network
    *hidden, _ = network.layers
    widths = tuple(len(layer.bias) for layer in hidden)
    health = ailments(parameters, network.activations[:-1], widths, session.dataset)
    weights = [np.asarray(layer.weight) for layer in padded.unpack(parameters, network).layers]
    return {
        "train_loss": last[1],
        "train_accuracy": last[2],
        "validation_loss": last[3],
        "validation_accuracy": last[4],
        "gap": last[3] - last[1],
        "rise": last[3] - curve[:, 3].min() if len(curve) else math.nan,
        "parameters": sum(layer.weight.size + layer.bias.size for layer in network.layers),
        "dead": int((health == DEAD).sum()),
        "saturated": int((health == SATURATED).sum()),
        "zeros": sum(int((np.abs(weight) < NOTHING).sum()) for weight in weights),
        "diverged": float(session.status == "diverged"),
        "epochs": session.step // session.steps_per_epoch,
    }


def outputs(session: Session) -> Float64[np.ndarray, " rows"]:
    """The probability of the second of two classes, for every row in its order."""
    network = padded.unpack(session.timeline.parameters, session.network)
    z = np.asarray(Forward(network)(session.dataset.x), np.float64)[:, 0]
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))


def main(names: list[str]) -> int:
    """Read and examine files, and say what is wrong with each; the exit status."""
    wrong = 0
    for name in names:
        try:
            lesson = read(Path(name))
            if failed := examined(lesson):
                raise DataError("what a lesson claims happens", received="; ".join(failed), place=Path(name).name)
            print(f"{name}: all is well, {len(lesson.head.check)} checks")
        except LayerwiseError as error:
            wrong += 1
            print(f"{name}: {error}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
