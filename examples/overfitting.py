"""Over-fitting, and what helps against it: few noisy points, a large network, and five cures.

The network has 4,417 parameters for 45 points: it can learn every one by heart, the wrong ones too. Each cure
is trained on five seeds, as lanes of one program. Prints a table and what is real of it; with --html it
writes the page that `layerwise inspect overfit` would write, as overfitting.html.
"""

import argparse
from pathlib import Path

from layerwise.inspection import overfit, subject
from layerwise.report.overfitting import overfitting

RECIPE = {
    "data": {
        "kind": "toy", "name": "moons", "n": 150, "noise": 0.3,
        # Most points validate: one half of them chooses each cure's strength, the other half judges.
        "split": {"kind": "stratified", "validation": 0.6, "test": 0.1},
    },
    "network": {"kind": "mlp", "hidden": [64, 64]},
    "train": {"epochs": 200, "learning_rate": 0.01},
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--html", action="store_true", help="write the page with the curves")
    options = parser.parse_args()

    found = subject(RECIPE)
    told = overfit(found.recipe, found.objective, found.dataset)

    # The sign of over-fitting is the gap: the network knows its training points, not where they come from.
    print(f"{'':16}training  validation    gap")
    for arm in told.arms:
        losses = (arm.training.mean(), arm.validation.mean(), arm.gap.mean())
        print(f"{arm.name:16}{losses[0]:8.3f}{losses[1]:12.3f}{losses[2]:7.3f}")

    # Compared seed by seed, since some initializations are luckier than others.
    print()
    for comparison in told.comparisons:
        print(comparison.words)

    if options.html:
        Path("overfitting.html").write_bytes(overfitting("moons", told))
