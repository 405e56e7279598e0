"""Which settings are tried: the search algorithms, all Optuna's."""

import warnings
from typing import TYPE_CHECKING, Any, Literal

from layerwise.tuning.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Method = Literal["grid", "random", "sobol", "bayes"]
ASKED_AT_ONCE = 8  # of a Bayesian search: fewer learn more from one another, more fill more cores


def planned(space: Space, method: Method, trials: int, seed: int) -> list[dict[str, Any]]:
    """The parameters of every trial, in Optuna's form; empty where they are decided as the search goes.

    Raises `RecipeError` where a grid does not fit.
    """
    optuna = quiet_optuna()
    if method == "grid":
        return [space.params(settings) for settings in space.grid(trials)]
    if method == "bayes":
        return [{} for _ in range(trials)]
    study = optuna.create_study(sampler=sampler(method, seed))
    if method == "sobol":
        study.ask(space.distributions)  # Optuna draws the first one at random, to learn the space from it
    return [dict(study.ask(space.distributions).params) for _ in range(trials)]


def quiet_optuna() -> Any:
    """Optuna, which would write a line on stderr for each trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def sampler(method: Method, seed: int) -> "BaseSampler":
    """Optuna's sampler for a method.

    random  independent draws (Bergstra & Bengio 2012)
    sobol   a scrambled Sobol' sequence, which leaves no large holes (Sobol' 1967; Owen 1998)
    bayes   a tree-structured Parzen estimator (Bergstra et al. 2011), multivariate; trials that are
            still running count as bad ones ("constant liar"), so that a batch spreads out
    """
    optuna = quiet_optuna()
    made: BaseSampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match method:
            case "sobol":
                made = optuna.samplers.QMCSampler(
                    qmc_type="sobol", scramble=True, seed=seed, warn_independent_sampling=False
                )
            case "bayes":
                made = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
            case _:
                made = optuna.samplers.RandomSampler(seed=seed)
    return made
