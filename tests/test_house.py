"""The house's own rules, those that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("src", "tests", "examples", "benchmarks", "docs")
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PYTHON = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

FILE_LINES = 450
FUNCTION_LINES = 70
# A table of records is read entry by entry, so its length is no hurdle.
LONGER_FILES = {"src/layerwise/recipe/records.py": 540}

# Written so that they do not find themselves.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.~])/(work|root|home|Users|tmp/w)/\w",
    "a package registry's host": r"py[p]i\.(org|python)|python[h]osted\.org|registry\.npm[j]s|deb\.debia[n]\.org",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def text_files() -> Iterator[Path]:
    """The files of the rooms and of the repository's root, whether git knows them yet or not."""
    for path in [*ROOT.iterdir(), *(ROOT / ".ci").iterdir(), *(p for room in ROOMS for p in (ROOT / room).rglob("*"))]:
        if path.is_file() and path.name != ".git" and "__pycache__" not in path.parts:
            yield path


def long_files(paths: list[Path]) -> list[str]:
    sizes = {name(path): path.read_text("utf-8").count("\n") for path in paths}
    return [f"{file}: {size} lines" for file, size in sizes.items() if size > LONGER_FILES.get(file, FILE_LINES)]


def long_functions(text: str) -> list[str]:
    sizes = {
        f"{node.name}, line {node.lineno}": node.end_lineno - node.lineno + 1 for node in functions(ast.parse(text))
    }
    return [f"{function}: {size} lines" for function, size in sizes.items() if size > FUNCTION_LINES]


def undocumented(text: str) -> list[str]:
    """Public functions and classes of a module without a docstring, and the module itself.

    A class whose body is just ``...`` says all it has to say by its name.
    """
    tree = ast.parse(text)
    found = ["the module"] if tree.body and ast.get_docstring(tree) is None else []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            empty = isinstance(node, ast.ClassDef) and ast.unparse(node.body[0]) == "..."
            if ast.get_docstring(node) is None and not empty:
                found.append(f"{node.name}, line {node.lineno}")
    return found


def test_files_can_be_read_in_one_go() -> None:
    assert long_files(PYTHON) == []


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_functions_can_be_seen_at_once(path: Path) -> None:
    assert long_functions(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(path.read_text("utf-8")) == []


def test_every_room_is_a_package() -> None:
    """The import contracts do not see the modules of a folder without ``__init__.py``."""
    assert [name(path) for path in SOURCES if not (path.parent / "__init__.py").exists()] == []


def test_the_rules_notice() -> None:
    assert long_functions("def f():\n" + "    pass\n" * FUNCTION_LINES) == ["f, line 1: 71 lines"]
    assert undocumented("def f(): pass\nclass A: ...\nclass B: x = 1\ndef _g(): pass") == [
        "the module",
        "f, line 1",
        "B, line 3",
    ]
    assert re.search(FORBIDDEN["a path of one machine"], "open('/" + "home/me/x')")
    assert not re.search(FORBIDDEN["a path of one machine"], "the folder ~/home/me")


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_no_file_names(rule: str) -> None:
    found = []
    for path in text_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # an image or a golden file
        found += [f"{name(path)}: {match[0]}" for match in re.finditer(FORBIDDEN[rule], text)]
    assert found == []


def test_constraints_are_names_and_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    pinned = {normal(line.split("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(need for extra in project["optional-dependencies"].values() for need in extra),
    ]
    assert {normal(re.split(r"[<>=\[ ]", need)[0]) for need in wanted} - pinned == {"layerwise"}


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


# ── light imports ───────────────────────────────────────────────────────────────────────────────

HEAVY = {"jax", "jaxlib", "equinox", "optax", "sklearn", "scipy", "polars", "pandas", "pyarrow", "plotly", "PIL"}


def imported_by(code: str) -> set[str]:
    """The heavy packages a fresh interpreter has loaded after running `code`."""
    report = "\nimport sys; print('|', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True, timeout=60)
    return HEAVY & set(done.stdout.rpartition("|")[2].split())


def test_importing_layerwise_is_light() -> None:
    assert imported_by("import layerwise") == set()


def test_help_is_light() -> None:
    assert imported_by("import layerwise.recipe, scipy") == {"scipy"}
    code = """
import sys
sys.argv = ["layerwise", "--help"]
from layerwise.cli import main
try:
    main()
except SystemExit as exit:
    assert not exit.code
"""
    assert imported_by(code) == set()
