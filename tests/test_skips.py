"""A skip that nobody expects fails the run, wherever it happens; an expected one is counted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import pytest

def test_passes(): pass
def test_expected(): pytest.skip("LAYERWISE_DATA is not set")
def test_in_the_test(): pytest.skip("no reason of ours")

@pytest.mark.skipif(True, reason="by a mark")
def test_by_a_mark(): pass

@pytest.mark.parametrize("nothing", [])
def test_without_cases(nothing): pass

@pytest.mark.xfail
def test_known_to_fail(): assert False
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest over `folder` with this repository's conftest, and what that imports."""
    (folder / "tests").mkdir()
    for name in ("conftest.py", "browser.py"):
        shutil.copy(Path(__file__).with_name(name), folder / "tests")
    (folder / "tests/test_module.py").write_text(MODULE)
    (folder / "tests/test_whole.py").write_text("import pytest\npytest.importorskip('no_such_package')\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_the_data_only_its_tests_may_skip(tmp_path: Path) -> None:
    done = run(tmp_path, LAYERWISE_DATA="")
    assert done.returncode == 1
    assert "skipped 1: LAYERWISE_DATA is not set\n" in done.stdout
    for reason in ("no reason of ours", "by a mark", "got empty parameter set", "could not import 'no_such_package'"):
        assert f"unexpected skip: {reason}" in done.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 3 errors" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("folder", ["tests", "nowhere"])
def test_with_the_data_nothing_may_skip(tmp_path: Path, folder: str) -> None:
    done = run(tmp_path, LAYERWISE_DATA=folder)
    if folder == "nowhere":
        assert "LAYERWISE_DATA names a folder that does not exist" in done.stderr
    else:
        assert "unexpected skip: LAYERWISE_DATA is not set" in done.stdout
