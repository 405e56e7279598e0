"""Which settings a search over an estimator tries: spaces in scikit-learn's terms and in ours.

A parameter's values are a list, a distribution of scipy.stats, or one of our axes. Optuna's methods
search a distribution by its quantiles: what is likely is likely tried, and a Bayesian search has it
for its prior.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils import check_random_state

from layerwise.errors import RecipeError
from layerwise.recipe import decode
from layerwise.recipe import records as r
from layerwise.recipe.wording import shown
from layerwise.tuning.search import ASKED_AT_ONCE, Method, quiet_optuna, sampler

EDGE = 1e-6  # quantiles this near to 0 and 1 are not tried: they may be infinite

Candidate = dict[str, Any]
Evaluate = Callable[[Sequence[Candidate]], Sequence[float]]  # the score of each, higher is better


class Candidates:
    """The candidates of a search, at most `count`; a key of `space` is a parameter's name.

    `space` may also be a list of such mappings, of which "random" draws one for each candidate and
    "grid" takes all. Raises `RecipeError` for an axis that is none, and for a method that it does not suit.

    >>> space = {"alpha": {"log": [1e-4, 1e-1]}, "activation": ["relu", "tanh"]}
    >>> [len(Candidates(space, method, 6).planned()) for method in ("random", "sobol", "grid")]
    [6, 6, 6]
    """

    def __init__(self, space: Any, method: Method, count: int, random_state: Any = 0) -> None:
        parts = [space] if isinstance(space, Mapping) else list(space)
        self._parts = [{name: _axis(name, values) for name, values in part.items()} for part in parts]
        self._method, self._count, self._random = method, count, random_state
        if method in ("sobol", "bayes"):
            self._check_for_optuna()

    @property
    def names(self) -> set[str]:
        """The parameters that are searched."""
        return {name for part in self._parts for name in part}

    def run(self, evaluate: Evaluate) -> None:
        """Have all candidates evaluated; those of a Bayesian search a few at a time, to learn from them."""
        if self._method != "bayes":
            evaluate(self.planned())
            return
        study, left = self._study(), self._count
        states = quiet_optuna().trial.TrialState
        while left:
            trials = [study.ask(self._distributions()) for _ in range(min(ASKED_AT_ONCE, left))]
            for trial, score in zip(trials, evaluate([self._candidate(t.params) for t in trials]), strict=True):
                if math.isfinite(score):
                    study.tell(trial, float(score))
                else:
                    study.tell(trial, state=states.FAIL)
            left -= len(trials)

    def planned(self) -> Sequence[Candidate]:
        """All candidates of the methods that learn nothing on the way."""
        if self._method == "grid":
            return [candidate for part in self._parts for candidate in self._grid(part)]
        if self._method == "random":
            return list(ParameterSampler(self._parts, self._count, random_state=self._random))
        study = self._study()
        return [self._candidate(study.ask(self._distributions()).params) for _ in range(self._count)]

    # ── grids ───────────────────────────────────────────────────────────────────────────────────

    def _grid(self, part: Mapping[str, Any]) -> Sequence[Candidate]:
        """All of the lists, with as many levels of every range as `count` allows."""
        choices = math.prod(len(axis) for axis in part.values() if isinstance(axis, list))
        ranges = sum(not isinstance(axis, list) for axis in part.values())
        levels = math.floor((self._count / max(choices, 1)) ** (1 / ranges) + 1e-9) if ranges else 0
        if ranges and levels < 2:
            least = choices * 2**ranges
            raise RecipeError(
                f"a grid takes every choice with at least two levels of every range: {least} candidates here",
                received=f"n_iter={self._count}",
                remedy=f"give n_iter={least} or more, lists instead of ranges, or another method",
            )
        return list(
            ParameterGrid(
                {name: axis if isinstance(axis, list) else _levels(axis, levels) for name, axis in part.items()}
            )
        )

    # ── Optuna's methods ────────────────────────────────────────────────────────────────────────

    def _check_for_optuna(self) -> None:
        if len(self._parts) != 1:
            raise RecipeError(
                f"{self._method!r} searches one space",
                received=f"a list of {len(self._parts)}",
                remedy='join them, or search by "random" or "grid"',
            )
        for name, axis in self._parts[0].items():
            if not (isinstance(axis, list) or hasattr(axis, "ppf")):
                raise RecipeError(
                    f"{self._method!r} searches distributions by their quantiles, so they need a method `ppf`",
                    received=f"{name}={axis!r}",
                    remedy='give a distribution of scipy.stats, or search by "random"',
                )

    def _study(self) -> Any:
        seed = int(check_random_state(self._random).randint(2**31 - 1))
        return quiet_optuna().create_study(sampler=sampler(self._method, seed), direction="maximize")

    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        def places(count: int) -> Any:
            # A Sobol' sequence has no choices, but whole numbers it spreads evenly.
            return IntDistribution(0, count - 1) if self._method == "sobol" else CategoricalDistribution(range(count))

        return {
            name: places(len(axis)) if isinstance(axis, list) else FloatDistribution(EDGE, 1 - EDGE)
            for name, axis in self._parts[0].items()
        }

    def _candidate(self, params: Mapping[str, Any]) -> Candidate:
        axes = self._parts[0]
        return {
            name: axes[name][value] if isinstance(axes[name], list) else _quantile(axes[name], value)
            for name, value in params.items()
        }


# ── one parameter ───────────────────────────────────────────────────────────────────────────────


def _axis(name: str, values: Any) -> Any:
    """Whatever a parameter's values are given as, as a list or a distribution."""
    if isinstance(values, r.Axis | Mapping):
        given = msgspec.to_builtins(values) if isinstance(values, r.Axis) else dict(values)
        if isinstance(values, r.Axis):
            given = {kind: ends for kind, ends in given.items() if ends}
        if set(given) == {"choice"}:
            return _axis(name, given["choice"])
        # The recipe's reader knows how ranges are written, and words what is wrong with one.
        recipe = decode({"data": {"kind": "toy", "name": "xor"}, "search": {"space": {name: given}}})
        assert isinstance(recipe.search, r.Search)
        return _distribution(name, recipe.search.space[name])
    if hasattr(values, "rvs"):
        return values
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) == 0:
        raise RecipeError(
            "a parameter's values are a list, a distribution or an axis",
            received=shown(values) if isinstance(values, str | int | float) else repr(values),
            remedy='e.g. [16, 64], scipy.stats.uniform(0, 0.5) or {"log": [1e-4, 1e-1]}',
            place=name,
        )
    return list(values)


