"""Lessons: each a text bound to a state of the page, with a question to answer before play.

A lesson is a Markdown file whose head, between two lines of +++, is TOML:

    +++
    title = "A network of one unit"
    answer = 3                              # where the question asks for a number
    show = ["train.learning_rate"]          # settings beneath the text
    lock = ["network"]                      # may be looked at, not changed; `hide` takes away altogether

    [recipe]                                # how it differs from what the Studio begins with
    network = { kind = "linear" }

    [states.fast]                           # for a button in the text: [learn faster](state:fast)
    recipe = { train = { learning_rate = 1 } }

    [[check]]                               # what the text claims, for `examined`
    epochs = 100
    least = { train_accuracy = 1 }
    +++
    The text. ## Question begins what is asked, with `- [ ]` before each choice and `- [x]` before the right ones;
    ## Answer begins what is shown afterwards.

A lecturer's file cannot do more than a page can: its HTML and pictures are not drawn, its links lead to views
of the page, or out to the web in a window of their own, and its recipes pass `allowed.check_data`.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from layerwise.errors import DataError, LayerwiseError, RecipeError
from layerwise.recipe import Recipe, load, plain, to_toml
from layerwise.recipe.wording import Place, nearest
from layerwise.studio.allowed import check_data
from layerwise.studio.games.session import DEFAULT
from layerwise.studio.school.sharing import merged

BYTES = 64 << 10  # of a lesson's file
FILES = 100  # of a lecturer's that are read
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
PARTS = re.compile(r"^## (Question|Answer)[ \t]*$", re.MULTILINE)
CHOICE = re.compile(r"^- \[( |x)\] (.+)$", re.MULTILINE)

Part = Literal["seed", "time", "network", "drawer", "output", "curves", "figures"]
Figure = Literal[
    "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "gap", "rise", "parameters", "dead",
    "saturated", "diverged", "zeros", "epochs",
]  # fmt: skip
Named = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="a name has small letters and digits")]
Changes = dict[str, Any]


class State(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a button in the text leads to: the lesson's recipe with something else; `fresh` begins at step 0."""

    recipe: Changes = {}
    fresh: bool = False
    view: dict[str, str | bool] = {}


