"""The running diagnosis: networks made ill on purpose, one for each rule, and healthy ones of which nothing is said."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layerwise.recipe import records as r
from layerwise.studio.games.session import DEFAULT, Session
from layerwise.studio.games.settings import changed
from layerwise.studio.picture import frames, speech, units
from layerwise.studio.picture.moment import Moment, Saying
from layerwise.studio.picture.speech import say

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

SPLIT = {"kind": "random", "validation": 0.3, "test": 0.2}


def session(data: dict[str, Any] | None = None, network: Any = None, **train: Any) -> Session:
    return Session(
        {
            "data": {**DEFAULT["data"], **(data or {})},
            "network": {**DEFAULT["network"], **(network or {})},
            "train": {**DEFAULT["train"], **train},
        }
    )


def said(played: Session) -> dict[str, Any]:
    """The caption of a frame."""
    _, _, sections = frames.unpacked(played.frame()())
    found: dict[str, Any] = json.loads(bytes(sections["caption"]))
    assert found["strong"].endswith(".") and found["rest"].endswith(".")
    return found


def epochs(played: Session, count: int) -> Session:
    played.advance(count * played.steps_per_epoch)
    return played


# ── healthy ones ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("toy", ["circle", "moons", "gaussians", "xor", "plane", "multi-gaussian"])
def test_a_sound_training_is_learning_and_then_has_learned(toy: str) -> None:
    """Nothing bad is said at any time."""
    played = session({"name": toy, "noise": 0.0 if toy == "circle" else 0.1}, {"hidden": [6, 4]})
    heard = [said(played)["rule"]]
    for _ in range(40):
        heard.append(said(epochs(played, 15))["rule"])
    assert heard[0] == "initial" and set(heard[1:]) <= {"beginning", "learning", "learned", "plateau"}, heard
    assert heard[1] in ("beginning", "learning", "learned") and heard[-1] in ("learned", "plateau", "learning")
    if toy in ("circle", "gaussians"):
        assert heard[-1] == "learned"


# ── ill ones ────────────────────────────────────────────────────────────────────────────────────


def too_fast() -> Session:
    return epochs(session({"name": "spiral", "noise": 0.1}, {"hidden": [8, 8]}, learning_rate=3.0), 40)


def too_slow() -> Session:
    return epochs(session(learning_rate=1e-5), 40)


def with_a_line_only() -> Session:
    return epochs(session({"name": "xor"}, {"hidden": []}), 60)


def dead_layer() -> Session:
    played = session(None, {"hidden": [3, 2], "activation": "relu"})
    played.advance(1)
    for unit in range(3):
        played.type_weight(0, unit, None, -100.0)
    return epochs(played, 8)


def far_out() -> Session:
    played = session(None, {"hidden": [2, 2], "activation": "sigmoid"})
    played.advance(1)
    for unit in range(2):
        played.type_weight(0, unit, None, 40.0)
    return epochs(played, 10)


def by_heart() -> Session:
    noisy = {"name": "gaussians", "noise": 0.5, "n": 60}
    return epochs(session(noisy, {"hidden": [8, 8, 8]}, optimizer="adam", learning_rate=0.01), 3000)


def worse_again() -> Session:
    noisy = {"name": "gaussians", "noise": 0.5, "n": 150}
    played = session(noisy, {"hidden": [8, 8]}, optimizer="adam", learning_rate=0.01)
    while said(epochs(played, 10))["rule"] != "over-fitting":
        assert played.step < 50_000
    return played


def wild() -> Session:
    played = session()
    epochs(played, 2)
    played.change(changed(played.recipe, "train.learning_rate", 3e38))
    return epochs(played, 5)


def stuck() -> Session:
    """Two tanh units cannot draw a ring around the middle."""
    return epochs(session(None, {"hidden": [2]}, learning_rate=0.1), 2500)


ILL = {
    "learning rate": (too_fast, "jumps", "set"),
    "under-fitting": (too_slow, "Hardly learning", "set"),
    "under-fitting, of a line": (with_a_line_only, "Hardly learning", "set"),
    "dead units": (dead_layer, "3 of 3 units of layer 1 are dead", "set"),
    "saturation": (far_out, "2 of 2 units of layer 1 are saturated", "set"),
    "over-fitting": (worse_again, "Over-fitting since epoch", "seek"),
    "over-fitting, by heart": (by_heart, "Learned by heart", "seek"),
    "divergence": (wild, "Went back to step 50", "undo"),
    "plateau": (stuck, "A plateau", None),
}


@pytest.mark.parametrize(("rule", "made", "words", "does"), [(rule, *rest) for rule, rest in ILL.items()], ids=ILL)
def test_an_ill_training_is_told_by_its_rule(rule: str, made: Callable[[], Session], words: str, does: Any) -> None:
    found = said(made())
    assert found["rule"] == rule.partition(",")[0] and words in found["strong"]
    assert (found["acts"][0]["do"] if found["acts"] else None) == does


@pytest.mark.parametrize("made", [too_slow, with_a_line_only, dead_layer, far_out])
def test_what_is_offered_can_be_done_and_helps(made: Callable[[], Session]) -> None:
    """The change is one that the session takes; and after it the loss comes down further."""
    played = made()
    before = played.timeline.curve.array()[-1, 1]
    for _ in range(12):
        act = next(iter(said(played)["acts"]), None)
        if act is None or act["do"] != "set":
            break
        played.change(changed(played.recipe, act["path"], act["value"]))
        epochs(played, 40)
    assert played.timeline.curve.array()[-1, 1] < before or made is dead_layer


def test_a_slower_rate_ends_the_jumps() -> None:
    played = too_fast()
    for _ in range(8):
        found = said(played)
        if found["rule"] != "learning rate":
            break
        played.change(changed(played.recipe, found["acts"][0]["path"], found["acts"][0]["value"]))
        epochs(played, 40)
    assert said(played)["rule"] != "learning rate" and speech_rate(played) < 3.0


def speech_rate(played: Session) -> float:
    train = played.recipe.train
    assert isinstance(train, r.Train) and isinstance(train.learning_rate, float)
    return train.learning_rate


def test_the_best_epoch_is_a_step_of_the_curve() -> None:
    played = worse_again()
    step = said(played)["acts"][0]["step"]
    curve = played.timeline.curve.array()
    assert step == curve[np.nanargmin(curve[:, 3]), 0] < played.step
    played.seek(step)
    assert said(played)["rule"] == "back"


# ── where training stands ───────────────────────────────────────────────────────────────────────


def test_ends_branches_and_ways_back_are_told() -> None:
    played = session(epochs=4)
    assert said(played)["rule"] == "initial"
    played.advance(3)
    assert said(played)["strong"] == "The first epoch."
    played.advance(500)
    found = said(played)
    assert found["strong"] == "Finished after 4 epochs." and found["acts"][0]["label"] == "Train on to epoch 40"
    played.change(changed(played.recipe, found["acts"][0]["path"], found["acts"][0]["value"]))
    assert played.status == "running"
    epochs(played, 20)
    played.seek(160)
    assert said(played)["strong"] == "Back at epoch 6."
    played.change(changed(played.recipe, "train.l2", 0.01))
    played.advance(5)
    found = said(played)
    assert found["rule"] == "branch" and found["acts"][0]["do"] == "return" and "epoch 24" in found["rest"]
    epochs(played, speech.YOUNG + 1)
    found = said(played)
    assert found["rule"] == "learning" and found["acts"][0]["do"] == "return"
    played.go_back()
    assert played.end == 600


def test_early_stopping_leads_to_the_best_epoch() -> None:
    played = session({"noise": 0.4, "n": 60}, learning_rate=0.3, patience=3)
    while played.advance(10_000):
        pass
    found = said(played)
    assert found["strong"].startswith("Stopped early") and found["acts"][0]["step"] == played.timeline.best_step


def test_without_validation_over_fitting_is_said_to_be_unseen() -> None:
    played = epochs(session({"split": {"kind": "none"}, "noise": 0.3}), 10)
    assert said(played)["rest"] == "Nothing is held out for validation, so over-fitting cannot be seen."


def test_without_a_change_a_divergence_lowers_the_rate() -> None:
    played = epochs(session(learning_rate=3e38), 3)
    found = said(played)
    assert found["alert"] and [act["do"] for act in found["acts"]] == ["set"] and found["acts"][0]["value"] == 0.03
    twice = say(moment([0.5] * 3, status="diverged")._replace(train=r.Train(learning_rate=0.02)))
    assert twice.acts[0]["label"] == "Halve the learning rate" and twice.acts[0]["value"] == 0.01


# ── thresholds ──────────────────────────────────────────────────────────────────────────────────


def moment(train: list[float], validation: list[float] | None = None, **more: Any) -> Moment:
    """At the end of a curve; a constant answer's loss is 1."""
    rows = len(train)
    held_out = validation if validation is not None else [math.nan] * rows
    curve = np.column_stack([10.0 * np.arange(1, rows + 1), train, np.ones(rows), held_out, np.ones(rows)])
    best = min((tuple(row) for row in curve.tolist()), key=lambda row: row[1 if validation is None else 3])
    standing: dict[str, Any] = {
        "status": "running", "step": 10 * rows, "end": 10 * rows, "per_epoch": 10, "best_step": 0, "edits": [],
        "left": None, "curve": curve, "trivial": 1.0, "ailments": np.zeros((6, 8), np.uint8), "widths": (4,),
        "train": r.Train(learning_rate=0.1), "network": r.Mlp(hidden=(4,)), "best": best,
    }  # fmt: skip
    return Moment(**{**standing, **more})


