"""Every code block of the README and of the pages in docs runs as it stands, one after the other in one folder.

The folder holds the example data. `make` and `pip` lines are checked against the Makefile and the
extras instead of being run.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from layerwise import recipe

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
EXTRAS = set(PYPROJECT["project"]["optional-dependencies"])


class Block(NamedTuple):
    """A fenced block: its language, its text, and the page's line on which the text starts."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in found]


def run_shell(text: str, folder: Path) -> None:
    """Run the lines in bash, with this interpreter's own `layerwise` first on the path."""
    lines = []
    for line in text.splitlines():
        if make := re.match(r"make (\w+)", line):
            assert make[1] in TARGETS, line
        elif line.startswith("pip install"):
            assert set(re.findall(r"\[(\w+)\]", line)) <= EXTRAS, line
        elif cd := re.match(r"cd (\w+)$", line):  # from there on; its data stands in `folder`
            assert (ROOT / cd[1]).is_dir(), line
        else:
            lines.append(line)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def run_block(block: Block, folder: Path) -> None:
    """Run, or decode, one block in `folder`."""
    match block.language:
        case "bash":
            run_shell(block.text, folder)
        case "python":
            # The empty lines make a traceback name the page's own line.
            code = compile("\n" * (block.line - 1) + block.text, "page", "exec")
            exec(code, {"__name__": "__main__"})
        case "toml":
            recipe.decode(tomllib.loads(block.text))
        case "text":
            pass  # what is printed, or needs more than one machine
        case _:
            raise ValueError("say what the block is: bash, python, toml or text")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (ROOT / "examples").glob("*.csv"):
        shutil.copy(data, tmp_path)
    for block in blocks(page):
        try:
            run_block(block, tmp_path)
        except Exception as error:
            error.add_note(f"in the block that starts at {page}, line {block.line}")
            raise


def test_the_two_commands_stand_at_the_top() -> None:
    first = blocks("README.md")[0]
    assert [line.split("#")[0].strip() for line in first.text.splitlines()] == ["make demo", "make test"]
    assert first.line < 20