def _distribution(name: str, axis: r.Axis) -> Any:
    if axis.log:
        return stats.loguniform(*axis.log)
    if axis.uniform:
        return stats.uniform(axis.uniform[0], axis.uniform[1] - axis.uniform[0])
    if not all(isinstance(end, int) for end in axis.int):
        raise RecipeError(
            "int takes two whole numbers", received=shown(list(axis.int)), remedy='e.g. {"int": [1, 8]}', place=name
        )
    return stats.randint(axis.int[0], axis.int[1] + 1)


def _whole(distribution: Any) -> bool:
    return isinstance(getattr(distribution, "dist", None), stats.rv_discrete)


def _quantile(distribution: Any, share: float) -> Any:
    value = distribution.ppf(share)
    return int(value) if _whole(distribution) else float(value)


def _levels(distribution: Any, count: int) -> list[Any]:
    """Evenly spaced quantiles: from end to end, or the middles of equal parts where there is no end."""
    if not hasattr(distribution, "ppf"):
        return list(distribution.rvs(count))
    shares = np.linspace(0, 1, count)
    if not np.isfinite(distribution.support()).all():
        shares = (np.arange(count) + 0.5) / count
    elif _whole(distribution):
        shares = shares.clip(EDGE, 1 - EDGE)
    return sorted({_quantile(distribution, share) for share in shares})