def ailing(*places: int, kind: int) -> np.ndarray:
    found = np.zeros((6, 8), np.uint8)
    found[0, list(places)] = kind
    return found


FALL = [0.9 - 0.02 * n for n in range(30)]  # to 0.32
LONG = [0.4 - 0.006 * n for n in range(60)]  # to 0.05
CASES: dict[str, tuple[Moment, str]] = {
    "rises just enough": (moment(FALL, [0.5] * 20 + [0.61] * 10), "over-fitting"),
    "rises not enough": (moment(FALL, [0.5] * 20 + [0.59] * 10), "learning"),
    "one bad epoch": (moment(FALL, [0.5] * 29 + [0.9]), "learning"),
    "both rise": (moment([0.4] * 5 + [0.3] * 10 + [0.45] * 15, [0.3] * 15 + [0.5] * 15), "learning"),
    "not learned yet": (moment([0.95 - 0.01 * n for n in range(30)], [0.8] * 10 + [0.95] * 20), "learning"),
    "one dead of four, unlearned": (moment([0.8] * 10, ailments=ailing(1, kind=units.DEAD)), "dead units"),
    "one dead of four, learned": (moment(FALL, ailments=ailing(1, kind=units.DEAD)), "learning"),
    "all dead, learned": (moment(FALL, ailments=ailing(0, 1, 2, 3, kind=units.DEAD)), "dead units"),
    "one saturated of four": (moment([0.8] * 10, ailments=ailing(1, kind=units.SATURATED)), "learning"),
    "two saturated of four": (moment([0.8] * 10, ailments=ailing(1, 2, kind=units.SATURATED)), "saturation"),
    "two saturated, learned": (moment(FALL, ailments=ailing(1, 2, kind=units.SATURATED)), "learning"),
    "leaps": (moment([0.5 + 0.1 * (n % 2) for n in range(30)]), "learning rate"),
    "small leaps": (moment([0.5 + 0.02 * (n % 2) for n in range(30)]), "learning"),
    "leaps on the way down": (moment([2.9 - 0.1 * n + 0.15 * (n % 2) for n in range(26)]), "learning"),
    "early leaps": (moment([0.5 + 0.5 * (n % 2) for n in range(4)]), "beginning"),
    "about a constant answer": (moment([0.95] * 20), "under-fitting"),
    "about it, but early": (moment([0.95] * 19), "learning"),
    "flat": (moment([0.4] * 40), "plateau"),
    "flat, but low": (moment([0.1] * 40), "learned"),
    "slowly falling": (moment([0.4 - 0.001 * n for n in range(40)]), "learning"),
    "known on both": (moment([0.1] * 40, [0.12] * 40), "learned"),
    "known on one": (moment([0.1] * 40, [0.45] * 40), "plateau"),
    "by heart": (moment([0.01] * 40, [0.6] * 40), "over-fitting"),
    "rises a little, for long": (moment(LONG, [0.06] * 10 + [0.08] * 50), "over-fitting"),
    "rises a little, not for long": (moment(LONG, [0.07] * 25 + [0.06] * 5 + [0.08] * 30), "learned"),
    "rises by next to nothing": (moment(LONG, [0.006] * 10 + [0.012] * 50), "learned"),
    "flat on validation, above its best": (moment(LONG, [0.38] * 10 + [0.4] * 50), "stalled"),
    "flat on validation, not for long": (moment(LONG, [0.4] * 59 + [0.39]), "learning"),
    "falls on validation": (moment(LONG, [0.9 - 0.01 * n for n in range(60)]), "learning"),
}


