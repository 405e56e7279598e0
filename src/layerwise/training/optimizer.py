"""The update laws, from Optax, and the course of the learning rate.

An optimizer is made inside the compiled program from the arrays of `Hyper`, so that no setting is
baked in. It gives a direction; the step multiplies it by the rate of the moment.
"""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from layerwise.recipe import records as r
from layerwise.training.hyper import Hyper

if TYPE_CHECKING:
    import optax

DEFAULT_RATES: dict[type, float] = {
    r.Sgd: 0.03,
    r.Momentum: 0.01,
    r.Nesterov: 0.01,
    r.Adagrad: 0.03,
    r.RmsProp: 0.001,
    r.Adam: 0.001,
    r.AdamW: 0.001,
    r.Lion: 0.0001,
    r.Lbfgs: 1.0,
}


def optimizer(kind: type[r.Optimizer], hyper: Hyper, memory: int = 0) -> "optax.GradientTransformationExtraArgs":
    """The Optax transformation that turns gradients into an unscaled direction to *subtract*.

    L-BFGS (with `memory` past steps) is the exception: its update is scaled by its line search and
    has its sign already.
    """
    import optax  # takes a fifth of a second, which what is played with need not wait for

    law: Any
    if kind is r.Sgd:
        law = optax.identity()
    elif kind is r.Momentum:
        law = optax.trace(decay=hyper.momentum, nesterov=False)
    elif kind is r.Nesterov:
        law = optax.trace(decay=hyper.momentum, nesterov=True)
    elif kind is r.Adagrad:
        law = optax.scale_by_rss(initial_accumulator_value=0.0, eps=hyper.epsilon)
    elif kind is r.RmsProp:
        law = optax.scale_by_rms(decay=hyper.beta2, eps=hyper.epsilon)
    elif kind is r.Adam or kind is r.AdamW:
        law = optax.scale_by_adam(b1=hyper.momentum, b2=hyper.beta2, eps=hyper.epsilon)
    elif kind is r.Lion:
        law = optax.scale_by_lion(b1=hyper.momentum, b2=hyper.beta2)
    else:
        law = optax.lbfgs(learning_rate=None, memory_size=memory)
    return optax.with_extra_args_support(law)


def rate_factor(
    kind: type[r.Schedule], step: Int[Array, ""], steps_per_epoch: Int[Array, ""], hyper: Hyper
) -> Float[Array, ""]:
    """What the learning rate is multiplied by at `step`, counted from 0.

    With t the epochs done, T all epochs and w the warm-up's, s = (t - w) / (T - w) in [0, 1]:
        constant     1
        step         factor^floor((t - w) / every)
        exponential  factor^(t - w)
        cosine       floor + (1 - floor) (1 + cos(pi s)) / 2
        one_cycle    1/25 to 1 by half a cosine over s <= peak, then down to 1e-4
    and during the warm-up (step + 1) / (steps in it).
    """
    t = step / steps_per_epoch
    since = jnp.maximum(t - hyper.warmup, 0)
    share = jnp.clip(since / jnp.maximum(hyper.epochs - hyper.warmup, 1e-9), 0, 1)
    if kind is r.StepRate:
        factor = hyper.factor ** jnp.floor(since / hyper.every)
    elif kind is r.ExponentialRate:
        factor = hyper.factor**since
    elif kind is r.CosineRate:
        factor = hyper.factor + (1 - hyper.factor) * _half_cosine(share)
    elif kind is r.OneCycleRate:
        up = 1 / 25 + (1 - 1 / 25) * (1 - _half_cosine(share / hyper.factor))
        down = 1e-4 + (1 - 1e-4) * _half_cosine((share - hyper.factor) / (1 - hyper.factor))
        factor = jnp.where(share < hyper.factor, up, down)
    else:
        factor = jnp.float32(1)
    warm = (step + 1) / jnp.maximum(hyper.warmup * steps_per_epoch, 1e-9)
    return jnp.where(t < hyper.warmup, jnp.minimum(warm, 1), factor).astype(jnp.float32)


def _half_cosine(share: Float[Array, ""]) -> Float[Array, ""]:
    """From 1 at 0 to 0 at 1, along half a cosine."""
    return (1 + jnp.cos(jnp.pi * share)) / 2
