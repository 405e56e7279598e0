"""Runs that several tests look at: trained once, copied where a test changes them."""

import shutil
from pathlib import Path

import pytest

from layerwise.cli import main

ROWS = [
    f"{number},{number / 7:.3f},{['red', 'green', ''][number % 3]},{'yes' if (number * 7) % 20 > 9 else 'no'}"
    for number in range(60)
]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows.csv, rows.toml and two runs of it, `runs/first` and `runs/second`."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "rows.csv").write_text("\n".join(["size,weight,color,answer", *ROWS]) + "\n")
    (folder / "rows.toml").write_text(
        'data = { kind = "table", path = "rows.csv", target = "answer" }\n'
        'network = { kind = "mlp", hidden = [4] }\ntrain = { epochs = 3 }\n'
    )
    recipe = str(folder / "rows.toml")
    assert main(["train", recipe, "--out", str(folder / "runs" / "first"), "--quiet"]) == 0
    second = str(folder / "runs" / "second")
    assert main(["train", recipe, "--set", "train.learning_rate=0.5", "--out", second, "--quiet"]) == 0
    return folder


@pytest.fixture
def inside(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `home`, with the test standing in it."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    monkeypatch.chdir(copy)
    return copy