@pytest.mark.parametrize(("at", "rule"), CASES.values(), ids=CASES.keys())
def test_each_rule_speaks_beyond_its_threshold_only(at: Moment, rule: str) -> None:
    found = say(at)
    assert isinstance(found, Saying) and found.rule == rule, found


def test_only_what_comes_down_is_said_to() -> None:
    """Of either curve, by the evidence of its last epochs."""
    falls, stays = [0.9 - 0.01 * n for n in range(30)], [0.45, 0.46] * 15
    assert say(moment(falls, falls)).rest == "Training and validation loss come down."
    assert say(moment(falls, stays)).rest == "The training loss comes down, the validation loss does not."
    assert say(moment(stays, falls)).rest == "The validation loss comes down, the training loss does not."
    assert say(moment(stays, stays)).rest == "The losses go up and down a little."


def test_the_best_epoch_is_the_charts_however_much_its_curve_was_thinned() -> None:
    """It is none of the rows that are left."""
    thinned = moment(LONG, [0.2] * 10 + [0.4] * 50, best=(77.0, 0.3, 1.0, 0.19, 1.0))
    assert say(thinned).strong == "Over-fitting since epoch 7." and say(thinned).acts[0]["step"] == 77
    early = moment(LONG, [0.5] * 60, status="stopped_early", best_step=80, best=(90.0, 0.3, 1.0, 0.19, 1.0))
    assert say(early).rest == "Validation was best at epoch 9." and say(early).acts[0]["step"] == 90


