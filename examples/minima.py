"""Good and bad minima: two hidden units can learn XOR, or get stuck. How often do they?

The same 2-2-1 network is trained from 50 random starts at once. Some starts end where two or three of the
four points have merged and can no longer be told apart: there the gradient is zero, so training stays.

    python minima.py          prints how many
    python minima.py --html   draws where each start ended, too
"""

import sys

from layerwise import plots
from layerwise.inspection import Starts, minima, sample, subject

STARTS = 50
TRUTH_TABLE = {"kind": "toy", "name": "xor", "n": 4, "split": "none"}
DESCENT = {"epochs": 2000, "batch_size": 4, "optimizer": "sgd", "learning_rate": 1.0, "patience": 0}

# A sigmoid or ReLU unit parts the plane by one straight line, so XOR takes both units, each in its place.
# SiLU, z * sigmoid(z), falls before it rises: a single unit can tell the middle of a line from both its ends.
for activation in ("sigmoid", "relu", "silu"):
    network = {"kind": "mlp", "hidden": [2], "activation": activation}
    xor = subject({"data": TRUTH_TABLE, "network": network, "train": DESCENT})
    starts = Starts(xor, STARTS)
    for _ in starts:  # each round is one call of the compiled program; a progress bar could move here
        pass
    found = minima(starts.networks, xor.objective, sample(xor), sample(xor, "validation"))

    stuck = found.share  # with its exact 95% interval: other starts would give another count
    print(f"{activation}: {found.stuck.sum()} of {STARTS} starts are stuck (95%: {stuck.low:.0%} to {stuck.high:.0%})")
    for basin in found.basins[:4]:
        print(f"    {basin.starts:3} ended at a loss of {basin.loss:.3f}, with {basin.score:.0%} of the points right")
    if "--html" in sys.argv:
        plots.minima(found).write_html(f"minima-{activation}.html")
