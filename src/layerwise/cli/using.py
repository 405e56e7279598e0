"""The commands that use a model: `evaluate` and `predict`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli import console
from layerwise.cli.training import Json
from layerwise.errors import DataError, LayerwiseError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from layerwise.training.model import Model

ModelFile = Annotated[
    Path,
    typer.Argument(metavar="MODEL", show_default=False, help="A model file, or the folder of a run or study."),
]
FORMATS = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def evaluate(
    model: ModelFile,
    data: Annotated[
        str, typer.Option("--data", metavar="PATH", show_default=False, help="Rows with the right answers.")
    ],
    as_json: Json = False,
) -> None:
    """Score a model on labelled rows; those without an answer are left out.

    \b
    Example:
      layerwise evaluate runs/prices --data new.csv
    """
    found = _load(model).score(data)
    for note in found.notes:
        console.say("note", note)
    if as_json:
        console.write_json({"metrics": found.metrics})
        return
    from layerwise.cli import results

    console.show(results.figures_table({Path(data).name: found.metrics}))


def predict(
    model: ModelFile,
    data: Annotated[
        str, typer.Argument(metavar="DATA", show_default=False, help="Raw rows: CSV, Parquet or JSON Lines.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="A .csv, .tsv, .parquet or .jsonl file; else CSV goes to stdout."
        ),
    ] = None,
) -> None:
    """Predict from raw rows.

    Each row gives its number (from 1), the class and the probability of every class; or the
    predicted quantities.

    \b
    Example:
      layerwise predict runs/prices new.csv --out predicted.csv
    """
    if out is not None:
        _check_target(out, model, Path(data))
    loaded = _load(model)
    table = predictions(loaded, data)
    for column, sentence in loaded.encoder.report(data).items():
        console.say("note", f"{column}: {sentence}")
    if out is None:
        console.write(table.write_csv())
        return
    _write(table, out)
    console.say("done", f"{table.height:,} predictions written to {out}")


def model_file(path: Path) -> Path:
    """The model file at `path`, or in the folder of a run or study that `path` is.

    Raises `LayerwiseError` for a cross-validation, and for a study without a winner yet.
    """
    if (path / "fold-1").is_dir():
        raise LayerwiseError(
            "a cross-validation has a model for each fold",
            received=str(path),
            remedy=f"name one, e.g. {path / 'fold-1'}; or train one on all folds: layerwise train RECIPE",
        )
    if (path / "study.json").is_file():
        path = path / "best"
        if not (path / "model.safetensors").is_file():
            raise LayerwiseError(
                "a study has a model once its winner is trained",
                received=str(path.parent),
                remedy=f"go on with it: layerwise tune --resume {shlex.quote(str(path.parent))}",
            )
    return path / "model.safetensors" if path.is_dir() else path


def _load(path: Path) -> "Model":
    from layerwise.training.model import load

    return load(model_file(path))


# ── predictions as a table ──────────────────────────────────────────────────────────────────────


def predictions(model: "Model", raw: Any) -> "pl.DataFrame":
    """Row number, prediction and probabilities of every raw row, as a table."""
    import polars as pl

    from layerwise.data.dataset import Classes, Labels
    from layerwise.tasks.objective import probabilities

    outputs = model.outputs(model.encoded(raw))
    said = model.decided(outputs)
    columns: list[tuple[str, np.ndarray | pl.Series]] = [("row", pl.int_range(1, len(outputs) + 1, eager=True))]
    match model.target:
        case Classes(column=target, names=names):
            columns.append((target, said))
            shares = probabilities(model.objective, outputs)
            columns += [(f"p_{name}", shares[:, i]) for i, name in enumerate(names)]
        case Labels(columns=targets):
            shares = probabilities(model.objective, outputs)
            for i, name in enumerate(targets):
                columns += [(name, said[:, i]), (f"p_{name}", shares[:, i])]
        case quantities:
            values = said.reshape(len(outputs), -1)
            columns += [(name, values[:, i]) for i, name in enumerate(quantities.columns)]
    return pl.DataFrame(_distinct(columns))


def _distinct(columns: "list[tuple[str, np.ndarray | pl.Series]]") -> "dict[str, np.ndarray | pl.Series]":
    """The columns by name; a name that occurs twice ("row" as a target) gets a number."""
    named: dict[str, Any] = {}
    for name, values in columns:
        unique, number = name, 2
        while unique in named:
            unique, number = f"{name}_{number}", number + 1
        named[unique] = values
    return named


def _check_target(out: Path, model: Path, data: Path) -> None:
    """Refuse, before anything is computed, a place that cannot or must not be written."""
    from layerwise.cli.training import check_writable

    if out.suffix.lower() not in FORMATS:
        raise LayerwiseError(
            f"predictions are written as {', '.join(FORMATS)}",
            received=repr(str(out)),
            remedy="e.g. --out predicted.csv",
        )
    if out.is_dir():
        raise LayerwiseError(
            "predictions are written to a file", received=f"the folder {out}", remedy="name a file in it"
        )
    for source, what in ((model_file(model), "the model"), (data, "the data")):
        if out.exists() and source.exists() and out.samefile(source):
            raise DataError(
                f"predictions do not take the place of {what}", received=str(out), remedy="choose another --out"
            )
    if not out.absolute().parent.is_dir():
        raise LayerwiseError(
            "the folder for the predictions exists", received=str(out.parent), remedy="make it, or choose another --out"
        )
    check_writable(out.absolute().parent)


def _write(table: "pl.DataFrame", out: Path) -> None:
    import io

    from layerwise import files

    buffer = io.BytesIO()
    match FORMATS[out.suffix.lower()]:
        case "csv":
            table.write_csv(buffer)
        case "tsv":
            table.write_csv(buffer, separator="\t")
        case "parquet":
            table.write_parquet(buffer)
        case "jsonl":
            table.write_ndjson(buffer)
    files.write(out, buffer.getvalue())
