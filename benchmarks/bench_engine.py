"""The compiled loop against its peers and its floor, per step of training.

    python benchmarks/bench_engine.py

Three networks on seeded random data: the Playground's 2-4-2-1 (batch 10, plain SGD), 64-128-64-10
(batch 32, Adam), and the deep autoencoder 784-1000-500-250-2-250-500-1000-784 (batch 256, Adam).
Peers: the same training written by hand as a `jax.lax.scan`, scikit-learn's MLPClassifier, PyTorch by
the usual loop, and, on the first two, Keras and skorch by their `fit`. None of them validates.
"""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from side_by_side import Fewer, installed, race  # first: it clears what would slow NumPy down

os.environ.setdefault("KERAS_BACKEND", "jax")  # faster here than KERAS_BACKEND=torch

import layerwise.training.compile as compiling  # before JAX compiles anything

# isort: split
import jax
import jax.numpy as jnp
import numpy as np
import optax

from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training import loop
from layerwise.training.hyper import hyper
from layerwise.training.step import program

SEED = 0


class Case:
    """One network, its data and how it is trained."""

    def __init__(self, widths: Sequence[int], batch: int, rows: int, activation: r.Activation, optimizer: r.Optimizer):
        random = np.random.default_rng(SEED)
        self.widths, self.batch, self.rows = widths, batch, rows
        self.activation, self.optimizer = activation, optimizer
        self.x = random.standard_normal((rows, widths[0]), np.float32)
        self.y: np.ndarray
        if widths[0] == widths[-1]:
            self.objective = Objective("quantities", widths[-1])
            self.y = self.x
        else:
            classes = max(widths[-1], 2)
            self.objective = Objective("binary" if classes == 2 else "classes", widths[-1], classes)
            self.y = random.integers(0, classes, rows).astype(np.int32)
        self.rate = 0.001 if isinstance(optimizer, r.Adam) else 0.03
        self.network = build(
            r.Mlp(hidden=tuple(widths[1:-1]), activation=activation),
            inputs=widths[0],
            outputs=widths[-1],
            codes=(),
            seed=SEED,
        )

    def ours(self, steps: int) -> Callable[[], object]:
        """The engine itself, `steps` steps a call."""
        train = r.Train(
            epochs=10**8,
            batch_size=self.batch,
            optimizer=self.optimizer,
            learning_rate=self.rate,
            weight_decay=0.0,
            patience=0,
        )
        settings, compiled = hyper(train, r.Classify()), program(train, self.objective, self.batch)
        rows = jnp.arange(self.rows, dtype=jnp.int32)
        data = loop.Data(
            jnp.asarray(self.x),
            jnp.asarray(self.y),
            jnp.ones(self.rows),
            rows,
            jnp.int32(self.rows),
            rows[:1],
            jnp.int32(0),
        )
        state = loop.start(compiled, self.network, settings)

        def run() -> None:
            nonlocal state
            left = steps
            while left:
                before = int(state.step)
                state, _ = loop.advance(compiled, state, data, settings, noise.key(SEED), left)
                left -= int(state.step) - before

        return run

    def by_hand(self, steps: int) -> Callable[[], object]:
        """What a JAX user would write for this one network: a scan over shuffled batches, nothing else.

        It is compiled with the options that layerwise uses for a network of this size.
        """
        act = {r.Tanh: jnp.tanh, r.Relu: jax.nn.relu}[type(self.activation)]
        law = optax.adam(self.rate) if isinstance(self.optimizer, r.Adam) else optax.sgd(self.rate)
        x, y, batch = jnp.asarray(self.x), jnp.asarray(self.y), self.batch
        weights = [(layer.weight, layer.bias) for layer in self.network.layers]

        def loss(weights, xb, yb):  # type: ignore[no-untyped-def]
            h = xb
            for w, b in weights[:-1]:
                h = act(h @ w.T + b)
            z = h @ weights[-1][0].T + weights[-1][1]
            match self.objective.kind:
                case "quantities":
                    return jnp.mean((z - yb) ** 2)
                case "binary":
                    return jnp.mean(jax.nn.softplus(z[:, 0]) - z[:, 0] * yb)
                case _:
                    return optax.softmax_cross_entropy_with_integer_labels(z, yb).mean()

        def one(carry, rows):  # type: ignore[no-untyped-def]
            weights, memory = carry
            value, gradient = jax.value_and_grad(loss)(weights, *rows)
            updates, memory = law.update(gradient, memory, weights)
            return (optax.apply_updates(weights, updates), memory), value

        whole = len(self.x) // batch * batch

        def epoch(carry, number):  # type: ignore[no-untyped-def]
            order = jax.random.permutation(jax.random.fold_in(jax.random.key(SEED), number), len(x))[:whole]
            batches = (x[order].reshape(-1, batch, x.shape[1]), y[order].reshape(-1, batch, *y.shape[1:]))
            return jax.lax.scan(one, carry, batches)

        work = 3 * batch * sum(a * b + b for a, b in pairwise(self.widths))
        options = compiling.options(tiny=work < loop.TINY_WORK)
        epochs = max(1, steps // (whole // batch))
        trained = jax.jit(lambda carry: jax.lax.scan(epoch, carry, jnp.arange(epochs)), compiler_options=options)
        start = (weights, law.init(weights))

        def run() -> None:
            jax.block_until_ready(trained(start))

        return run

    def torch(self, steps: int) -> Callable[[], object]:
        """The usual PyTorch loop, eager, over a shuffled index."""
        import torch

        net = self.torch_network()
        law = torch.optim.Adam if isinstance(self.optimizer, r.Adam) else torch.optim.SGD
        optimizer = law(net.parameters(), lr=self.rate)
        x, y = torch.from_numpy(self.x), torch.from_numpy(self.y)
        losses = {"quantities": torch.nn.MSELoss(), "binary": torch.nn.BCEWithLogitsLoss()}
        criterion = losses.get(self.objective.kind, torch.nn.CrossEntropyLoss())
        y = y if self.objective.kind == "quantities" else y.float()[:, None] if self.widths[-1] == 1 else y.long()

        def run() -> None:
            done = 0
            while done < steps:
                order = torch.randperm(len(x))
                for i in range(0, len(x), self.batch):
                    rows = order[i : i + self.batch]
                    optimizer.zero_grad()
                    criterion(net(x[rows]), y[rows]).backward()
                    optimizer.step()
                    done += 1
                    if done == steps:
                        break

        return run

    def torch_network(self):  # type: ignore[no-untyped-def]
        """The network's layers in PyTorch."""
        import torch

        torch.manual_seed(SEED)
        act = {r.Tanh: torch.nn.Tanh, r.Relu: torch.nn.ReLU}[type(self.activation)]
        layers: list[torch.nn.Module] = []
        for a, b in pairwise(self.widths):
            layers += [torch.nn.Linear(a, b), act()]
        return torch.nn.Sequential(*layers[:-1])

    def skorch(self, steps: int) -> Callable[[], object]:
        """PyTorch by skorch's `fit`, which makes a network of scikit-learn's manners of it."""
        import skorch
        import torch

        binary = self.widths[-1] == 1
        kind = skorch.NeuralNetBinaryClassifier if binary else skorch.NeuralNetClassifier
        net = kind(
            self.torch_network(),
            criterion=torch.nn.BCEWithLogitsLoss if binary else torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam if isinstance(self.optimizer, r.Adam) else torch.optim.SGD,
            lr=self.rate,
            batch_size=self.batch,
            max_epochs=self.epochs(steps),
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        y = self.y.astype(np.float32) if binary else self.y.astype(np.int64)
        return lambda: net.fit(self.x, y)

    def keras(self, steps: int) -> Callable[[], object]:
        """Keras by its `fit`."""
        import keras

        keras.utils.set_random_seed(SEED)
        act = {r.Tanh: "tanh", r.Relu: "relu"}[type(self.activation)]
        hidden = [keras.layers.Dense(width, act) for width in self.widths[1:-1]]
        net = keras.Sequential([keras.Input(self.x.shape[1:]), *hidden, keras.layers.Dense(self.widths[-1])])
        law = keras.optimizers.Adam if isinstance(self.optimizer, r.Adam) else keras.optimizers.SGD
        losses = keras.losses
        loss = losses.BinaryCrossentropy if self.widths[-1] == 1 else losses.SparseCategoricalCrossentropy
        net.compile(law(self.rate), loss(from_logits=True))
        return lambda: net.fit(self.x, self.y, batch_size=self.batch, epochs=self.epochs(steps), verbose=0)

    def epochs(self, steps: int) -> int:
        """As many whole epochs as make up `steps`."""
        return steps // (-(-len(self.x) // self.batch))

    def sklearn(self, steps: int) -> Callable[[], object]:
        """scikit-learn's MLPClassifier."""
        import warnings

        from sklearn.neural_network import MLPClassifier

        net = MLPClassifier(
            tuple(self.widths[1:-1]),
            activation={r.Tanh: "tanh", r.Relu: "relu"}[type(self.activation)],
            solver="adam" if isinstance(self.optimizer, r.Adam) else "sgd",
            momentum=0,
            batch_size=self.batch,
            learning_rate_init=self.rate,
            alpha=0,
            max_iter=self.epochs(steps),
            tol=0,
            n_iter_no_change=10**6,
            random_state=SEED,
        )

        def run() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                net.fit(self.x, self.y)

        return run


def matrix_rate() -> float:
    """The machine's float32 matrix product, 2048 x 2048, in operations a microsecond."""
    a = jnp.ones((2048, 2048))
    product = jax.jit(lambda a: a @ a)
    median = race(
        "the floor: a 2048 x 2048 float32 matrix product", 1, "product", {"JAX": lambda: product(a).block_until_ready()}
    )
    return 2 * 2048**3 / median["JAX"]


def memory_rate(numbers: int) -> float:
    """Bytes a microsecond that two arrays of so many numbers are read at and a third written."""
    a, b = jnp.ones(numbers), jnp.ones(numbers)
    triad = jax.jit(lambda a, b: a + 0.5 * b)
    title = f"the memory: two arrays of {numbers / 1e6:.1f} million numbers read, one written"
    median = race(title, 1, "pass", {"JAX": lambda: triad(a, b).block_until_ready()}, rounds=31)
    return 3 * 4 * numbers / median["JAX"]


def products_alone(widths: Sequence[int], batch: int) -> Callable[[], object]:
    """The matrix products of one step, each on its own, in one program: what XLA makes of these shapes."""
    pairs = list(pairwise(widths))
    x = [jnp.ones((batch, inputs)) for inputs, _ in pairs]
    back = [jnp.ones((batch, units)) for _, units in pairs]
    w = [jnp.ones((units, inputs)) for inputs, units in pairs]

    @jax.jit
    def step(x: Any, back: Any, w: Any) -> Any:
        forward = [a @ b.T for a, b in zip(x, w, strict=True)]
        gradients = [a.T @ b for a, b in zip(back, x, strict=True)]
        return forward, gradients, [a @ b for a, b in zip(back[1:], w[1:], strict=True)]

    return lambda: jax.block_until_ready(step(x, back, w))


def peers(case: Case, steps: int, few: int) -> dict[str, Callable[[], object] | Fewer]:
    """The engine first, then everyone who is installed; the slowest do `few` steps."""
    runners: dict[str, Callable[[], object] | Fewer] = {
        "layerwise": case.ours(steps),
        "JAX scan by hand": case.by_hand(steps),
        "scikit-learn MLPClassifier": case.sklearn(steps),
    }
    if installed("torch"):
        runners["PyTorch, eager"] = case.torch(steps)
    if installed("skorch") and installed("torch"):
        runners["skorch, fit"] = Fewer(case.skorch(few), few)
    if installed("keras"):
        runners[f"Keras on {os.environ['KERAS_BACKEND']}, fit"] = Fewer(case.keras(few), few)
    return runners


def playground() -> None:
    """Two networks of TensorFlow Playground's size."""
    for widths in ((2, 4, 2, 1), (7, 8, 8, 1)):
        case = Case(widths, 10, 250, r.Tanh(), r.Sgd())
        steps = 5_000
        found = race(f"{'-'.join(map(str, widths))}, batch 10, SGD", steps, "step", peers(case, steps, 500))
        print(f"  examples a second: {10 / found['layerwise']:.2f} million")


def digits_size() -> None:
    """A small classifier, the size that scikit-learn's users train."""
    case = Case((64, 128, 64, 10), 32, 1440, r.Relu(), r.Adam())
    steps = 45 * 20
    race("64-128-64-10, batch 32, Adam", steps, "step", peers(case, steps, steps))


def deep_autoencoder() -> None:
    """Large matrices: how near to the floor.

    Beside the products an update goes through arrays of the weights' size: with Adam it reads gradient,
    weights and two moments and writes all but the first, with plain SGD it reads two and writes one.
    """
    widths = (784, 1000, 500, 250, 2, 250, 500, 1000, 784)
    products = [a * b for a, b in pairwise(widths)]
    rate, memory = matrix_rate(), memory_rate(sum(products))
    title = "the products of a step alone, batch 256"
    alone = race(title, 1, "step", {"JAX": products_alone(widths, 256)}, rounds=31)["JAX"]
    for optimizer, name, streams in ((r.Adam(), "Adam", 7), (r.Sgd(), "SGD", 3)):
        case = Case(widths, 256, 4096, r.Relu(), optimizer)
        steps = 32
        runners: dict[str, Callable[[], object] | Fewer] = {
            "layerwise": case.ours(steps),
            "JAX scan by hand": case.by_hand(steps),
        }
        if installed("torch"):
            runners["PyTorch, eager"] = case.torch(steps)
        found = race(f"784-1000-500-250-2, mirrored, batch 256, {name}", steps, "step", runners, rounds=5)
        operations = 2 * 256 * (3 * sum(products) - products[0])  # no gradient goes back into the inputs
        taken, update = found["layerwise"], streams * 4 * sum(products) / memory
        print(f"  of the matrix product's rate: {operations / rate / taken:.0%}")
        floor = f"{alone:.0f} us of products alone + {update:.0f} us of the update's memory"
        print(f"  of the floor, {floor}: {(alone + update) / taken:.0%}")


if __name__ == "__main__":
    for part in (playground, digits_size, deep_autoencoder):
        part()
