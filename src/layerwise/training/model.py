"""The model: one file that predicts from raw input.

A model file is safetensors with one metadata key, `layerwise`, that holds canonical JSON: format,
recipe, how raw input is encoded, what the outputs mean, scores, and five examples with the outputs
they must give. Loading it executes nothing that it holds, and refuses a file of which one bit differs.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from layerwise import files
from layerwise.data.dataset import Classes, Encoder, Labels, Target
from layerwise.data.encode import AS_USUAL, encoder_from
from layerwise.data.target import encode_target, left_out
from layerwise.data.transform import TableSpec
from layerwise.errors import LayerwiseError, ModelFileError
from layerwise.nets.build import build, layout
from layerwise.nets.dense import MLP
from layerwise.recipe import records as r
from layerwise.recipe.reading import decode, plain
from layerwise.tasks.intervals import Interval
from layerwise.tasks.objective import Objective, decide, objective_for, probabilities, score
from layerwise.training import familiar
from layerwise.training.checkpoint import filled, named
from layerwise.training.forward import Forward
from layerwise.training.wording import counted, headline

FORMAT = 1  # what this version writes
OLDEST_READER = 1  # the lowest format whose reader understands what this version writes
EXAMPLES = 5
FEW = 10  # rows whose resamples vary much less than other such rows would
SOME = 0.01  # of the rows that are scored must be known from training to be worth a word
KEY = "layerwise"


class Scores(NamedTuple):
    """What `Model.score` found: each metric with its interval, and sentences on rows that were left out."""

    metrics: dict[str, Interval]
    notes: tuple[str, ...]


class Model:
    """A trained network with everything needed to use it on raw input.

    `recipe` is the resolved recipe, `encoder` and `target` the fitted transforms, `info` the scores,
    split and versions written at training time.
    """

    def __init__(
        self,
        recipe: r.Recipe,
        network: MLP,
        encoder: Encoder,
        target: Target,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.encoder = encoder
        self.target = target
        self.info = dict(info or {})
        self.objective: Objective = objective_for(recipe.task, recipe.network, target)
        self._forward = Forward(network)

    def __repr__(self) -> str:
        """What it predicts, from how much, and how well it did."""
        match self.target:
            case Classes(column=column, names=names):
                said = f"{column} ({len(names)} classes)"
            case other:
                said = ", ".join(other.columns)
        said = said if len(said) <= 60 else said[:57] + "..."
        known = headline(
            msgspec.convert(msgspec.to_builtins(self.info.get("metrics", {})), dict[str, dict[str, Interval]])
        )
        words = [f"{said} from {counted(len(self.encoder.names), 'column')}", *([known] if known else [])]
        return f"<Model: {', '.join(words)}>"

    def outputs(self, x: Float32[np.ndarray, "rows inputs"]) -> Float32[np.ndarray, "rows outputs"]:
        """The network's outputs for encoded rows (for classes: logits)."""
        return self._forward(x)

    def predict(self, raw: Any) -> np.ndarray:
        """What the model says of raw rows: a table, an array, a path, mappings, or one mapping.

        Classes: their names, of shape (rows,). Labels: booleans of shape (rows, labels). Quantities:
        numbers in the target's own unit, of shape (rows,) or (rows, quantities). Raises `DataError`
        where columns are missing or hold what they did not in training.
        """
        return self.decided(self.outputs(self.encoded(raw)))

    def predict_proba(self, raw: Any) -> Float32[np.ndarray, "rows classes"]:
        """The probability of each class (rows sum to one) or label, of shape (rows, classes)."""
        return probabilities(self.objective, self.outputs(self.encoded(raw)))

    def score(self, raw: Any, seed: int = 0) -> Scores:
        """The metrics on labelled rows (a path, a table, mappings with the target in them).

        `seed` is the bootstrap's. Rows without a target are left out, as in training, and counted in
        the notes. Raises `DataError` where a column is missing, or every target.
        """
        written = self.encoder.spec
        y, has = encode_target(raw, self.target, written if isinstance(written, TableSpec) else AS_USUAL)
        x = self.encoded(raw)
        notes = [*left_out(int((~has).sum())), *self._familiar(x[has])]
        if has.sum() < FEW:
            notes.append(f"intervals that rest on {counted(int(has.sum()), 'row')} are narrower than they ought to be")
        return Scores(score(self.objective, self.outputs(x)[has], y, self.target, seed).metrics, tuple(notes))

    def _familiar(self, x: Float32[np.ndarray, "rows inputs"]) -> list[str]:
        """A sentence where rows to be scored are rows of the training part."""
        known = familiar.share(self.info.get("trained_on"), x)
        if known < SOME:
            return []
        return [
            f"{known:.0%} of these rows are equal to rows that the model was trained on: "
            "what it scores on them says little about new rows"
        ]

    def encoded(self, raw: Any) -> Float32[np.ndarray, "rows inputs"]:
        """Raw rows as the network takes them; one mapping is one row."""
        return self.encoder.encode_row(raw) if isinstance(raw, Mapping) else self.encoder.encode(raw)

    def decided(self, outputs: Float32[np.ndarray, "rows outputs"]) -> np.ndarray:
        """What `predict` gives, from the network's outputs."""
        match self.target:
            case Classes(names=names):
                return np.asarray(np.array(names)[decide(self.objective, outputs)])
            case Labels():
                return outputs > 0
            case quantities:
                values = quantities.in_units(outputs)
                return values[:, 0] if len(quantities.columns) == 1 else values

    def save(self, path: str | os.PathLike[str], examples: Any = ()) -> None:
        """Write the model file; `examples` are raw rows that a reader checks itself on.

        Raises `StorageError`.
        """
        tensors = {f"network.{name}": np.array(leaf) for name, leaf in named(self.network).items()}
        tensors |= {f"encoder.{name}": np.ascontiguousarray(a) for name, a in self.encoder.arrays.items()}
        header = {
            **self.info,
            "format": FORMAT,
            "oldest_reader": OLDEST_READER,
            "recipe": plain(anonymous(self.recipe)),
            "encoder": msgspec.to_builtins(self.encoder.spec, str_keys=True),
            "target": msgspec.to_builtins(self.target),
            "output": {"meaning": self.objective.kind, "threshold": 0.5, "calibration": "none"},
            "inputs": self.encoder.width,
            "examples": self._examples(examples),
        }
        header["digest"] = _digest(header, tensors)
        files.write(Path(path), save_tensors(tensors, {KEY: _canonical(header)}))

    def _examples(self, raw: Any) -> dict[str, Any]:
        if len(raw) == 0:
            return {"raw": [], "outputs": []}
        rows = raw.tolist() if isinstance(raw, np.ndarray) else msgspec.to_builtins(list(raw))
        if isinstance(rows[0], dict):  # of a table's rows no more than is read: other columns may name people
            rows = [{name: row[name] for name in self.encoder.names} for row in rows]
        outputs = self.outputs(self.encoder.encode(rows)).astype(float)
        sound = np.isfinite(outputs).all(axis=1)  # JSON has no other numbers
        return {"raw": [row for row, good in zip(rows, sound, strict=True) if good], "outputs": outputs[sound].tolist()}


