"""Where search methods look: grid, random, quasi-random and Bayesian points over the true surface.

The surface is trained, too: a dense grid of settings, many networks at once. Writes the picture as
grid_random_bayes.html. The one in the documentation, three networks at each of 576 settings, is made by

    python examples/grid_random_bayes.py --full --svg docs/grid_random_bayes.svg

for which Chromium has to be installed.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote

import layerwise
from layerwise import plots
from layerwise.tuning.surface import surface

RECIPE = {
    "data": {"kind": "named", "name": "digits"},
    "network": {"kind": "mlp", "hidden": [32]},
    "train": {"epochs": 10},
    "search": {"space": {"train.learning_rate": {"log": [1e-4, 1]}, "train.dropout": {"uniform": [0, 0.5]}}},
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def searched(method: str, trials: int, out: Path) -> layerwise.Study:
    """A study of the recipe by one method."""
    with layerwise.Study(RECIPE, method=method, trials=trials, out=out / method) as study:
        for _ in study:
            pass
    return study


def write_svg(figure, path: Path) -> None:
    """Let a browser draw the figure: Plotly has no other pen."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"drawing an SVG needs one of: {', '.join(BROWSERS)}")
    draw = "Plotly.toImage('{plot_id}', {format: 'svg', width: 1000, height: 980})"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.write_html(page, post_script=f"{draw}.then(url => document.body.textContent = url)")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/browser"]
        call = [browser, *options, "--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
        drawn = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    found = re.search(r"data:image/svg\+xml,([^<]+)", drawn)
    if found is None:
        raise SystemExit("the browser drew nothing")
    path.write_text(unquote(found[1]) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="a dense surface and more trials")
    parser.add_argument("--svg", type=Path, help="write an SVG as well")
    options = parser.parse_args()
    levels, seeds, trials = (24, 3, 36) if options.full else (5, 1, 9)

    true = surface(RECIPE, "train.learning_rate", "train.dropout", levels=levels, seeds=seeds)
    rate, dropout, both = true.shares()
    print(f"of how much the surface varies, {rate:.1%} is due to the learning rate, {dropout:.1%} to dropout,")
    print(f"and {both:.1%} to both together")

    with tempfile.TemporaryDirectory() as folder:
        studies = {method: searched(method, trials, Path(folder)) for method in ("grid", "random", "sobol", "bayes")}
        figure = plots.surface(true, studies)
    figure.write_html("grid_random_bayes.html")
    if options.svg:
        write_svg(figure, options.svg)
