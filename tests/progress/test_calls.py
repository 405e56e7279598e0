"""`layerwise.train` shows its progress where someone looks on, and only there."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import layerwise

RECIPE = {"data": {"kind": "toy", "name": "xor", "n": 60}, "train": {"epochs": 3}}
PROGRAM = """
import sys
import layerwise
recipe = {"data": {"kind": "toy", "name": "xor", "n": 60}, "train": {"epochs": 3}}
run = layerwise.train(recipe, out=sys.argv[1], progress=sys.argv[2] == "shown")
print(run.status)
"""


def test_a_pipe_gets_no_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = layerwise.train(RECIPE, out=tmp_path / "run")
    assert run.status == "finished"
    assert tuple(capsys.readouterr()) == ("", "")


@pytest.mark.parametrize("progress", ["shown", "off"])
def test_a_terminal_gets_it_unless_it_is_switched_off(tmp_path: Path, progress: str) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "run"), progress]
    process = subprocess.Popen(words, stdout=-1, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        if not block:
            break
        seen += block
    os.close(ours)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"finished\n")
    if progress == "off":
        assert seen == b""
    else:
        text = seen.decode()
        assert "training: reading the data" in text
        assert "36 rows to train on, 12 to validate and 12 to test" in text
        assert "epoch 3/3" in text
