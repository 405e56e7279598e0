"""`layerwise data`."""

from pathlib import Path

import pytest

from layerwise.cli import main
from layerwise.data import catalogue
from layerwise.data.catalogue import entries


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set is on this machine but the embedded ones."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LAYERWISE_DATA", raising=False)


def test_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [listed.entry.name for listed in entries()]
    assert next(line for line in lines if line.startswith("mnist")).endswith("to download (11.6 MB)")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", [listed.entry.name for listed in entries()])
@pytest.mark.parametrize("width", ["60", "120"])
def test_show_fits(name: str, width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert main(["data", "show", name]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= int(width)
    assert out.startswith("name     " + name)


def test_get_what_is_embedded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "iris"]) == 0
    assert capsys.readouterr().out == "iris: 150 rows, embedded\n"


def test_get_tells_of_each_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    iris = catalogue.fetch("iris")

    def fetch(name: str, progress: catalogue.Progress) -> catalogue.NamedArrays:
        for done in (0, 500_000, 1_000_000):
            progress("images.gz", done, 1_000_000)
        return iris

    monkeypatch.setattr(catalogue, "fetch", fetch)
    assert main(["data", "get", "mnist"]) == 0
    assert capsys.readouterr().err == "downloading images.gz (1.0 MB)\n"
