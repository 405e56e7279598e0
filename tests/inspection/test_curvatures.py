"""The largest eigenvalue: against the dense Hessian of small networks, and a quadratic's known one."""

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from layerwise.inspection import Subject, curvature, sample, subject
from layerwise.inspection.curvatures import Curvature, largest_eigenvalue, stability
from layerwise.inspection.landscapes import loss_of
from layerwise.inspection.samples import flat, mean_loss, shaped
from layerwise.recipe import records as r


def small(data: dict[str, object], activation: str = "tanh", **recipe: object) -> Subject:
    return subject({"data": data, "network": {"kind": "mlp", "hidden": [4], "activation": activation}, **recipe})


CASES = {
    "classes": {"kind": "named", "name": "iris"},
    "binary": {"kind": "toy", "name": "moons", "n": 60},
    "quantities": {"kind": "toy", "name": "multi-gaussian", "n": 60},
}


def dense(found: Subject) -> np.ndarray:
    """The whole Hessian, by automatic differentiation."""
    measured, network = jax.device_put(sample(found)), found.network
    leaves, structure = jax.tree.flatten(network)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def loss(vector: jax.Array) -> jax.Array:
        parts = [part.reshape(leaf.shape) for part, leaf in zip(jnp.split(vector, ends), leaves, strict=True)]
        return mean_loss(found.objective, jax.tree.unflatten(structure, parts), measured)

    hessian = jax.jit(jax.hessian(loss), compiler_options={"xla_backend_optimization_level": 0})  # run but once
    return np.asarray(hessian(jnp.asarray(flat(network))), np.float64)


@pytest.mark.parametrize(("case", "activation"), [("classes", "tanh"), ("binary", "relu"), ("quantities", "silu")])
def test_against_the_dense_hessian(case: str, activation: str) -> None:
    found = small(CASES[case], activation)
    values = np.linalg.eigvalsh(dense(found))
    seen = curvature(found.network, found.objective, sample(found))
    assert seen.converged
    assert_allclose(seen.largest, values[-1], rtol=2e-3)
    # A Ritz value is never below the smallest eigenvalue.
    assert values[0] - 1e-4 <= seen.smallest <= values[-1]


@pytest.mark.parametrize("task", [{"kind": "regress", "loss": "huber"}, {"kind": "regress", "loss": "mae"}])
def test_losses_that_are_straight_have_less_curvature(task: dict[str, object]) -> None:
    found = small(CASES["quantities"], task=task)
    seen = curvature(found.network, found.objective, sample(found))
    assert_allclose(seen.largest, np.linalg.eigvalsh(dense(found))[-1], rtol=2e-3, atol=1e-5)


def test_a_quadratic_s_curvature_is_the_data_s() -> None:
    """Linear regression has the Hessian 2 X^T X / n, and its cut is the parabola itself."""
    found = subject({"data": {"kind": "named", "name": "diabetes"}, "network": "linear"})
    measured = sample(found)
    x = np.concatenate([measured.x, np.ones((len(measured.x), 1))], axis=1).astype(np.float64)
    seen = curvature(found.network, found.objective, measured)
    assert_allclose(seen.largest, np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1], rtol=1e-3)
    assert_allclose(seen.losses, seen.parabola, rtol=1e-4)
    gradient = 2 * x.T @ (x @ flat(found.network) - measured.y[:, 0]) / len(x)
    assert_allclose(seen.gradient, np.linalg.norm(gradient), rtol=1e-4)
    assert seen.loss == seen.losses[len(seen.losses) // 2]


def test_steps_have_no_curvature() -> None:
    found = subject("xor-by-hand")
    seen = curvature(found.network, found.objective, sample(found))
    assert (seen.largest, seen.smallest, seen.gradient, seen.converged) == (0, 0, 0, True)
    assert np.isfinite(seen.losses).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 120), st.integers(0, 10_000))
def test_eigenvalues_of_any_symmetric_matrix(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    half = random.standard_normal((size, size))
    matrix = half + half.T
    found = largest_eigenvalue(lambda v: matrix @ v, size, seed)
    values = np.linalg.eigvalsh(matrix)
    assert np.abs(values - found.value).min() <= found.error + 1e-6 * np.abs(values).max()
    assert_allclose(np.linalg.norm(found.vector), 1, rtol=1e-6)
    if found.converged:
        assert_allclose(found.value, values[-1], rtol=5e-3, atol=1e-6 * np.abs(values).max())
    else:
        assert found.value <= values[-1] + 1e-6


def test_a_shift_does_not_hide_what_is_largest() -> None:
    """All eigenvalues negative: the largest is the one nearest to zero, not the one of largest size."""
    diagonal = -np.linspace(1, 50, 60)
    assert_allclose(largest_eigenvalue(lambda v: diagonal * v, 60).value, -1, rtol=0.05)


def test_what_it_means_for_gradient_descent() -> None:
    seen = Curvature(10, 0.1, 0.0, 30.0, 0.0, 0.0, True, 10, 0.0, np.zeros(3), np.zeros(3))
    descent = r.Train(optimizer=r.Sgd(), learning_rate=0.1)
    assert "up to a curvature of 20 " in stability(seen, descent) and "overshoot" in stability(seen, descent)
    calm = stability(seen, msgspec.structs.replace(descent, learning_rate=0.01))
    assert "up to a curvature of 200 " in calm and "6.7 times" in calm
    assert stability(seen, r.Train(learning_rate=0.1)) == "" == stability(seen, "none")


def test_gradient_descent_is_stable_just_below_the_bound_only() -> None:
    """What the sentence says: on the quadratic itself, rates of 0.98 and 1.02 times 2 / lambda."""
    found = subject({"data": {"kind": "named", "name": "diabetes"}, "network": "linear"})
    measured = jax.device_put(sample(found))
    bound = 2 / curvature(found.network, found.objective, measured).largest
    slope = jax.jit(jax.grad(lambda network: mean_loss(found.objective, network, measured)))
    ends = []
    for rate in (0.98 * bound, 1.02 * bound):
        network = shaped(np.ones(11), found.network)
        for _ in range(400):
            network = jax.tree.map(lambda w, g, rate=rate: w - rate * g, network, slope(network))
        ends.append(loss_of(found.objective, network, measured))
    assert ends[0] < 1 < 100 < ends[1]