def load(path: str | os.PathLike[str]) -> Model:
    """The model of a file, checked against its digest and its own examples.

    Raises `ModelFileError` where the file is missing, cut short, altered, newer, or not ours.
    """
    place = Path(path).name
    header, tensors = _read(Path(path))
    try:
        model = _assembled(header, tensors)
        _check_examples(model, header["examples"], place)
    except ModelFileError:
        raise
    except (LayerwiseError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelFileError(
            "a model file's parts fit together", received=str(error), remedy="train and save it again", place=place
        ) from None
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    def refuse(rule: str, received: str, remedy: str) -> ModelFileError:
        return ModelFileError(rule, received=received, remedy=remedy, place=path.name)

    try:
        content = path.read_bytes()
    except OSError as error:
        received = f"{path}: {error.strerror or error}"
        raise ModelFileError("the model file can be read", received=received, remedy="check the path") from None
    again = "copy the file again, or train and save it again"
    try:
        tensors = load_tensors(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refuse("a model file is a whole safetensors file", str(error) or "not one", again) from None
    if KEY not in metadata:
        raise refuse("a model file was written by layerwise", "another program's file", "give a model.safetensors")
    try:
        header = json.loads(metadata[KEY])
        version, format, digest = header["oldest_reader"], header["format"], header["digest"]
        if not (isinstance(version, int) and isinstance(format, int)):
            raise TypeError("a format is a whole number")
        # 1e-08 and 1E-08 differ in one bit and mean the same, so the text itself is compared.
        written = metadata[KEY] == _canonical(header)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refuse("a model file is unaltered", "a damaged description", again) from None
    if version > FORMAT:
        raise refuse(f"this version reads model files up to format {FORMAT}", f"format {format}", "upgrade layerwise")
    if not written or digest != _digest(header, tensors):
        raise refuse("a model file is unaltered", "its digest does not match its content", again)
    return header, tensors


def _assembled(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Model:
    recipe = decode(header["recipe"])
    target = msgspec.convert(header["target"], Target)
    fitted = {name.removeprefix("encoder."): a for name, a in tensors.items() if name.startswith("encoder.")}
    weights = {name.removeprefix("network."): a for name, a in tensors.items() if name.startswith("network.")}
    encoder = encoder_from(header["encoder"], fitted)
    objective = objective_for(recipe.task, recipe.network, target)
    network = recipe.network
    if isinstance(network, r.Mlp | r.LinearNet):  # its weights are here, none need to be drawn
        network = msgspec.structs.replace(network, initialization="zeros", weights=())
    inputs, outputs, codes = encoder.width, objective.outputs, encoder.embeddings
    expected = layout(network, inputs=inputs, outputs=outputs, codes=codes).parameters
    if expected != (found := sum(each.size for each in weights.values())):  # before room is made for so many
        raise ValueError(f"{found:,} weights for a network of {expected:,}")
    like = build(network, inputs=inputs, outputs=outputs, codes=codes, seed=recipe.seed)
    own = {"format", "oldest_reader", "recipe", "encoder", "target", "output", "inputs", "examples", "digest"}
    info = {name: value for name, value in header.items() if name not in own}
    return Model(recipe, filled(like, weights), encoder, target, info)


def _check_examples(model: Model, examples: dict[str, Any], place: str) -> None:
    """A file that decodes but computes something else (another library's fault, say) is no good."""
    if not examples["raw"]:
        return
    expected = np.array(examples["outputs"], np.float32)
    found = model.outputs(model.encoder.encode(examples["raw"]))
    if not np.allclose(found, expected, rtol=1e-3, atol=1e-4):
        raise ModelFileError(
            "a model gives the outputs that were written down with it",
            received=f"a difference of {np.abs(found - expected).max():.3g}",
            remedy="the versions that trained it are in the file's description; train it again with these",
            place=place,
        )


def anonymous(recipe: r.Recipe) -> r.Recipe:
    """The recipe without the folders of the machine it ran on."""
    data = recipe.data
    if isinstance(data, r.TableData | r.ImageData | r.TextData | r.EcgData):
        data = msgspec.structs.replace(data, path=Path(data.path).name)
    if isinstance(split := data.split, r.GivenSplit):
        names = {part: Path(getattr(split, part)).name for part in ("validation", "test")}
        data = msgspec.structs.replace(data, split=msgspec.structs.replace(split, **names))
    return msgspec.structs.replace(recipe, data=data)


def _canonical(header: Mapping[str, Any]) -> str:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(header: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the description (without the digest itself) and of every tensor."""
    digest = hashlib.sha256(_canonical({k: v for k, v in header.items() if k != "digest"}).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}:{tensor.dtype}:{tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
