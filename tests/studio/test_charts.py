"""Figures for the Runs page: made by `layerwise.plots`, drawn by the script of Plotly's own package."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import plotly
import pytest

from layerwise.plots import style
from layerwise.studio.desk import charts
from layerwise.training.run import Run
from layerwise.tuning.listing import read
from layerwise.tuning.study import Study

MOONS = {"data": {"kind": "toy", "name": "moons", "n": 60}, "train": {"epochs": 3}}


def trained(folder: Path, **more: Any) -> Path:
    with Run({**MOONS, **more}, out=folder) as run:
        for _ in run:
            pass
    return folder


def plain(found: charts.Charts) -> Any:
    return json.loads(msgspec.json.encode(found))


def test_a_run_has_its_loss_and_one_more_figure(tmp_path: Path) -> None:
    folder = trained(tmp_path / "a")
    found = plain(charts.of_run(folder, read(folder)))
    loss, accuracy = found["figures"]
    assert (loss["heading"], accuracy["heading"]) == ("Loss", "Accuracy")
    assert [trace["name"] for trace in loss["figure"]["data"]] == ["training", "validation"]
    assert re.fullmatch(
        r"over 3 epochs training ends at [\d.]+, validation ends at [\d.]+; kept: epoch \d", loss["told"]
    )
    assert "dashed line" in found["about"]


def test_runs_stand_in_one_figure_by_their_letters(tmp_path: Path) -> None:
    folders = {name: trained(tmp_path / name, seed=seed) for seed, name in enumerate(("x", "y"))}
    folders["z"] = trained(tmp_path / "z", train={"epochs": 1})
    found = plain(charts.side_by_side(folders, {name: read(folder) for name, folder in folders.items()}))
    assert [trace["name"] for trace in found["figures"][0]["figure"]["data"]] == ["A", "B"]  # one epoch is no curve
    only = {"z": folders["z"]}
    assert charts.side_by_side(only, {"z": read(folders["z"])})["figures"] == []


def test_a_search_shows_its_trials(tmp_path: Path) -> None:
    search = {"trials": 4, "space": {"train.learning_rate": {"log": [1e-3, 1e-1]}}, "halving": False}
    with Study({**MOONS, "search": search}, out=tmp_path / "s") as study:
        for _ in study:
            pass
    found = plain(charts.of_run(tmp_path / "s", read(tmp_path / "s")))
    best = next(each for each in found["figures"] if each["heading"].startswith("Best so far"))
    assert best["told"].startswith("4 trials, the best validation loss ")
    (tmp_path / "s" / "events.jsonl").unlink()
    charts.of_run(tmp_path / "s", read(tmp_path / "s"))  # a damaged one has no figures, or fewer


def test_the_script_is_that_of_the_installed_package(served: Any) -> None:
    own = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    status, headers, body = served.get(charts.address())
    assert status == 200 and body == own and plotly.__version__ in charts.address()
    assert headers["cache-control"] == charts.KEPT and headers["content-type"].startswith("text/javascript")
    assert served.get(charts.address(), Cookie="")[0] == 403
    assert served.get("/plotly-0.0.0.js")[0] == 404
    assert served.get("/")[1]["cache-control"] == "no-store"  # all else is asked for anew


def test_what_plotly_would_add_to_a_page_is_known(tmp_path: Path) -> None:
    found = charts.of_run(folder := trained(tmp_path / "a"), read(folder))
    script = charts.script().read_text("utf-8")
    # One maker of styles uses the sheet that the page has for it; for every other one there is an id.
    assert script.count('createElement("style")') == 1 + len(found["styles"])
    assert found["dark"][style.INK] == "#f1f0ed"


@pytest.mark.parametrize("name", ["/plotly-../../etc/passwd", "/plotly-%2e%2e/security.py"])
def test_no_other_file_is_served_there(served: Any, name: str) -> None:
    assert served.get(name)[0] == 404
