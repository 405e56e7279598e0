"""XOR without a hidden layer: one unit is enough where the product of the inputs is an input of its own.

The points are in the recipe itself, as they are drawn by hand in the Studio: x1, x2, and the number of a class.
"""

import layerwise

POINTS = [[x1, x2, int(x1 * x2 < 0)] for x1 in (-1.5, -1, -0.5, 0.5, 1, 1.5) for x2 in (-1.2, -0.6, 0.6, 1.2)]


def trained(features):
    """A network of one unit that sees these features of the points."""
    return layerwise.train(
        {
            "data": {"kind": "points", "points": POINTS, "classes": ["same sign", "other sign"], "features": features},
            "network": "linear",
            "train": {"epochs": 200, "learning_rate": 0.1, "patience": 0},
        }
    ).model


def right(model):
    """How many of the points it names rightly."""
    names = model.predict([point[:2] for point in POINTS])
    return sum(name == ("other sign" if point[2] else "same sign") for name, point in zip(names, POINTS, strict=True))


straight = right(trained(["x1", "x2"]))
print(f"x1 and x2: {straight} of {len(POINTS)} points right, since no straight line divides them")
assert straight <= 0.75 * len(POINTS)

product = trained(["x1", "x2", "x1*x2"])
print(f"with their product: {right(product)} of {len(POINTS)}")
assert right(product) == len(POINTS)

# The model keeps its features: it is asked with the points as they are.
print(product.predict({"x1": 0.3, "x2": -1.9}))
assert product.predict({"x1": 0.3, "x2": -1.9}).tolist() == ["other sign"]
