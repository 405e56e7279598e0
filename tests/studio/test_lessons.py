"""Lessons: each claims only what happens, a lecturer's mistakes are told with their line, and no text can do more."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from layerwise.errors import LayerwiseError
from layerwise.recipe import Recipe, to_toml
from layerwise.studio.school import lessons
from layerwise.studio.school.examine import examined, main
from layerwise.studio.school.lessons import Lesson, built_in, collected, own, page, read

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

BUILT_IN = built_in()
LECTURE = (
    "perceptron", "xor", "activations", "parameters", "back-propagation", "learning-rate", "minima",
    "hyper-parameters", "over-fitting", "features", "three-units", "linear", "spiral",
)  # fmt: skip
GOOD = """+++
title = "Mine"
show = ["train.learning_rate"]
hide = ["seed"]

[recipe]
train = { learning_rate = 0.3 }

[states.fast]
recipe = { train = { learning_rate = 3 } }
fresh = true

[[check]]
epochs = 20
least = { train_accuracy = 0.9 }
+++
Text with [a button](state:fast) and [a view](#page=many).

## Question
Will it learn?
- [ ] No
- [x] Yes, *it will*

## Answer
It did.
"""


def written(folder: Path, text: str, name: str = "20-mine.md") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_lecture_comes_in_order() -> None:
    found, problems = collected(BUILT_IN)
    assert problems == [] and tuple(lesson.name for lesson in found) == LECTURE
    assert len({lesson.head.title for lesson in found}) == len(found)
    for lesson in found:
        assert lesson.question and lesson.why and lesson.head.check, lesson.name
        assert 1 <= sum(right for _, right in lesson.choices) < len(lesson.choices) or lesson.head.answer is not None


@pytest.mark.parametrize("path", BUILT_IN, ids=[path.stem for path in BUILT_IN])
def test_every_lesson_passes_its_own_check(path: Path) -> None:
    lesson = read(path)
    assert examined(lesson) == []
    for name in lesson.states:
        assert f'data-state="{name}"' in lesson.text + lesson.why, f"nothing leads to {name}"


def test_a_lecturers_lesson_stands_behind_the_lecture(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    found = page(tmp_path)
    assert found["problems"] == [] and [each["name"] for each in found["lessons"]] == [*LECTURE, "mine"]
    mine = found["lessons"][-1]
    assert mine["choices"] == ["No", "Yes, <em>it will</em>"] and mine["right"] == [1]
    assert "learning_rate = 0.3" in mine["toml"] and "learning_rate = 3" in mine["states"]["fast"]["toml"]
    assert '<button type="button" data-state="fast">a button</button>' in mine["text"]
    assert '<a href="#page=many">a view</a>' in mine["text"]
    assert examined(read(tmp_path / "20-mine.md")) == []


def test_a_folder_that_is_not_there_has_no_lessons(tmp_path: Path) -> None:
    assert own(tmp_path / "none") == []


def test_claims_that_do_not_hold_are_told() -> None:
    lesson = read(BUILT_IN[LECTURE.index("over-fitting")])
    claims = {
        "at least": lessons.Check(epochs=5, least={"train_accuracy": 1.0}),
        "at most": lessons.Check(epochs=5, most={"parameters": 3}),
        "for 0 of 2 seeds, not for 2": lessons.Check(epochs=1, seeds=(0, 1), times=(2, 2), least={"gap": 9}),
        "the outputs are": lessons.Check(outputs=(0.0, 1.0)),
        "validation_loss is nan": lessons.Check(least={"validation_loss": 0}),  # nothing was trained yet
    }
    for words, check in claims.items():
        head = lessons.msgspec.structs.replace(lesson.head, check=(check,))
        failed = examined(lessons.msgspec.structs.replace(lesson, head=head))
        assert len(failed) == 1 and words in failed[0], failed


# ── mistakes ────────────────────────────────────────────────────────────────────────────────────

MISTAKES = {
    "no head": ("Only text.", "begins with a head", 1, ""),
    "no end of the head": ('+++\ntitle = "x"\ntext', "begins with a head", 1, ""),
    "no TOML": (GOOD.replace('"Mine"', "Mine"), "written in TOML", 2, ""),
    "no title": (GOOD.replace('title = "Mine"\n', ""), "known keys", None, ""),
    "an unknown key": (GOOD.replace("hide =", "hides ="), "known keys", 4, "hide"),
    "an unknown part": (GOOD.replace('"seed"', '"sead"'), "known keys", 4, ""),
    "a key of the recipe": (GOOD.replace("{ learning_rate = 0.3", "{ learningrate = 0.3"), "", 7, "learning_rate"),
    "a value of the recipe": (GOOD.replace("= 0.3", "= -1"), "", 7, ""),
    "a value of a state": (GOOD.replace("= 3 ", "= -3 "), "", 10, ""),
    "a state that is none": (GOOD.replace("state:fast", "state:fats"), "a button names a state", None, "fast"),
    "a check of no state": (GOOD.replace("epochs = 20", 'state = "fats"'), "a check names a state", 14, "fast"),
    "a figure that is none": (GOOD.replace("train_accuracy", "accuracy"), "known keys", None, ""),
    "no right choice": (GOOD.replace("[x]", "[ ]"), "a question has choices", None, "- [x]"),
    "no choices": (GOOD.replace("- [ ] No\n- [x] Yes, *it will*\n", ""), "a question has choices", None, "answer ="),
    "choices and a number": (GOOD.replace("show =", "answer = 3\nshow ="), "a question has choices", None, ""),
    "a number and no question": ('+++\ntitle = "x"\nanswer = 3\n+++\nText.', "a question has choices", None, ""),
    "two questions": (GOOD + "## Question\nAgain?\n", "one question", 26, ""),
    "an answer before": (GOOD.replace("## Question", "## Answer", 1), "one question", 24, ""),
    "a link elsewhere": (GOOD.replace("#page=many", "lesson.html"), "a link leads to", None, "state:fast"),
    "a file": (GOOD.replace("[recipe]", '[recipe]\ndata = { kind = "table", path = "/etc/passwd", target = "x" }'),
               "", None, "drop the file"),
    "too much": (GOOD + "x" * lessons.BYTES, "a lesson has up to", None, ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "rule", "line", "remedy"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_with_file_line_and_remedy(
    text: str, rule: str, line: int | None, remedy: str, tmp_path: Path
) -> None:
    written(tmp_path, text)
    found = page(tmp_path)
    assert len(found["lessons"]) == len(LECTURE) and len(found["problems"]) == 1
    problem = found["problems"][0]
    assert rule in problem["rule"] and remedy in problem["remedy"], problem
    assert problem["place"].startswith("20-mine.md"), problem
    if line is not None:
        assert problem["place"] == f"20-mine.md, line {line}", problem


@pytest.mark.parametrize("name", ["My Lesson.md", "20-.md", "ä.md", "1-xor.md"])
def test_names_that_no_link_can_have_are_told(name: str, tmp_path: Path) -> None:
    written(tmp_path, GOOD, name)
    assert len(page(tmp_path)["problems"]) == 1


def test_other_bytes_and_links_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "linked.md").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "folder.md").mkdir()
    found = page(tmp_path)
    assert [problem["place"] for problem in found["problems"]] == ["bytes.md"]
    assert "secret" not in str(found)


# ── an attacker's lesson ────────────────────────────────────────────────────────────────────────

HARMLESS = {
    "a script": "<script>alert(1)</script>",
    "a picture with a handler": '<img src=x onerror="alert(1)">',
    "a picture from elsewhere": "![x](https://evil.example/x.png)",
    "HTML within a line": "Text <b onclick=alert(1)>bold</b> text",
    "a frame": '<iframe src="https://evil.example"></iframe>',
    "a style": "<style>* { display: none }</style>",
    "an entity": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "a title with quotes": '[x](https://e.example/ "a\\" onmouseover=\\"alert(1)")',
    "code": "`<script>alert(1)</script>`\n\n```html\n<script>alert(2)</script>\n```",
}
REFUSED = {
    "script in a link": "[x](javascript:alert(1))",
    "data in a link": "[x](data:text/html,<script>alert(1)</script>)",
    "a file in a link": "[x](file:///etc/passwd)",
    "another server's page": "[x](//evil.example/)",
    "a path of the server": "[x](/api/runs)",
    "a blob": "[x](blob:http://127.0.0.1/1)",
}


ALLOWED = {
    "a": {"href", "target", "rel", "title"}, "button": {"type", "data-state"}, "code": {"class"},
    **dict.fromkeys(["p", "em", "strong", "pre", "ul", "ol", "li", "h3", "table", "thead", "tbody", "tr"], ()),
    **dict.fromkeys(["th", "td"], ()),
}  # fmt: skip


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_nothing_in_a_text_can_run(text: str, tmp_path: Path) -> None:
    read_at_all = 0
    for place in ("It did.", "Will it learn?", "Text with", "- [ ] No"):
        source = GOOD.replace(place, f"{place} {text}" if place == "- [ ] No" else f"{text}\n\n{place}", 1)
        try:
            lesson = read(written(tmp_path, source))
        except LayerwiseError:
            continue
        read_at_all += 1
        for tag, attributes in Tags(" ".join([lesson.text, lesson.question, lesson.why, *dict(lesson.choices)])).found:
            assert tag in ALLOWED and set(attributes) <= set(ALLOWED[tag]), (tag, attributes)
            assert (attributes.get("href") or "#page=").startswith(("#page=", "https://"))
    assert read_at_all


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_links_to_other_places_lead_nowhere(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("It did.", text))
    try:
        lesson: Lesson | None = read(path)
    except LayerwiseError as error:
        lesson = None
        assert "a link leads to" in error.rule
    assert lesson is None or "href=" not in lesson.why


def test_a_state_in_a_page_is_a_recipe_and_nothing_else() -> None:
    for lesson in collected(BUILT_IN)[0]:
        for recipe in (lesson.recipe, *lesson.states.values()):
            assert isinstance(recipe, Recipe) and "path" not in to_toml(recipe)


def test_the_command_examines_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, GOOD)
    bad = written(tmp_path, GOOD.replace("least = { train_accuracy = 0.9 }", "least = { train_loss = 5 }"), "bad.md")
    assert main([str(good)]) == 0 and main([str(good), str(bad), str(tmp_path / "none.md")]) == 1
    said = capsys.readouterr().out
    assert "20-mine.md: all is well, 1 checks" in said
    assert "bad.md: what a lesson claims happens" in said and "train_loss is 0." in said
    assert "none.md: a lesson's file can be read" in said
