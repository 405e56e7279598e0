"""A real browser, headless: what pages became, what they complained of, and where they tried to go."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from html import unescape
from pathlib import Path
from typing import NamedTuple

# The first is Chromium without its windows, which takes a quarter less of the processor's time.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, PROGRAMS)), None)
MISSING = "no Chromium is installed"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-domain-reliability",
    "--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=8000",
)  # fmt: skip
ITS_OWN = (".googleapis.com", ".google.com", ".gvt1.com")  # where the browser itself calls home
# Frames, since a window is at least 500 pixels wide, and since many pages in one browser share its start
# and the compilation of Plotly's script. Their addresses tell them apart, in what is complained of, too.
LOOKING = """<!doctype html><meta charset="utf-8"><title>looking</title>%s<script>
onload = () => setTimeout(() => {
  const looked = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, figures = page.getElementById("figures");
    const placed = figures ? Object.keys(JSON.parse(figures.textContent)) : [];
    const isDrawn = (id) => page.querySelector(`#${id} svg.main-svg`)?.getBoundingClientRect().height > 0;
    looked[frame.src] = {
      placed, drawn: placed.filter(isDrawn), words: page.body.innerText.length,
      across: page.documentElement.scrollWidth, room: page.documentElement.clientWidth,
    };
  }
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(looked) }));
}, 200);
</script>"""


class Seen(NamedTuple):
    """A page at one width: its figures and those of them that are drawn, how many letters it shows, how many
    pixels it takes across and how many it has, and its complaints."""

    placed: list[str]
    drawn: list[str]
    words: int
    across: int
    room: int
    complaints: list[str]


class Browsed(NamedTuple):
    """Each page at each width, and the addresses that any of them asked for."""

    pages: dict[tuple[Path, int], Seen]
    asked: set[str]


def browse(pages: Iterable[Path], folder: Path, widths: Sequence[int] = (1400, 400)) -> Browsed:
    """Open pages, each at each width; `folder` is for what the browser writes."""
    assert PROGRAM is not None, MISSING
    places = {f"{page.absolute().as_uri()}?{width}": (page, width) for page in pages for width in widths}
    frames = (f'<iframe src="{place}" width="{width}" height="1000"></iframe>' for place, (_, width) in places.items())
    looking, log = folder / "looking.html", folder / "net.json"
    looking.write_text(LOOKING % "\n".join(frames), "utf-8")
    done = subprocess.run(
        [PROGRAM, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
         f"--window-size={max(widths)},1000", "--dump-dom", looking.absolute().as_uri()],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    found = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    assert found is not None, "the browser came to no end"
    looked = json.loads(unescape(found[1]))
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Browsed(
        pages={
            key: Seen(**looked[place], complaints=[line for line in complaints if f"{place} (" in line])
            for place, key in places.items()
        },
        asked=_asked(log),
    )


def _asked(log: Path) -> set[str]:
    """The addresses in the browser's log of its network, but for its own."""
    net = json.loads(log.read_text())
    begun = net["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}).get("url", "") for event in net["events"] if event["type"] == begun]
    return {url for url in requests if url.startswith("http") and not any(own in url.split("?")[0] for own in ITS_OWN)}
