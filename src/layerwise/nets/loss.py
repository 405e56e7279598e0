"""Losses, one value an example. Cross-entropies take logits, never probabilities.

They are written so that XLA fuses a loss and its derivative into few kernels: for a network of a
dozen units the kernels' count, not their work, is the cost.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def binary_cross_entropy(
    logits: Float[Array, "batch outputs"], y: Float[Array, "batch outputs"], smoothing: Float[Array, ""]
) -> Float[Array, " batch"]:
    """-[y log p + (1 - y) log(1 - p)] with p = sigmoid(logit), averaged over the outputs.

    Written as softplus(logit) - y logit, which is the same. `smoothing` e moves the
    targets from 0 and 1 to e/2 and 1 - e/2.
    """
    return (jax.nn.softplus(logits) - logits * (y * (1 - smoothing) + smoothing / 2)).mean(axis=-1)


def categorical_cross_entropy(
    logits: Float[Array, "batch classes"], y: Int[Array, " batch"], smoothing: Float[Array, ""]
) -> Float[Array, " batch"]:
    """-log softmax(logits)[y]; `smoothing` e gives e/classes to every class (Szegedy et al. 2016).

    With smoothing this is (1 - e) times the loss plus e times the mean of -log softmax.
    """
    log_sum = jnp.log(jnp.sum(jnp.exp(logits - logits.max(axis=-1, keepdims=True)), axis=-1)) + logits.max(axis=-1)
    picked = jnp.sum(jnp.where(jnp.arange(logits.shape[-1]) == y[:, None], logits, 0), axis=-1)
    return log_sum - (1 - smoothing) * picked - smoothing * logits.mean(axis=-1)


def squared_error(outputs: Float[Array, "batch outputs"], y: Float[Array, "batch outputs"]) -> Float[Array, " batch"]:
    """(output - y)^2, averaged over the outputs: the mean of this over examples is the MSE."""
    return jnp.square(outputs - y).mean(axis=-1)


def absolute_error(outputs: Float[Array, "batch outputs"], y: Float[Array, "batch outputs"]) -> Float[Array, " batch"]:
    """|output - y|, averaged over the outputs."""
    return jnp.abs(outputs - y).mean(axis=-1)


def huber(
    outputs: Float[Array, "batch outputs"], y: Float[Array, "batch outputs"], delta: Float[Array, ""]
) -> Float[Array, " batch"]:
    """e^2/2 where |e| <= delta, else delta (|e| - delta/2) (Huber 1964), averaged over the outputs."""
    error = jnp.abs(outputs - y)
    inside = jnp.minimum(error, delta)
    return (inside * (error - inside / 2)).mean(axis=-1)


def perceptron(scores: Float[Array, "batch classes"], y: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """max(0, -s * score) for one score with s = +1 or -1; its gradient step is Rosenblatt's rule.

    A score of zero counts as a mistake, so the rule moves away from all-zero weights. For several
    classes it is max(0, best other score - score of the right class) (Kesler's construction).
    """
    if scores.shape[-1] == 1:
        sign = 2 * y.astype(scores.dtype) - 1
        margin = sign * scores[:, 0]
    else:
        right = jnp.arange(scores.shape[-1]) == y[:, None]
        margin = jnp.sum(jnp.where(right, scores, 0), axis=-1) - jnp.max(jnp.where(right, -jnp.inf, scores), axis=-1)
    return jnp.where(margin <= 0, -margin, 0)
