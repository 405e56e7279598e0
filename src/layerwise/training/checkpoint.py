"""The exact state of training on disk, as safetensors: names, shapes and bits, never code."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from layerwise import files
from layerwise.errors import RunError
from layerwise.training.familiar import Known
from layerwise.training.loop import State

FORMAT = 1
_AGAIN = "train again with: layerwise train RUN/recipe.toml"


class Mark(NamedTuple):
    """Where the run's log and clock stood when the state was taken, and of which data it is."""

    log_bytes: int
    seconds: float
    data: Known = Known()


def write(path: Path, state: State, mark: Mark) -> None:
    """Write `state` atomically. Raises `StorageError`."""
    header = json.dumps({"format": FORMAT, **mark._asdict()})
    files.write(path, save({name: np.array(leaf) for name, leaf in named(state).items()}, {"layerwise_state": header}))


def read(path: Path, like: State) -> tuple[State, Mark]:
    """The state at `path`, which must have the tensors of `like`. Raises `RunError`."""
    try:
        content = path.read_bytes()
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["layerwise_state"])
        if header["format"] != FORMAT:  # before anything else of it, which may mean something else there
            raise RunError(
                f"this version resumes from checkpoints of format {FORMAT}",
                received=f"format {header['format']!r}"[:80],
                remedy="resume it with the version that wrote it, or " + _AGAIN,
                place=path.name,
            )
        data = Known(*header.get("data", ()))  # older ones do not say
        mark = Mark(int(header["log_bytes"]), float(header["seconds"]), data._replace(answers=tuple(data.answers)))
        return filled(like, tensors), mark
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "the checkpoint is whole and belongs to this recipe", received=str(error), remedy=_AGAIN, place=path.name
        ) from None


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by dotted path, e.g. "weights.network.layers.0.weight"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def filled(like: Any, tensors: dict[str, np.ndarray]) -> Any:
    """`like` with its leaves replaced by `tensors`. Raises `ValueError` where they do not match."""
    expected = named(like)
    if set(expected) != set(tensors):
        raise ValueError(f"tensors {sorted(set(expected) ^ set(tensors))[:3]} are missing or superfluous")
    for name, leaf in expected.items():
        found = tensors[name]
        if found.shape != leaf.shape or found.dtype != leaf.dtype:
            raise ValueError(f"{name} is {found.dtype}{found.shape}, not {leaf.dtype}{leaf.shape}")
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(tensors[name]) for name in expected])
