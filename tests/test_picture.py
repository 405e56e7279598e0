"""The picture in the README: it is there, stands on its own, and is what its command draws."""

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "docs" / "picture.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(svg: str) -> str:
    """The letters of an SVG, a blank between its texts."""
    return " ".join(text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def test_the_readme_shows_pictures_that_are_there() -> None:
    found = re.findall(r'<img src="([^"]+)" width="\d+" alt="[^"]{40,}">', (ROOT / "README.md").read_text("utf-8"))
    assert len(found) == 4 and "docs/training.svg" in found
    assert all((ROOT / path).is_file() for path in found)


def test_the_picture_fetches_nothing_and_is_small() -> None:
    svg = (ROOT / "docs" / "training.svg").read_text("utf-8")
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|href|<image|<script|@import|@font-face", svg)
    assert len(svg.encode()) < 20_000
    assert "$ layerwise train digits" in words(svg)
    assert all(name in words(svg) for name in ("training loss", "the network", "majority class", "test part"))


def test_the_command_draws_it(picture: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    svg = picture.drawn(picture.shown("moons"), "a title with < and &")
    text = words(svg)
    for part in ("layerwise train moons", "rows to train on", "epoch", "validation loss", "Trained for", "the network"):
        assert part in text or part in " ".join(text.split()), part
    box = [float(number) for number in ElementTree.fromstring(svg).attrib["viewBox"].split()]
    for sign in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        assert float(sign.attrib["x"]) + float(sign.attrib["textLength"]) <= box[2] - picture.MARGIN + 0.1
        assert 0 < float(sign.attrib["y"]) < box[3]


def test_every_sign_of_a_curve_is_a_shape(picture: ModuleType) -> None:
    svg = picture.drawn(["▁▂▃▄▅▆▇█ and", "━━╸"], "shapes")
    assert words(svg) == "and"
    paths = list(ElementTree.fromstring(svg).iter(f"{SVG}path"))
    assert [path.attrib["d"].count("M") for path in paths] == [8, 3]
