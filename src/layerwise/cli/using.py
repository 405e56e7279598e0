"""The commands that use what was trained: `evaluate`, `predict` and `report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli import console
from layerwise.cli.training import Json
from layerwise.errors import DataError, LayerwiseError

if TYPE_CHECKING:
    import polars as pl

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
    from layerwise.progress.calls import load

    found = load(model).score(data)
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
    from layerwise.progress.calls import load
    from layerwise.training.predictions import predictions
    from layerwise.training.wording import counted

    loaded = load(model)
    table = predictions(loaded, data)
    for column, sentence in loaded.encoder.report(data).items():
        console.say("note", f"{column}: {sentence}")
    if out is None:
        console.write(table.write_csv())
        return
    _write(table, out)
    console.say("done", f"{counted(table.height, 'prediction')} written to {out}")


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="RUN", show_default=False, help="The folder of a run or study, or its name in runs."),
    ],
) -> None:
    """Write the report of a run or study: one page that opens without a network.

    \b
    Example:
      layerwise report runs/digits-1
    """
    from layerwise.cli.folders import run_folder
    from layerwise.tuning.listing import model_file

    found = run_folder(folder)
    whole_study = (found / "study.json").is_file()
    if not whole_study:
        model_file(found)  # says of a cross-validation that it has one for each fold
    with console.importing():
        from layerwise import report as reports
    path = reports.study(found) if whole_study else reports.run(found)
    console.write(str(path))


def _check_target(out: Path, model: Path, data: Path) -> None:
    """Refuse, before anything is computed, a place that cannot or must not be written."""
    from layerwise.cli.training import check_writable
    from layerwise.tuning.listing import model_file

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
