"""A real browser, headless: what a page became, what it complained of, and where it tried to go."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "no Chromium is installed"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-domain-reliability",
    "--enable-logging=stderr", "--virtual-time-budget=8000",
)  # fmt: skip
ITS_OWN = (".googleapis.com", ".google.com", ".gvt1.com")  # where the browser itself calls home


class Seen(NamedTuple):
    """The page's elements as they came to be, its complaints, and the addresses it asked for."""

    dom: str
    complaints: list[str]
    asked: set[str]


def browse(page: Path, folder: Path, width: int = 1400) -> Seen:
    """Open a page; `folder` is for what the browser writes."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    log = folder / "net.json"
    done = subprocess.run(
        [PROGRAM, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
         f"--window-size={width},1000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    net = json.loads(log.read_text())
    begun = net["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}).get("url", "") for event in net["events"] if event["type"] == begun]
    return Seen(
        dom=done.stdout,
        complaints=[line for line in done.stderr.splitlines() if ":CONSOLE" in line],
        asked={
            url for url in requests if url.startswith("http") and not any(own in url.split("?")[0] for own in ITS_OWN)
        },
    )
