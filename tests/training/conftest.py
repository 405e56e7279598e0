"""A bench on which the compiled loop is run: small data in fixed shapes, so that programs are shared."""

import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recipes

from layerwise.nets import noise
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.tasks.objective import Objective
from layerwise.training import loop
from layerwise.training.hyper import hyper
from layerwise.training.loop import Data
from layerwise.training.step import program

BINARY = Objective("binary", 1, 2)
ROWS, TRAIN, VALIDATION, BATCH = 64, 45, 13, 8  # 45 = 5 * 8 + 5: the last batch is incomplete
STEPS = 6  # an epoch

# Recipes for this data, whose programs are compiled for the tests that use `bench_of`.
TABLE = {
    "sgd, dropout": r.Train(optimizer=r.Sgd(), dropout=0.2, learning_rate=0.5),
    "rmsprop, l1, accuracy": r.Train(optimizer=r.RmsProp(), l1=0.01, learning_rate=0.03, monitor="accuracy"),
    # Its program has every switch and a schedule, so that it is that of the line with everything.
    "adam, l2": r.Train(optimizer=r.Adam(), schedule=r.StepRate(every=1000.0), l2=0.01, learning_rate=0.05),
    "adamw, weight_decay": r.Train(optimizer=r.AdamW(), weight_decay=0.1, learning_rate=0.05),
    "lion, input_dropout": r.Train(optimizer=r.Lion(), input_dropout=0.2, learning_rate=0.01),
    "lbfgs, l2": r.Train(optimizer=r.Lbfgs(memory=5), l2=0.05, learning_rate=1.0, batch_size=ROWS),
    "adam, everything": r.Train(
        optimizer=r.Adam(),
        schedule=r.StepRate(every=2.0, factor=0.5),
        warmup=1.0,
        dropout=0.1,
        input_dropout=0.1,
        noise=0.1,
        max_norm=1.5,
        clip=1.0,
        l1=0.001,
        l2=0.01,
        weight_decay=0.02,
        learning_rate=0.05,
    ),
}

# Every optimizer, and over them every switch of the step: lines of `recipes.TABLE`, whose programs have all switches
# in them, with this one on.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"train.dropout": 0.2},
    "momentum": {"train.noise": 0.1},
    "nesterov": {"train.clip": 0.5},
    "adagrad": {"train.max_norm": 0.8},
    "rmsprop": {"train.l1": 0.01},
    "adam": {"train.l2": 0.01},
    "adamw": {"train.weight_decay": 0.1},
    "lion": {"train.input_dropout": 0.2},
    "lbfgs": {},
}


def table_data(seed: int = 0) -> Data:
    """Two classes that no line divides, of unequal weights; validation rows stand apart."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((ROWS, 3)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * x[:, 2] > 0).astype(np.int32)
    return as_data(x, y, random.uniform(0.5, 2, ROWS).astype(np.float32), random.permutation(ROWS))


def as_data(x: Any, y: Any, weight: Any, order: Any, train: int = TRAIN, validation: int = VALIDATION) -> Data:
    """Rows in the shapes that all programs here share; what is padding repeats any row."""
    order = np.asarray(order, np.int32)
    first, second = order[:train], order[train : train + validation]
    return Data(
        x=jnp.asarray(x),
        y=jnp.asarray(y),
        weight=jnp.asarray(weight),
        train=jnp.asarray(np.resize(first, ROWS)),
        train_rows=jnp.int32(train),
        validation=jnp.asarray(np.resize(second if validation else first, 16)),
        validation_rows=jnp.int32(validation),
    )


@dataclass
class Bench:
    """One program with its data and settings."""

    train: r.Train
    objective: Objective
    data: Data
    network: Any
    task: r.Task
    seed: int = 0
    uses: frozenset[str] = frozenset()

    @property
    def program(self) -> Any:
        whole = self.train.batch_size >= int(self.data.train_rows)
        rows = int(self.data.train.shape[0]) if whole else self.train.batch_size
        return program(self.train, self.objective, rows, self.uses)

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.train.epochs * -(-int(self.data.train_rows) // self.program.batch_size)

    @property
    def hyper(self) -> Any:
        return hyper(self.train, self.task)

    def start(self) -> Any:
        return loop.start(self.program, self.network, self.hyper)

    def advance(self, state: Any, limit: int) -> tuple[Any, dict[str, np.ndarray]]:
        """One call; the history's filled rows."""
        state, history = loop.advance(self.program, state, self.data, self.hyper, noise.key(self.seed), limit)
        host = jax.device_get(history)
        return state, {k: v[: int(host.rows)] for k, v in host._asdict().items() if k != "rows"}

    def finish(self, calls: int = 1 << 30, state: Any = None) -> tuple[Any, dict[str, np.ndarray]]:
        """All calls, of `calls` steps each, until training ends; the histories joined."""
        state = self.start() if state is None else state
        histories = []
        while not histories or int(state.status) == loop.RUNNING:
            state, history = self.advance(state, calls)
            histories.append(history)
        return state, {k: np.concatenate([h[k] for h in histories]) for k in histories[0]}


_compiled: Counter[str] = Counter()
jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, **_: _compiled.update([event]))


@pytest.fixture
def compilations():
    """A function that tells how many programs have been compiled so far (or fetched from disk)."""
    return lambda: _compiled["/jax/core/compile/backend_compile_duration"]


@lru_cache(maxsize=1)
def _network() -> Any:
    return build(r.Mlp(hidden=(4,), activation=r.Tanh()), inputs=3, outputs=1, codes=(), seed=1)


@pytest.fixture(params=[*OPTIMIZERS, "adam, everything"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Every optimizer, and everything at once: six epochs (thirty-six for L-BFGS, whose epoch is one step)."""
    return _optimizer(request.param) if request.param in OPTIMIZERS else _bench(request.param)


@pytest.fixture
def benches() -> list[Bench]:
    """A bench for every optimizer."""
    return [_optimizer(name) for name in OPTIMIZERS]


def _optimizer(name: str) -> Bench:
    maker = recipes.Maker(recipes.TABLE[name][0])
    resolved = maker.resolved({**OPTIMIZERS[name], "train.epochs": 36 if name == "lbfgs" else 6})
    train, objective, task = resolved.recipe.train, resolved.objective, resolved.recipe.task
    uses = frozenset() if name == "lbfgs" else recipes.EVERYTHING
    return Bench(train, objective, maker.data, maker.network(resolved), task, uses=uses)


@pytest.fixture(scope="session")
def bench_of():
    """A function that gives a line of the table by name, with settings changed."""
    return _bench


def _bench(name: str, *, data: Data | None = None, task: r.Task | None = None, **changes: Any) -> Bench:
    import msgspec

    train = TABLE[name]
    fixed = {"batch_size": min(train.batch_size, BATCH) if "lbfgs" not in name else ROWS, "patience": 0, "epochs": 6}
    fixed["epochs"] = 36 if "lbfgs" in name else 6
    if train.weight_decay == "auto":
        fixed["weight_decay"] = 0.0
    train = msgspec.structs.replace(train, **{**fixed, **changes})
    uses = recipes.EVERYTHING if name.startswith("adam,") else frozenset()
    return Bench(train, BINARY, data or table_data(), _network(), task or r.Classify(), uses=uses)
