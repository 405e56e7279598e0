"""Ten million rows of CSV into a `Dataset`: seconds and peak memory, against Polars' own reading.

    python benchmarks/bench_big_csv.py [--rows 10000000] [--columns 20]

The file, of standard normal numbers with eight digits and a target of three classes, is written to a
temporary folder and deleted afterwards. A process of its own loads it, so that the peak is that of
everything: the interpreter, JAX, Polars and the data. The floor is Polars parsing the same bytes as
float64, chunk by chunk, in another process. It ends with one line of JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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

LOAD = """
import json, resource, sys, time
import jax
jax.numpy.zeros(3).block_until_ready()
import polars
from layerwise.data import load
from layerwise.recipe.records import AutoTask, TableData
began = time.perf_counter()
data = load(TableData(sys.argv[1], "y"), AutoTask(), seed=0)
seconds = time.perf_counter() - began
loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
x = jax.device_put(data.x)
rows = data.raw(data.train[-2:])
assert (data.encoder.encode(rows) == data.x[data.train[-2:]]).all()
print(json.dumps({
    "seconds": seconds, "peak": loaded, "array": data.x.nbytes, "shape": data.x.shape,
    "jax_shares_the_array": x.unsafe_buffer_pointer() == data.x.ctypes.data,
}))
"""


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


def run(program: str, path: Path) -> str:
    """The last line a program prints."""
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Write the file, read it both ways, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        began = time.perf_counter()
        write(path, arguments.rows, arguments.columns)
        size = path.stat().st_size
        print(f"{size / 1e9:.2f} GB written in {time.perf_counter() - began:.1f} s", file=sys.stderr)
        floor = float(run(FLOOR, path))
        found = json.loads(run(LOAD, path))
    print(f"Polars alone      {floor:7.2f} s  {size / floor / 1e6:6.0f} MB/s", file=sys.stderr)
    print(f"Dataset           {found['seconds']:7.2f} s  {size / found['seconds'] / 1e6:6.0f} MB/s", file=sys.stderr)
    print(
        f"peak memory       {found['peak'] / 1e6:7.0f} MB  {found['peak'] / found['array']:.2f} x float32",
        file=sys.stderr,
    )
    ratios = {"seconds_over_floor": found["seconds"] / floor, "peak_over_array": found["peak"] / found["array"]}
    print(json.dumps({"rows": arguments.rows, "bytes": size, "floor_seconds": floor, **found, **ratios}))


if __name__ == "__main__":
    main()