class Check(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the text claims of a state, "" being the one that the lesson begins with, after so many epochs.

    Each figure is at `least` or at `most` so large; with `seeds`, for each of them, or for as many as `times`
    says, from and to. `outputs` are the probabilities of the rows in their order, to a thousandth.
    """

    state: str = ""
    epochs: Annotated[int, Meta(ge=0, le=20_000)] = 0
    seeds: Annotated[tuple[Annotated[int, Meta(ge=0, lt=1 << 31)], ...], Meta(max_length=64)] = ()
    times: tuple[int, int] | None = None
    least: dict[Figure, float] = {}
    most: dict[Figure, float] = {}
    outputs: tuple[float, ...] = ()


class Head(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The head of a lesson's file."""

    title: Annotated[str, Meta(min_length=1, max_length=80)]
    recipe: Changes = {}
    view: dict[str, str | bool] = {}
    states: dict[Named, State] = {}
    show: tuple[str, ...] = ()
    lock: tuple[Part, ...] = ()
    hide: tuple[Part, ...] = ()
    answer: float | None = None
    within: Annotated[float, Meta(ge=0)] = 0.0
    check: tuple[Check, ...] = ()


class Lesson(msgspec.Struct, frozen=True):
    """A lesson that was read and found right; texts are HTML. `name` is how a link names it."""

    name: str
    head: Head
    recipe: Recipe
    states: dict[str, Recipe]
    text: str
    question: str
    choices: tuple[tuple[str, bool], ...]  # with whether they are right
    why: str

    def shown(self) -> dict[str, Any]:
        """What a page gets of it."""
        head = self.head
        states = {
            name: {"toml": to_toml(recipe), "fresh": head.states[name].fresh, "view": head.states[name].view}
            for name, recipe in self.states.items()
        }
        return {
            "name": self.name, "title": head.title, "toml": to_toml(self.recipe), "view": head.view,
            "states": states, "show": head.show, "lock": head.lock, "hide": head.hide,
            "text": self.text, "question": self.question, "choices": [words for words, _ in self.choices],
            "right": [number for number, (_, right) in enumerate(self.choices) if right],
            "answer": head.answer, "within": head.within, "why": self.why,
        }  # fmt: skip


# ── finding them ────────────────────────────────────────────────────────────────────────────────


def built_in() -> list[Path]:
    """The files of the lecture's lessons, in its order."""
    home = Path(str(resources.files("layerwise.studio"))) / "lessons"
    return sorted(home.glob("*.md"))


def own(folder: Path) -> list[Path]:
    """A lecturer's files, in order of their names; links are left out."""
    try:
        found = sorted(path for path in folder.glob("*.md") if path.is_file() and not path.is_symlink())
    except OSError:
        return []
    return found[:FILES]


def collected(paths: Iterable[Path]) -> tuple[list[Lesson], list[LayerwiseError]]:
    """The lessons of some files in their order, and what is wrong with the others."""
    lessons: list[Lesson] = []
    problems: list[LayerwiseError] = []
    for path in paths:
        try:
            lesson = read(path)
            if any(lesson.name == other.name for other in lessons):
                raise DataError("each lesson has a name of its own", received=lesson.name, place=path.name)
            lessons.append(lesson)
        except LayerwiseError as error:
            problems.append(error)
    return lessons, problems


def page(folder: Path) -> dict[str, Any]:
    """The lecture's lessons and those of a folder, as a page shows them; and what is wrong with others."""
    lessons, problems = collected([*built_in(), *own(folder)])
    told = [{part: getattr(error, part) for part in ("rule", "received", "remedy", "place")} for error in problems]
    return {"lessons": [lesson.shown() for lesson in lessons], "problems": told}


# ── reading one ─────────────────────────────────────────────────────────────────────────────────


def read(path: Path) -> Lesson:
    """The lesson of a file. Raises `DataError` or `RecipeError` with the rule, the remedy, file and line."""
    name = re.sub(r"^\d+-", "", path.stem)
    if not NAME.fullmatch(name):
        raise DataError(
            "a lesson's file is named in small letters, digits and hyphens", received=path.name,
            remedy='such as "12-my-lesson.md"; a number before it gives the order', place=path.name,
        )  # fmt: skip
    return _read(name, _text(path), path.name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES + 1)
        if len(content) > BYTES:
            raise DataError(f"a lesson has up to {BYTES:,} bytes", received="more", place=path.name)
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise DataError("a lesson is written in UTF-8", received="other bytes", place=path.name) from None
    except OSError as error:
        raise DataError("a lesson's file can be read", received=error.strerror or str(error), place=path.name) from None


def _read(name: str, text: str, file: str) -> Lesson:
    lines = text.split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip() == "+++"]
    if len(ends) < 2 or ends[0] != 0:
        raise DataError(
            "a lesson begins with a head in TOML between two lines of +++", received=lines[0][:60],
            remedy='such as +++, title = "My lesson", +++, each on a line of its own', place=f"{file}, line 1",
        )  # fmt: skip
    place = Place(file, "\n".join(["", *lines[1 : ends[1]]]))
    head = _head("\n".join(["", *lines[1 : ends[1]]]), file, place)
    recipe = _recipe(plain(load(DEFAULT)), head.recipe, ("recipe",), place)
    states = {
        key: _recipe(plain(recipe), state.recipe, ("states", key, "recipe"), place)
        for key, state in head.states.items()
    }
    body = _sections("\n".join(lines[ends[1] + 1 :]), file, ends[1] + 2)
    choices = tuple((words, mark == "x") for mark, words in CHOICE.findall(body["Question"]))
    question = CHOICE.sub("", body["Question"])
    _check_question(head, choices, bool(body["Question"].strip()), file)
    _check_states(head, place)
    drawn = _Drawing(states, file)
    return Lesson(
        name, head, recipe, states, drawn.html(body["Text"]), drawn.html(question),
        tuple((drawn.inline(words), right) for words, right in choices), drawn.html(body["Answer"]),
    )  # fmt: skip


def _head(toml: str, file: str, place: Place) -> Head:
    try:
        return msgspec.convert(tomllib.loads(toml), Head)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        at = f"{file}, line {line[1]}" if line else file
        raise DataError(
            "a lesson's head is written in TOML", received=str(error), remedy="mend that line", place=at
        ) from None
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `")
        path = re.findall(r"[\w-]+", where.removeprefix("$").rstrip("`"))
        unknown = re.search(r"unknown field `([^`]+)`", message)
        remedy = nearest(unknown[1], _KEYS) if unknown else ""
        path += [unknown[1]] if unknown else []
        keys = [part for part in path if not part.isdigit()]
        raise DataError(
            "a lesson's head has known keys and values", received=message, remedy=remedy, place=place.of(keys)
        ) from None
    except RecursionError:
        raise DataError("a lesson's head is not nested that deep", received="too many brackets", place=file) from None


