"""What the pages of the over-fitting laboratory and of decision surfaces say."""

from layerwise.inspection import overfit, subject, surface
from layerwise.report.decision import facts
from layerwise.report.overfitting import findings, method

MOONS = {
    "data": {"kind": "toy", "name": "moons", "n": 80, "noise": 0.3},
    "network": {"kind": "mlp", "hidden": [4, 3]},
    "train": {"epochs": 3, "l2": 0.1},
}


def test_what_is_judged_is_said() -> None:
    found = subject(MOONS)
    cures = overfit(found.recipe, found.objective, found.dataset, 2)
    assert [words for words in method(cures) if "L2 0.1" in words]
    assert f"the other {cures.rows['judging']} judge" in method(cures)[0]
    assert all(words[0].isupper() and words.endswith(".") for words in findings(cures))
    seen = surface(found.network, found.objective, found.dataset)
    assert facts(seen) == {
        "points": "48 training rows and 16 validation rows; the test part is left out",
        "fidelity": "100.0% of these rows are decided on the plane as by their own inputs",
    }
