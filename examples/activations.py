"""Activation functions and their slopes, and what saturation does to the gradient of a deep network."""

from layerwise.inspection import KINDS, activation, activations, sample, subject

# On its way back an error is multiplied, layer by layer, by the slope of the activation function.
print(f"{'function':12}{'slope at 0':>12}{'at 2':>8}{'at 4':>8}   at most a twentieth of the steepest")
for kind in KINDS:
    curve = activation(kind, 0.0, 4.0)
    flat = [f"{zone.low:.2f} < z < {zone.high:.2f}" for zone in (*curve.zones.saturated, *curve.zones.dead)]
    print(f"{curve.name:12}{curve.slope[0]:12.3f}{curve.slope[240]:8.3f}{curve.slope[480]:8.3f}   {', '.join(flat)}")

# A sigmoid's slope is at most 1/4, so every layer of them takes most of the error away. ReLU's is 1 wherever
# it is not 0. These networks are not trained yet: this is all that the first layer gets to learn from.
print("\ngradient of the first layer, as a multiple of the last one's:")
print(f"{'hidden layers':>13}{'sigmoid':>12}{'relu':>12}")
for depth in (1, 7):
    ratios = []
    for function in ("sigmoid", "relu"):
        found = subject(
            {
                "data": {"kind": "named", "name": "digits"},
                "network": {"kind": "mlp", "hidden": [32] * depth, "activation": function},
            }
        )
        ratios.append(activations(found.network, found.objective, sample(found)).gradient_ratio)
    print(f"{depth:13}{ratios[0]:12.2g}{ratios[1]:12.2g}")

# The last network of sigmoids is so far gone that its diagnosis says so: layerwise inspect diagnose RECIPE.