_KEYS = [field for kind in (Head, State, Check) for field in kind.__struct_fields__]


def _recipe(base: dict[str, Any], changes: Changes, path: Sequence[str], place: Place) -> Recipe:
    try:
        recipe = load(merged(base, changes))
        check_data(recipe, load(DEFAULT))
        return recipe
    except RecipeError as error:
        said = [
            re.match(r"[a-z_]+(\.[a-z_]+)+(?=$|[:\[ ])", words) for words in (error.place, error.rule, error.received)
        ]
        keys = next((found[0].split(".") for found in said if found), [])
        raise RecipeError(
            error.rule, received=error.received, remedy=error.remedy, place=place.of([*path, *keys])
        ) from None


def _sections(body: str, file: str, first: int) -> dict[str, str]:
    """The text, what follows "## Question", and what follows "## Answer"."""
    parts = PARTS.split(body)
    found = {"Text": parts[0], "Question": "", "Answer": ""}
    titles = parts[1::2]
    if titles not in ([], ["Question"], ["Question", "Answer"]):
        *_, last = PARTS.finditer(body)
        at = first + body[: last.start()].count("\n")
        raise DataError(
            "a lesson has one question, and after it one answer", received=", ".join(titles),
            remedy='"## Question", then "## Answer", each once', place=f"{file}, line {at}",
        )  # fmt: skip
    return {**found, **dict(zip(titles, parts[2::2], strict=True))}


def _check_question(head: Head, choices: Sequence[tuple[str, bool]], asked: bool, file: str) -> None:
    problem = ""
    if not asked and (choices or head.answer is not None):
        problem = "an answer without a question"
    elif choices and head.answer is not None:
        problem = "choices and a number"
    elif choices and (len(choices) < 2 or not any(right for _, right in choices)):
        problem = "fewer than two choices, or none that is right"
    elif asked and not choices and head.answer is None:
        problem = "no choices, and no number as `answer` in the head"
    if problem:
        remedy = 'write each choice as "- [ ] words", the right ones as "- [x] words"; or answer = 3 in the head'
        raise DataError(
            "a question has choices, or a number as its answer", received=problem, remedy=remedy, place=file
        )


def _check_states(head: Head, place: Place) -> None:
    for check in head.check:
        if check.state and check.state not in head.states:
            raise DataError(
                "a check names a state of its lesson", received=check.state,
                remedy=nearest(check.state, list(head.states)), place=place.of(["check", "state"]),
            )  # fmt: skip


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────


class _Drawing:
    """Markdown to HTML in which nothing can run: no HTML of its own, no pictures, links to known places only."""

    def __init__(self, states: dict[str, Recipe], file: str) -> None:
        from markdown_it import MarkdownIt

        self._states, self._file = states, file
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_inline"])

    def html(self, text: str) -> str:
        """A part of a lesson."""
        tokens = self._markdown.parse(text.strip())
        self._mend(tokens)
        return str(self._markdown.renderer.render(tokens, self._markdown.options, {})).strip()

    def inline(self, text: str) -> str:
        """One line."""
        tokens = self._markdown.parseInline(text)
        self._mend(tokens)
        return str(self._markdown.renderer.render(tokens, self._markdown.options, {}))

    def _mend(self, tokens: Sequence[Any]) -> None:
        for token in tokens:
            if token.type == "heading_open" or token.type == "heading_close":
                token.tag = "h3"  # the page has its own headings above
            open_links: list[Any] = []
            for child in token.children or ():
                if child.type == "link_open":
                    self._mend_link(child)
                    open_links.append(child)
                elif child.type == "link_close":
                    child.tag = open_links.pop().tag

    def _mend_link(self, link: Any) -> None:
        href = str(link.attrs.get("href", ""))
        kind, _, rest = href.partition(":")
        if kind == "state":
            if rest and rest not in self._states:
                raise DataError(
                    "a button names a state of its lesson", received=rest, place=self._file,
                    remedy=nearest(rest, list(self._states)) or f"add [states.{rest}] to the head",
                )  # fmt: skip
            link.tag, link.attrs = "button", {"type": "button", "data-state": rest}
        elif href.startswith("#page="):
            link.attrs = {"href": href}
        elif kind in ("http", "https"):
            link.attrs = {"href": href, "target": "_blank", "rel": "noopener noreferrer"}
        else:
            raise DataError(
                "a link leads to a view, a state, or the web", received=href[:60], place=self._file,
                remedy='such as "#page=many", "state:fast" or "https://..."',
            )  # fmt: skip
