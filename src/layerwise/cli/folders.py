"""Which run's folder the user means."""

from pathlib import Path

from layerwise.errors import LayerwiseError

HOME = Path("runs")  # where `layerwise train` puts them


def run_folder(path: Path) -> Path:
    """The run's folder that the user means: a path, or a name in `runs`. Raises `LayerwiseError`."""
    for folder in (path, HOME / path):
        if (folder / "recipe.toml").is_file():
            return folder
    raise LayerwiseError(
        "a run is a folder with a recipe.toml in it",
        received=str(path) if path.exists() else f"{path}, which does not exist",
        remedy="list the runs with: layerwise runs list",
    )
