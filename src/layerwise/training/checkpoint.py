"""The exact state of training on disk, as safetensors: names, shapes and bits, never code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
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

FORMAT = 2


class Mark(NamedTuple):
    """Where the run's log and clock stood when the state was taken, and of which data it is."""

    log_bytes: int
    seconds: float
    data: Known = Known()


def write(path: Path, state: State, mark: Mark) -> None:
    """Write `state` atomically. Raises `StorageError`."""
    data = mark.data._replace(sums=dict(mark.data.sums))
    header = json.dumps({"format": FORMAT, **mark._replace(data=data)._asdict()})
    files.write(path, save({name: np.array(leaf) for name, leaf in named(state).items()}, {"layerwise_state": header}))


def read_mark(path: Path) -> Mark:
    """What the state at `path` says of itself, whatever its tensors are. Raises `RunError`."""
    with _reading(path), path.open("rb") as file:
        if (length := int.from_bytes(file.read(8), "little")) > path.stat().st_size:
            raise ValueError("it is cut short")
        header = json.loads(json.loads(file.read(length))["__metadata__"]["layerwise_state"])
        if header["format"] != FORMAT:  # before anything else of it, which may mean something else there
            raise RunError(
                f"this version resumes from checkpoints of format {FORMAT}",
                received=f"format {header['format']!r}"[:80],
                remedy="resume it with the version that wrote it, or " + _again(path),
                place=path.name,
            )
        split, trained_on, sums = header["data"]
        data = Known(split, trained_on, {part: tuple(values) for part, values in sums.items()})
        return Mark(int(header["log_bytes"]), float(header["seconds"]), data)


def read(path: Path, like: State) -> State:
    """The state at `path`, which must have the tensors of `like`. Raises `RunError`."""
    read_mark(path)
    with _reading(path):
        state: State = filled(like, load(path.read_bytes()))
    return state


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(
            "a run goes on from a checkpoint that is whole and belongs to its recipe",
            received=str(error),
            remedy=_again(path),
            place=path.name,
        ) from None


def _again(path: Path) -> str:
    return f"train again with: layerwise train {path.with_name('recipe.toml')}"


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
