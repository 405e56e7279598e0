"""One step of back-propagation on paper, beside what `backprop` says.

A 2-2-1 network of sigmoids, one example x = (0.5, 1) with y = 1, the cross-entropy, rate 0.5. With
`--svg FILE` it draws both passes, too.
"""

import sys
from math import exp, log
from pathlib import Path

import numpy as np

from layerwise.inspection import backprop
from layerwise.nets.build import build
from layerwise.plots import backprop_picture
from layerwise.recipe import records


def sigma(z):
    return 1 / (1 + exp(-z))


# ── on paper ────────────────────────────────────────────────────────────────────────────────────
x1, x2, y, eta = 0.5, 1.0, 1.0, 0.5
u1, u2, v = [0.1, 0.2, -0.4], [-0.1, -0.3, 0.6], [0.2, 0.5, -0.7]  # bias first

# Forward: weighted sums, then activations.
z1, z2 = u1[0] + u1[1] * x1 + u1[2] * x2, u2[0] + u2[1] * x1 + u2[2] * x2
g1, g2 = sigma(z1), sigma(z2)
h = v[0] + v[1] * g1 + v[2] * g2
p = sigma(h)
loss = -(y * log(p) + (1 - y) * log(1 - p))  # mind the minus: without it the best p would be the worst

# Backward: all errors before any weight moves. The slope of a sigmoid is g (1 - g), with g its output.
d = p - y  # of cross-entropy and sigmoid together
d1 = g1 * (1 - g1) * v[1] * d
d2 = g2 * (1 - g2) * v[2] * d

# An error times what came in is a weight's gradient; a bias's input is 1.
new_v = [v[0] - eta * d, v[1] - eta * d * g1, v[2] - eta * d * g2]
new_u1 = [u1[0] - eta * d1, u1[1] - eta * d1 * x1, u1[2] - eta * d1 * x2]
new_u2 = [u2[0] - eta * d2, u2[1] - eta * d2 * x1, u2[2] - eta * d2 * x2]

# ── by the library ──────────────────────────────────────────────────────────────────────────────
weights = ((tuple(u1), tuple(u2)), (tuple(v),))
kind = records.Mlp(hidden=(2,), activation=records.Sigmoid(), weights=weights)
network = build(kind, inputs=2, outputs=1, codes=(), seed=0)
train = records.Train(optimizer=records.Sgd(), learning_rate=eta)
sheet = backprop(network, np.array([[x1, x2]], np.float32), np.array([1], np.int32), train=train)
hidden, output = sheet.layers


def row(name, paper, library):
    print(f"{name:24s} {paper:12.8f} {float(library):12.8f}")
    assert abs(paper - float(library)) < 1e-6  # its weights are float32


print(f"{'':24s} {'on paper':>12s} {'backprop':>12s}")
row("z of hidden unit 1", z1, hidden.z.worked[0, 0])
row("z of hidden unit 2", z2, hidden.z.worked[0, 1])
row("g of hidden unit 1", g1, hidden.g.worked[0, 0])
row("g of hidden unit 2", g2, hidden.g.worked[0, 1])
row("p", p, sheet.predicted[0, 0])
row("loss", loss, sheet.loss)
row("error of the output", d, output.error.worked[0, 0])
row("error of hidden unit 1", d1, hidden.error.worked[0, 0])
row("error of hidden unit 2", d2, hidden.error.worked[0, 1])
for name, paper, bias, weight in (
    ("v", new_v, output.new_bias[0], output.new_weight[0]),
    ("u1", new_u1, hidden.new_bias[0], hidden.new_weight[0]),
    ("u2", new_u2, hidden.new_bias[1], hidden.new_weight[1]),
):
    for k, value in enumerate(paper):
        row(f"{name}[{k}] after the step", value, bias if k == 0 else weight[k - 1])

print(f"The formulas and automatic differentiation differ by {sheet.difference:.1e}, relative.")
if "--svg" in sys.argv:
    Path(sys.argv[sys.argv.index("--svg") + 1]).write_text(backprop_picture(sheet), "utf-8")
