"""The command that writes reports: `report`."""

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli import console


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
