"""What is looked at: a network, trained or fresh, with the data it is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from layerwise.data import load as load_data
from layerwise.data.dataset import Dataset, Rows, spread
from layerwise.errors import DataError, LayerwiseError
from layerwise.nets.build import build
from layerwise.nets.dense import MLP
from layerwise.recipe import Recipe, Source, load
from layerwise.tasks.objective import Objective, objective_for, training_weights
from layerwise.training import familiar
from layerwise.training import model as models
from layerwise.training.events import AnyEvent, Finished
from layerwise.training.folder import Folder
from layerwise.training.resolve import resolve

MOST_ROWS = 1000  # that a measurement over many rows looks at, unless it says otherwise


@dataclass(frozen=True)
class Subject:
    """A network with its resolved recipe, its data and what is known of its training.

    `network` has the best weights of a run, those of a model file, or the initial ones of a recipe;
    `trained` says which. `folder` and `events`, the log, are a run's; others have none.
    """

    name: str
    recipe: Recipe
    objective: Objective
    dataset: Dataset
    network: MLP
    trained: bool
    folder: Folder | None = None
    events: Sequence[AnyEvent] = ()

    @property
    def finished(self) -> Finished | None:
        """What a run came to; None where it has not ended, or where there was none."""
        return next((event for event in reversed(self.events) if isinstance(event, Finished)), None)

    def example(self, number: int) -> Rows:
        """The row of an example as the user counts them: in the order of the data, from 1.

        Raises `DataError` where there is none of this number.
        """
        rows = self.dataset.x.shape[0]
        if not 1 <= number <= rows:
            raise DataError(
                "an example is a row of the data, counted from 1",
                received=f"example {number}",
                remedy=f"give a number from 1 to {rows:,}",
            )
        return np.array([number - 1], np.int64)

    def sample(self, part: str, most: int = MOST_ROWS) -> Rows:
        """Rows of "train", "validation" or "test", evenly spread over it where there are more than `most`."""
        return spread(self.dataset.part(part), most)

    def weights(self) -> Float32[np.ndarray, " rows"]:
        """What each row weighs in the loss, its class's weight included."""
        return training_weights(self.recipe.task, self.dataset)

    def batch(
        self, rows: Rows
    ) -> tuple[
        Float32[np.ndarray, "batch inputs"], Shaped[np.ndarray, "batch *outputs"], Float32[np.ndarray, " batch"]
    ]:
        """Encoded inputs, targets and weights of some rows."""
        return self.dataset.x[rows], self.dataset.y[rows], self.weights()[rows]


def subject(source: Source) -> Subject:
    """The network of a run's folder, a study's, a model file or a recipe, with its data.

    Raises `RunError`, `ModelFileError`, `RecipeError` or `DataError` where a part of it cannot be read.

    >>> found = subject({"data": {"kind": "toy", "name": "xor"}, "network": {"kind": "mlp", "hidden": [2]}})
    >>> found.trained, found.network.layers[0].weight.shape, found.dataset.x.shape[1]
    (False, (2, 2), 2)
    """
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and path.is_dir():
        return _of_run(path)
    if path is not None and path.suffix == ".safetensors":
        model = models.load(path)
        dataset = load_data(model.recipe.data, model.recipe.task, model.recipe.seed)
        _check_same(model, dataset, path)
        return Subject(path.stem, model.recipe, model.objective, dataset, model.network, trained=True)
    written = load(source)
    dataset = load_data(written.data, written.task, written.seed)
    resolved = resolve(written, dataset)
    network = initial(resolved.recipe, resolved.objective, dataset)
    # Weights by hand are what there is to look at: nothing will change them.
    given = bool(getattr(written.network, "weights", ())) and resolved.recipe.train == "none"
    name = path.stem if path is not None else dataset.name
    return Subject(name, resolved.recipe, resolved.objective, dataset, network, trained=given)


def initial(recipe: Recipe, objective: Objective, dataset: Dataset, seed: int | None = None) -> MLP:
    """The network of a resolved recipe before its first step; `seed` in place of the recipe's own."""
    return build(
        recipe.network,
        inputs=dataset.x.shape[1],
        outputs=objective.outputs,
        codes=dataset.encoder.embeddings,
        seed=recipe.seed if seed is None else seed,
    )


def _of_run(path: Path) -> Subject:
    """The best weights of a run; of a study its winner's."""
    if (path / "study.json").is_file():
        path = path / "best"
    folder = Folder(path)
    recipe = folder.read_recipe()
    if not folder.model.is_file():
        raise LayerwiseError(
            "a run is looked into once it has a model",
            received=f"{path}, which has none yet",
            remedy="wait for the run to end, or look at its recipe: recipe.toml in the folder",
        )
    model = models.load(folder.model)
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    _check_same(model, dataset, path)
    objective = objective_for(recipe.task, recipe.network, dataset.target)
    return Subject(path.name, recipe, objective, dataset, model.network, True, folder, tuple(folder.events()))


def _check_same(model: models.Model, dataset: Dataset, path: Path) -> None:
    """What a network knows of other rows than those that it was trained on would be said of the wrong ones.

    A model file carries a sketch of its training rows and the split's fingerprint (old ones do not).
    """
    if model.encoder.width != dataset.x.shape[1]:
        found = f"data of {dataset.x.shape[1]} encoded columns, for a network of {model.encoder.width}"
    elif model.target != dataset.target:
        found = "data whose target has other classes, or another mean or scale"
    else:
        split, trained_on = model.info.get("split", {}).get("fingerprint", ""), model.info.get("trained_on", "")
        here = familiar.Known(familiar.fingerprint(dataset), familiar.sketch(dataset.x, dataset.train))
        found = familiar.differing(here, familiar.Known(split, trained_on))
    if found:
        raise DataError(
            "a network is looked into on the data it was trained on",
            received=found,
            remedy="bring the file back that it was trained on, or train it again",
            place=path.name,
        )
