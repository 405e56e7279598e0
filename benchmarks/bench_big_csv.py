"""Ten million rows of CSV into a trained network: seconds and peak memory, by `layerwise.Run` as anyone calls it.

    python benchmarks/bench_big_csv.py [--rows 10000000] [--columns 20]

The file, of standard normal numbers with eight digits and a target of three classes, is written to a
temporary folder and deleted afterwards. A process of its own reads it, transforms it, trains one epoch
of the default network, and scores that and the baselines, with no setting but `epochs = 1`. Its memory
is watched from outside, a hundred times a second, together with that of the processes it starts; pages
that they share count in each. The floor is Polars parsing the same bytes as float64, chunk by chunk, in
another process. It ends with one line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

FLOOR = """
import sys, time
import polars as pl
with open(sys.argv[1], "rb") as file:
    names = file.readline().decode().strip().split(",")
    schema, rest = {name: pl.Float64() for name in names}, b""
    began = time.perf_counter()
    while block := file.read(8 << 20):
        cut = block.rfind(b"\\n") + 1
        pl.read_csv(rest + block[:cut], has_header=False, schema=schema)
        rest = block[cut:]
print(time.perf_counter() - began)
"""

TRAIN = """
import json, sys
import layerwise
from layerwise.training.events import Finished, Scoring, Started
path, out = sys.argv[1:]
recipe = {"data": {"kind": "table", "path": path, "target": "y"}, "train": {"epochs": 1}}
with layerwise.Run(recipe, out=out) as run:
    for event in run:
        if isinstance(event, Started | Scoring | Finished):
            print(json.dumps({"seconds": event.seconds}), flush=True)
data = run.dataset
rows = data.raw(data.train[-2:])
assert (data.encoder.encode(rows) == data.x[data.train[-2:]]).all()
print(json.dumps({"array": data.x.nbytes, "shape": data.x.shape, "baselines": list(run.baselines)}))
"""
PHASES = ("read", "epoch", "scored")


def write(path: Path, rows: int, columns: int) -> None:
    """A CSV of `columns` columns, the last of them the target."""
    import polars as pl

    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, rows, 250_000):
            count = min(250_000, rows - start)
            data = {f"x{i}": rng.standard_normal(count, dtype=np.float32) for i in range(columns - 1)}
            data["y"] = rng.integers(0, 3, count)
            pl.DataFrame(data).write_csv(file, include_header=start == 0)


def resident(process: int) -> int:
    """Bytes in memory of a process and of those it started, as Linux counts them."""
    total = 0
    with suppress(OSError, ValueError, IndexError):
        total = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for task in Path(f"/proc/{process}/task").iterdir():
            total += sum(resident(int(child)) for child in (task / "children").read_text().split())
    return total


def trained(path: Path, out: Path) -> dict[str, Any]:
    """Seconds and peak bytes of each phase of a run, and what it said last."""
    child = subprocess.Popen([sys.executable, "-c", TRAIN, str(path), str(out)], stdout=subprocess.PIPE, text=True)
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.01):
            peak = max(peak, resident(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    found: dict[str, Any] = {}
    before = 0.0
    assert child.stdout is not None
    for phase, line in zip((*PHASES, "last"), child.stdout, strict=False):
        said = json.loads(line)
        if phase == "last":
            found |= said
            break
        found[phase] = {"seconds": said["seconds"] - before, "peak": peak}
        before, peak = said["seconds"], 0
        print(f"{phase:<8} {found[phase]['seconds']:7.2f} s  {found[phase]['peak'] / 1e6:7.0f} MB", file=sys.stderr)
    over.set()
    watcher.join()
    if child.wait():
        sys.exit("the run failed")
    return found


def floor(path: Path) -> float:
    """Seconds that Polars alone needs to parse the file."""
    done = subprocess.run([sys.executable, "-c", FLOOR, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Write the file, read it both ways, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        write(path, arguments.rows, arguments.columns)
        size = path.stat().st_size
        least = floor(path)
        print(f"a CSV of {size / 1e9:.2f} GB; Polars parses it in {least:.2f} s", file=sys.stderr)
        found = trained(path, Path(folder) / "run")
    peak = max(found[phase]["peak"] for phase in PHASES)
    to_epoch = found["read"]["seconds"] + found["epoch"]["seconds"]
    ratios = {"seconds_to_epoch": to_epoch, "read_over_floor": found["read"]["seconds"] / least}
    ratios |= {"peak": peak, "peak_over_array": peak / found["array"]}
    print(f"read, transformed and an epoch trained in {to_epoch:.1f} s", file=sys.stderr)
    print(f"peak {peak / 1e6:.0f} MB, {ratios['peak_over_array']:.2f} x the float32 array", file=sys.stderr)
    print(json.dumps({"rows": arguments.rows, "bytes": size, "floor_seconds": least, **found, **ratios}))


if __name__ == "__main__":
    main()