# ── a network that was changed ──────────────────────────────────────────────────────────────────


def test_a_typed_weight_is_told_with_the_losses_of_now() -> None:
    """As long as no epoch has ended since; and a change of settings is none of the network."""
    played = epochs(session({"noise": 0.0}, {"hidden": [6, 4]}), 500)
    assert said(played)["rule"] == "learned"
    played.type_weight(2, 0, None, 9.0)
    found = said(played)
    assert (found["rule"], found["strong"]) == ("change", "A weight was typed in.")
    loss, accuracy = played.timeline.curve.array()[-1, 3:]
    assert loss > 1 and accuracy < 0.7 and f"{loss:.2g} in validation" in found["rest"]
    score = frames.unpacked(played.frame()())[2]["score"]
    assert score[0, 0] == pytest.approx(accuracy)
    played.advance(1)
    assert said(played)["rule"] == "change"
    epochs(played, 2)
    assert said(played)["strong"] == "The first epochs since the change."
    played.change(changed(played.recipe, "train.l2", 0.001))
    assert said(played)["rule"] == "beginning"
    played.change(changed(played.recipe, "network.activation", "relu"))
    assert said(played)["strong"] == "The network was changed."


def test_what_was_learned_before_a_change_is_no_evidence_after_it() -> None:
    """The best epoch was another network's: this one does not over-fit."""
    played = epochs(session({"noise": 0.0}, {"hidden": [6, 4]}), 500)
    before = played.step
    played.type_weight(2, 0, None, 9.0)
    epochs(played, 6)
    best = played.timeline.curve.best
    assert best is not None and best[0] < before and said(played)["rule"] not in ("over-fitting", "learned")


# ── units ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "bias", "ailment"),
    [
        ("relu", -100.0, units.DEAD),
        ("noisy_relu", -100.0, units.DEAD),
        ("relu", 100.0, units.WELL),
        ("leaky_relu", -100.0, units.WELL),
        ("linear", 100.0, units.WELL),
        ("tanh", 10.0, units.SATURATED),
        ("sigmoid", -12.0, units.SATURATED),
        ("silu", -14.0, units.SATURATED),
        ("silu", 14.0, units.WELL),
        ("elu", -13.0, units.SATURATED),
        ("tanh", 0.0, units.WELL),
    ],
)
def test_units_are_judged_by_the_training_rows(kind: str, bias: float, ailment: int) -> None:
    played = session(None, {"hidden": [3, 2], "activation": kind})
    played.type_weight(0, 1, None, bias)
    _, _, sections = frames.unpacked(played.frame()())
    health = sections["health"]
    assert health.shape == (6, 8) and health[0].tolist() == [0, ailment, 0, 0, 0, 0, 0, 0]
    assert not health[2:].any()
