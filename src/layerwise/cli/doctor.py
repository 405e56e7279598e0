"""The command `doctor`: what is installed, what it runs on, how fast that is, and where data is kept."""

import os
import sys
import time
from pathlib import Path

import typer

from layerwise.cli import console
from layerwise.progress import wording

SIZE = 1024  # rows and columns of the matrices multiplied
SECONDS = 0.5  # spent on multiplying


class Findings:
    """The report as it grows: rows of a name and a text, and what has to be mended."""

    def __init__(self) -> None:
        from rich.table import Table

        self.table = Table.grid(padding=(0, 2, 0, 0))
        self.table.add_column(style="dim", no_wrap=True)
        self.table.add_column(overflow="fold")
        self.faults: list[str] = []

    def note(self, name: str, text: str) -> None:
        """Add a row."""
        from rich.text import Text

        self.table.add_row(name, Text(text))

    def fault(self, name: str, text: str, remedy: str) -> None:
        """Add a row that tells of a fault, and its remedy."""
        from rich.text import Text

        self.table.add_row(name, Text(text, style="bold red"))
        self.faults.append(f"{name}: {text}; {remedy}")


def doctor() -> None:
    """Tell what is installed, where, and how fast it is.

    Ends with exit code 1 where something has to be mended.
    """
    import platform

    findings = Findings()
    findings.note("layerwise", version_of("layerwise"))
    findings.note("python", f"{platform.python_version()} ({sys.executable})")
    findings.note("platform", f"{platform.platform(terse=True)}, {platform.machine()}, {os.cpu_count()} cores")
    _packages(findings)
    _devices(findings)
    _folders(findings)
    console.show(findings.table)
    for fault in findings.faults:
        console.say("error", fault)
    if findings.faults:
        raise typer.Exit(1)
    console.say("done", "nothing has to be mended")


def version_of(package: str) -> str:
    """The installed version of a package, "" where it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "from a source folder" if package == "layerwise" else ""


def needs() -> dict[str, set[str]]:
    """The packages that layerwise asks for: name to the extras that want it, none for all users."""
    import re
    from importlib import metadata

    try:
        lines = metadata.requires("layerwise") or []
    except metadata.PackageNotFoundError:
        lines = ["equinox", "jax", "msgspec", "numpy", "optax", "polars", "scikit-learn"]
    found: dict[str, set[str]] = {}
    for line in lines:
        name = re.split(r"[ <>=!~;\[(]", line, maxsplit=1)[0]
        found.setdefault(name, set()).update(re.findall(r"extra\s*==\s*['\"](\w+)['\"]", line))
    return found


def _packages(findings: Findings) -> None:
    """Versions of what is needed; what only an extra needs and is absent is no fault."""
    present, absent = [], []
    for name, extras in needs().items():
        if version := version_of(name):
            present.append(f"{name} {version}")
        elif not extras:
            findings.fault("packages", f"{name} is not installed", f"pip install {name}")
        elif wanted := sorted(extras - {"all", "test", "bench"}):
            absent.append(f'{name} (pip install "layerwise[{wanted[0]}]")')
    findings.note("packages", ", ".join(present))
    if absent:
        findings.note("optional", f"not installed: {', '.join(absent)}")


def _devices(findings: Findings) -> None:
    """The devices that JAX sees, and how fast the first multiplies."""
    try:
        from layerwise.training.compile import prepare

        prepare()
        import jax

        devices = jax.devices()
    except Exception as error:  # whatever a driver may raise: the rest of the report is still wanted
        reason = str(error).partition("\n")[0] or type(error).__name__
        findings.fault("devices", f"JAX does not start: {reason}", "reinstall jax and jaxlib in matching versions")
        return
    findings.note("devices", ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in devices))
    findings.note("speed", f"{gigaflops():,.0f} GFLOP/s (float32 product of {SIZE} x {SIZE} matrices)")


def gigaflops() -> float:
    """The best rate, in 10^9 operations a second, at which the first device multiplies float32 matrices."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones((SIZE, SIZE), jnp.float32)
    multiply = jax.jit(lambda x: x @ x)
    multiply(a).block_until_ready()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < end:
        multiply(a).block_until_ready()
        best = min(best, time.perf_counter() - begun)
    return 2 * SIZE**3 / best / 1e9


def _folders(findings: Findings) -> None:
    """Where downloads and compiled programs are kept, and the user's own data."""
    from layerwise.data.download import cache_folder

    cache = cache_folder()
    if cache.is_dir():
        files = [file for file in cache.rglob("*") if file.is_file()]
        taken = f"{wording.counted(len(files), 'file')}, {wording.size(sum(file.stat().st_size for file in files))}"
        findings.note("cache", f"{cache} ({taken})")
    else:
        findings.note("cache", f"{cache} (nothing in it yet)")
    standing = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK):
        findings.fault("cache", f"{standing} cannot be written", "set XDG_CACHE_HOME to a folder that can")
    own = os.environ.get("LAYERWISE_DATA")
    if not own:
        findings.note("LAYERWISE_DATA", "not set; names a folder in which data sets are looked for first")
    elif Path(own).expanduser().is_dir():
        findings.note("LAYERWISE_DATA", own)
    else:
        findings.fault("LAYERWISE_DATA", f"{own} is not a folder", "correct or unset it")
