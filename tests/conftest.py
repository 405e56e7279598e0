"""What every test stands on: caches inside the repository, hypothesis profiles, and no silent skips.

A skipped test fails the run unless its reason is one of `EXPECTED_SKIPS` and holds on this machine;
the summary says how many were skipped for what.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"

# Before anything is imported: compilations are what the tests cost, so they are kept between runs, and
# a relative data folder is meant from the repository, wherever a test goes.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(CACHE / "hypothesis"))
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ["XDG_CACHE_HOME"] = str(CACHE / "user")
if os.environ.get("LAYERWISE_DATA"):
    os.environ["LAYERWISE_DATA"] = str((ROOT / os.environ["LAYERWISE_DATA"]).resolve())

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# Time is not tested: two busy cores and a first compilation make any limit a matter of luck.
SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, max_examples=50, **SHARED)
settings.register_profile("explore", max_examples=2000, **SHARED)  # pytest --hypothesis-profile=explore
settings.load_profile("ci")

# A pattern for the reason, and whether a skip for it is right on this machine.
EXPECTED_SKIPS: list[tuple[str, Callable[[], bool]]] = [
    ("LAYERWISE_DATA", lambda: not os.environ.get("LAYERWISE_DATA")),
    ("PostgreSQL's server is not installed", lambda: not list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))),
]

skipped: Counter[str] = Counter()


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get("LAYERWISE_DATA")
    if folder and not Path(folder).is_dir():
        raise pytest.UsageError(f"LAYERWISE_DATA names a folder that does not exist: {folder}")


def refuse_unexpected(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that nobody expects into a failure, and count the others."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if any(re.search(pattern, reason) and holds() for pattern, holds in EXPECTED_SKIPS):
        skipped[reason] += 1
    else:
        report.outcome = "failed"
        report.longrepr = f"unexpected skip: {reason}\nEXPECTED_SKIPS in tests/conftest.py lists the expected reasons"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_unexpected(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_unexpected(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason, count in skipped.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
