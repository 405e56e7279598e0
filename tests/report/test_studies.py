"""The report of a study: it stands alone, says what is sure, and cannot be broken by what it shows."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from layerwise import report
from layerwise.errors import RunError
from layerwise.report.studies import sentence
from layerwise.tuning.picture import picture
from layerwise.tuning.study import Study

Invent = Callable[..., Path]
VALUES = [0.5, None, 0.7, 0.3, 0.4]
FINALS = {4: [0.5, 0.6, 0.7], 0: [0.4, 0.5, 0.6], None: [0.8, 0.8, 0.8]}
EMPTY = {"meta", "br", "link", "img", "input", "hr"}


@pytest.fixture(autouse=True)
def short(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five megabytes of script would be parsed in every test; `whole` asks for them."""
    if "whole" not in request.node.name:
        monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "/* plotly.js */")


class Page(HTMLParser):
    """What is on a page: its words, its attributes, its scripts; refuses elements that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def figures(self) -> dict[str, Any]:
        return next(json.loads(text) for attrs, text in self.scripts if attrs.get("id") == "figures")


def read(path: Path) -> Page:
    assert path.name == "report.html"
    return Page(path.read_text("utf-8"))


def test_it_stands_alone(invent: Invent) -> None:
    """Nothing in it is fetched from anywhere, and the page forbids itself to."""
    path = report.study(invent(VALUES, finals=FINALS))
    page = read(path)
    fetching = {"src", "href", "srcset", "action", "poster", "data", "xlink:href"}
    assert [found for found in page.attributes if found[1] in fetching] == []
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and value.startswith("default-src"))
    assert policy.startswith("default-src 'none'") and "http" not in policy and "*" not in policy
    css = re.search(r"<style>(.*?)</style>", path.read_text("utf-8"), re.DOTALL)
    assert css is not None and "url(" not in css[1] and "@import" not in css[1]


def test_the_whole_of_plotly_is_in_it_once_and_every_figure_has_a_place(invent: Invent) -> None:
    page = read(report.study(invent(VALUES, finals=FINALS)))
    assert sum(len(text) > 1_000_000 for _, text in page.scripts) == 1
    places = [value for tag, name, value in page.attributes if name == "id" and value.startswith("figure-")]
    assert set(places) == set(page.figures) and len(places) == len(page.figures) == 8
    assert all(spec["layout"]["title"]["text"] == "" for spec in page.figures.values())


def test_what_it_says_of_the_winner(invent: Invent) -> None:
    page = read(report.study(invent(VALUES, finals=FINALS, remarks=["rbf_svm does well"])))
    assert "moons: 5 trials by random search" in page.text
    assert "Trial 0 won with learning rate 0.001, dropout 0" in page.text
    assert "validation loss 0.5 (95% interval 0.2516 to 0.7484) on average over 3 further seeds." in page.text
    assert "RBF SVM does well." in page.text
    assert "It was scored once" in page.text and "0.750 0.625 to 0.875" in page.text
    assert "recipe as written 0.8 0.8 to 0.8 0.8, 0.8, 0.8 -" in page.text
    assert "1 diverged and 4 finished" in page.text


def test_the_test_figure_is_the_one_that_was_searched_for(invent: Invent) -> None:
    text = read(report.study(invent([0.5, 0.6], monitor="macro_f1", finals={1: [0.5, 0.6, 0.7]}))).text
    assert "0.500 0.250 to 0.750 macro F1 on the test part" in text


def test_baselines_stand_below_the_network(invent: Invent) -> None:
    text = read(report.study(invent(VALUES, finals=FINALS))).text
    assert text.index("the network 0.750") < text.index("RBF SVM 0.500 0.375 to 0.625 -")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"status": ""}, "is going on, or was ended from outside; the best trial so far came to 0.3 in the search."),
        ({"status": "interrupted"}, "was interrupted before its winner was confirmed on further seeds; the best"),
        ({"status": "time_limit"}, "ran out of time before its winner was confirmed"),
        ({"status": "joined"}, "the one that began the study names its winner"),
        ({"status": "finished"}, "No finalist came to a finite loss"),
        ({"finals": {None: [0.1, 0.1, 0.1], 0: [0.4, 0.5, 0.6]}}, "The recipe as written won"),
    ],
)
def test_how_it_ended_in_a_sentence(invent: Invent, given: dict[str, Any], words: str) -> None:
    path = invent(VALUES, **given)
    assert words in sentence(picture(path))
    assert words in read(report.study(path)).text


def test_nothing_finite(invent: Invent) -> None:
    page = read(report.study(invent([None], status="diverged")))
    assert "No setting came to a finite loss, so there is no winner." in page.text
    assert "Finalists" not in page.text and "Use the model" not in page.text


@pytest.mark.parametrize("values", [[], [0.5], [None, 0.5]], ids=["nothing over", "one", "first diverged"])
def test_a_study_that_goes_on(invent: Invent, values: list[float | None]) -> None:
    path = invent(values, status="")
    page = read(report.study(path))
    assert "layerwise tune --resume ." in page.text  # from the folder of the page
    assert any(attrs.get("id") == "figures" for attrs, _ in page.scripts) == bool(values)
    assert ("nothing to draw" in page.text) == (not values)


def test_words_cannot_break_out(invent: Invent) -> None:
    """A category's or a folder's name may hold anything."""
    evil = "</script><script>alert(1)</script><b>&amp;"
    path = invent(VALUES, "a <i> & b", finals=FINALS, remarks=[evil])
    page = read(report.study(path))
    assert len(page.scripts) == 4
    assert evil in page.text
    assert not any(tag in ("b", "i") and name == "onclick" for tag, name, _ in page.attributes)


def test_it_names_no_folder_of_the_machine(invent: Invent, tmp_path: Path) -> None:
    path = invent(VALUES, finals=FINALS)
    assert str(tmp_path) not in report.study(path).read_text("utf-8")


def test_it_is_written_anew(invent: Invent) -> None:
    path = invent([0.5], status="")
    before = read(report.study(path)).text
    (path / "events.jsonl").unlink()
    with pytest.raises(RunError, match="none began"):
        report.study(path)
    assert read(path / "report.html").text == before


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        report.study(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_report_of_a_real_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first trial to the command that uses its model; resumed, it says the same."""
    monkeypatch.setattr("layerwise.training.run.prepare", lambda: None)
    monkeypatch.setattr("layerwise.training.result.take", lambda: None)
    monkeypatch.setattr("layerwise.training.result.score_baselines", lambda *_: iter(()))
    recipe = {
        "data": {"kind": "toy", "name": "circle", "n": 60},
        "network": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 3},
        "search": {"trials": 3, "space": {"train.learning_rate": {"log": [1e-3, 1e-1]}}},
    }
    folder = tmp_path / "mine"
    with Study(recipe, out=folder) as study:
        for _ in study:
            pass
    page = read(report.study(study))
    assert "layerwise predict best/model.safetensors DATA" in page.text
    assert 'kind = "toy" name = "circle"' in page.text
    assert study.best is not None and f"{study.best.mean:.4g} (95% interval" in page.text
    with Study.resume(folder) as again:
        for _ in again:
            pass
    assert read(report.study(again)).text == page.text
