"""The lecture's XOR network, its weights set by hand: exact with the step, unsure with the sigmoid.

v1 = g(-0.5 + x1 - x2)      x1 and not x2
v2 = g(-0.5 - x1 + x2)      x2 and not x1
y  = g(-0.5 + v1 + v2)      either of them
"""

import numpy as np

from layerwise.inspection import backprop
from layerwise.nets.build import build
from layerwise.recipe import records
from layerwise.tasks.objective import Objective

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR = np.array([0, 1, 1, 0], np.int32)

# Per layer one row a unit: [bias, weight of x1, weight of x2].
WEIGHTS = [[[-0.5, 1.0, -1.0], [-0.5, -1.0, 1.0]], [[-0.5, 1.0, 1.0]]]


def sheet(activation, y, times=1.0):
    """Everything the three units compute for the four points; a sigmoid's output is made by the loss itself."""
    weights = tuple(tuple(tuple(times * w for w in row) for row in layer) for layer in WEIGHTS)
    stepped = isinstance(activation, records.Step)
    kind = records.Mlp(hidden=(2,), activation=activation, output="step" if stepped else "auto", weights=weights)
    network = build(kind, inputs=2, outputs=1, codes=(), seed=0)
    return backprop(network, X, y, Objective("probability" if stepped else "binary", 1, 2))


def show(name, y):
    print(f"{name:18s}" + "".join(f"   {a:g} xor {b:g} = {value:.3f}" for (a, b), value in zip(X, y, strict=True)))


# With the step the network is logic, right on all four.
step = sheet(records.Step(), XOR).predicted[:, 0]
show("step", step)
assert (step == XOR).all()

# With the sigmoid the order is right, but every answer is close to a half: the weights are too small.
soft = sheet(records.Sigmoid(), XOR).predicted[:, 0]
show("sigmoid", soft)
assert np.round(soft, 3).tolist() == [0.563, 0.576, 0.576, 0.563]

# Ten times the weights make the sigmoid steep, and the answers sure.
steep = sheet(records.Sigmoid(), XOR, times=10.0).predicted[:, 0]
show("weights times 10", steep)
assert np.round(steep, 3).tolist() == [0.008, 0.993, 0.993, 0.008]

# What the step gains in sharpness it loses in slope: even where every answer is called wrong, nothing
# comes back through it to learn from.
for activation in (records.Step(), records.Sigmoid()):
    layers = sheet(activation, 1 - XOR).layers
    largest = max(np.abs(layer.weight_gradient.worked).max() for layer in layers)
    print(f"largest gradient with the {layers[0].activation}: {largest:.3f}")
