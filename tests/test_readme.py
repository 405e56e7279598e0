"""Every code block of the README and of the pages in docs runs as it stands, one after the other in one folder.

The folder holds the example data. `make` and `pip` lines are checked against the Makefile and the
extras instead of being run.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from layerwise import recipe

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
EXTRAS = set(PYPROJECT["project"]["optional-dependencies"])


# Each command is a process of its own, with its words, folder, environment and streams, forked from one that
# has made the imports, which take longer than most commands.
SERVER = """
import json, os, socket, sys, traceback
import jax, numpy, optuna, plotly.graph_objects, polars, scipy.stats
import sklearn.ensemble, sklearn.linear_model, sklearn.naive_bayes, sklearn.neighbors, sklearn.svm, sklearn.tree
import layerwise.cli, layerwise.inspection, layerwise.plots, layerwise.training.run, layerwise.tuning.study
with socket.socket(socket.AF_UNIX) as door:
    door.bind(sys.argv[1])
    door.listen()
    os.write(1, b"ready")
    while True:
        caller, _ = door.accept()
        said, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
        if not streams:
            break
        child = os.fork()
        if not child:
            code = 1
            try:
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", 1)
                sys.argv, folder, environment = json.loads(said)
                os.chdir(folder)
                os.environ.clear()
                os.environ.update(environment)
                code = layerwise.cli.main()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                caller.send(bytes([code]))
                os._exit(code)
        for stream in streams:
            os.close(stream)
        caller.close()
        os.waitpid(child, 0)
"""
ASK = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    words = json.dumps([["layerwise", *sys.argv[2:]], os.getcwd(), dict(os.environ)])
    socket.send_fds(door, [words.encode()], [0, 1, 2])
    sys.exit((door.recv(1) or b"\\1")[0])
"""


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """A folder whose `layerwise` has the server do it; a short path, as that of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="layerwise-") as name:
        folder, door = Path(name), f"{name}/door"
        (folder / "ask.py").write_text(ASK)
        program = folder / "layerwise"
        words = [sys.executable, "-I", "-S", str(folder / "ask.py"), door]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        with subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVER, door], stdout=-1) as server:
            assert server.stdout is not None and server.stdout.read(5) == b"ready"
            yield folder
            with socket.socket(socket.AF_UNIX) as last:  # who hands over no streams ends it
                last.connect(door)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the page's line on which the text starts."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in found]


def run_shell(text: str, folder: Path, programs: Path) -> None:
    """Run the lines in bash, with the server's `layerwise` and this interpreter's own programs first on the path."""
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
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
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


def run_block(block: Block, folder: Path, programs: Path) -> None:
    """Run, or decode, one block in `folder`."""
    match block.language:
        case "bash":
            run_shell(block.text, folder, programs)
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
def test_the_page_runs(page: str, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (ROOT / "examples").glob("*.csv"):
        shutil.copy(data, tmp_path)
    for block in blocks(page):
        try:
            run_block(block, tmp_path, programs)
        except Exception as error:
            error.add_note(f"in the block that starts at {page}, line {block.line}")
            raise


def test_the_program_that_is_installed_does_the_same(tmp_path: Path) -> None:
    """The pages' commands come without its start and its imports."""
    program = Path(sys.executable).with_name("layerwise")
    subprocess.run([program, "train", "xor-by-hand", "--out", "run", "--quiet"], cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_the_two_commands_stand_at_the_top() -> None:
    first = blocks("README.md")[0]
    assert [line.split("#")[0].strip() for line in first.text.splitlines()] == ["make demo", "make test"]
    assert first.line < 20
