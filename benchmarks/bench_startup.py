"""How long a user waits: whole processes from start to end, and one prediction inside a process.

    python benchmarks/bench_startup.py

`layerwise --help`; `layerwise train digits` with an empty cache of compiled programs and with a warm
one, baselines and intervals included; `predict` of one row; and what importing the peers costs alone.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from side_by_side import installed

ROUNDS = 5
PREDICTIONS = 2_000
LAYERWISE = (sys.executable, "-c", "import sys; from layerwise.cli import main; sys.exit(main())")


def process(name: str, command: Sequence[str], folder: Path, cache: Path | None, rounds: int = ROUNDS) -> None:
    """Run `command` several times; with `cache` None each time with an empty one.

    Beside the time, what all its processes and threads computed: other programs disturb that less.
    """
    taken, computed = [], []
    for number in range(rounds):
        place = cache or folder / f"cache-{number}-{len(name)}"
        environment: Mapping[str, str] = {**os.environ, "XDG_CACHE_HOME": str(place), "KERAS_BACKEND": "jax"}
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
        after = os.times()
        computed.append(after.children_user + after.children_system - before.children_user - before.children_system)
    figures = f"{statistics.median(taken):6.2f} s (least {min(taken):.2f}, most {max(taken):.2f})"
    print(f"  {name:<44} {figures}, {statistics.median(computed):5.2f} s computed")


def one_row(folder: Path) -> None:
    """The median of a single prediction from a mapping of raw values to a class."""
    import layerwise

    model = layerwise.load(next(folder.glob("runs/*/model.safetensors")))
    row = dict.fromkeys(model.encoder.names, 0.5)
    taken = []
    for _ in range(PREDICTIONS):
        began = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - began)
    taken.sort()
    print(f"  {'predict one row (64 columns)':<44} {taken[len(taken) // 2] * 1e6:6.0f} us (p99 {taken[-20] * 1e6:.0f})")


def main() -> None:
    """All of it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("\nwhole processes")
        process("layerwise --help", (*LAYERWISE, "--help"), folder, folder / "cache", rounds=11)
        process("layerwise train digits, nothing cached", (*LAYERWISE, "train", "digits", "--json"), folder, None)
        process("(the first fills the cache)", (*LAYERWISE, "train", "digits", "--json"), folder, folder / "cache", 1)
        process(
            "layerwise train digits, cache warm", (*LAYERWISE, "train", "digits", "--json"), folder, folder / "cache"
        )
        for package in ("sklearn.neural_network", "torch", "keras"):
            if installed(package.split(".")[0]):
                process(f"import {package}", (sys.executable, "-c", f"import {package}"), folder, folder / "cache", 3)
        print("\nin the process")
        one_row(folder)


if __name__ == "__main__":
    main()
