"""The Studio: how soon it is there, how fast it plays, and its padded program against the plain one.

    python benchmarks/bench_play.py [studio|controls|many|curves|programs ...]

A process of `layerwise play` and a client on a socket, as a page is: seconds from the command to the page,
to the first frame and to the first answer, with what is compiled kept on disk; then examples a second at
the default network while every frame is acknowledged; then how
long controls take; then steps of 32 such networks at once; then, in Chromium, one painting of the curves by
the page's own canvas and by Plotly.

The programs alone: TensorFlow Playground's default network 2-4-2-1, tanh, batch 10, plain SGD, 250 rows to
train on and 250 to validate on, each epoch evaluated on both. The padded program has room for six layers of
eight units and compiles once for all that fit; the plain one is compiled for this network alone.
"""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from side_by_side import installed, race  # first: it clears what would slow NumPy down

import layerwise.training.compile  # noqa: F401  (before JAX compiles anything)

# isort: split
import numpy as np
from websockets.sync.client import connect

from layerwise.data import load as load_data
from layerwise.inspection import initial
from layerwise.nets import noise
from layerwise.recipe import load
from layerwise.tasks.objective import training_weights
from layerwise.training import padded
from layerwise.training.place import place
from layerwise.training.resolve import resolve
from layerwise.training.trainer import Trainer

STEPS = 10_000
SECONDS = 4.0  # of playing, three times
PLAY = "import sys; from layerwise.cli import main; sys.exit(main())"
RECIPE: dict[str, Any] = {
    "data": {"kind": "toy", "name": "circle", "n": 500, "split": {"kind": "random", "validation": 0.5, "test": 0.0}},
    "network": {"kind": "mlp", "hidden": [4, 2], "activation": "tanh"},
    "train": {"epochs": 10**8, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}


@contextmanager
def served() -> Iterator[str]:
    """The address of a Studio in a process of its own."""
    words = [sys.executable, "-c", PLAY, "play", "--no-browser", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)


def page(address: str) -> dict[str, Any]:
    """Exchange the token, fetch the page, and give what a WebSocket needs to be let in."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.netloc)
    line.request("GET", f"/?{parts.query}")
    answer = line.getresponse()
    answer.read()
    cookie = {"Cookie": str(answer.getheader("set-cookie")).split(";")[0]}
    line.request("GET", "/", headers=cookie)
    line.getresponse().read()
    line.close()
    settings: dict[str, Any] = {"compression": None, "max_size": None, "proxy": None}
    return {
        "uri": f"ws://{parts.netloc}/ws",
        "origin": f"http://{parts.netloc}",
        "additional_headers": cookie,
        **settings,
    }


def visit(seconds: float) -> list[float]:
    """Seconds to the page, the first frame and the first answer; then examples and frames a second, three times."""
    began = time.perf_counter()
    with served() as address:
        way = page(address)
        taken = [time.perf_counter() - began]
        with connect(**way) as socket:
            frames = 0

            def ask(do: str) -> int:
                """The step in the answer to a command."""
                socket.send(json.dumps({"id": 1, "do": do}))
                while isinstance(message := socket.recv(), bytes) or "id" not in (answer := json.loads(message)):
                    paint(message)
                return int(answer["scene"]["step"])

            def paint(message: str | bytes) -> None:
                nonlocal frames
                if isinstance(message, bytes):
                    frames += 1
                    socket.send('{"do": "painted", "revision": 1, "step": 0}')

            paint(socket.recv())
            taken.append(time.perf_counter() - began)
            ask("hello")
            taken.append(time.perf_counter() - began)
            for _ in range(3 if seconds else 0):
                first, frames, started = ask("play"), 0, time.perf_counter()
                while time.perf_counter() - started < seconds:
                    paint(socket.recv())
                made = ask("hello") - first
                lasted = time.perf_counter() - started
                taken += [10 * made / lasted, frames / lasted]
                ask("pause")
    return taken


def studio() -> None:
    """A whole Studio, from outside."""
    visit(0)  # fills the cache of compiled programs
    starts = np.median([visit(0)[:3] for _ in range(3)], axis=0)
    print("\nlayerwise play, with a warm cache, from the command to")
    for what, seconds in zip(("the page", "the first frame", "the first answer"), starts, strict=True):
        print(f"  {what:<44} {seconds:6.2f} s")
    rates = np.array(visit(SECONDS)[3:]).reshape(-1, 2)
    print("playing, each frame acknowledged")
    for examples, frames in rates:
        print(f"  {examples / 1e6:5.2f} million examples a second at {frames:4.1f} frames a second")


MOVES: list[tuple[str, Any]] = [
    ("train.learning_rate", 0.1), ("train.optimizer", "adam"), ("train.schedule", "cosine"), ("train.l1", 0.01),
    ("train.l2", 0.01), ("train.dropout", 0.2), ("train.batch_size", 20), ("train.patience", 50),
    ("network.activation", "relu"), ("network.hidden", [5, 3]), ("network.hidden", [8, 8, 8]), ("task", "auto"),
    ("network.initialization", "he"), ("data.noise", 0.2), ("data.n", 300), ("data.name", "spiral"), ("seed", 1),
    ("data.features", ["x1", "x2", "x1*x2"]),
]  # fmt: skip


def controls() -> None:
    """How long a page waits for the answer to a control that is moved, while the network trains."""
    with served() as address, connect(**page(address)) as socket:

        def ask(do: str, **more: Any) -> float:
            began = time.perf_counter()
            socket.send(json.dumps({"id": 1, "do": do, **more}))
            while isinstance(message := socket.recv(), bytes) or "id" not in (answer := json.loads(message)):
                if isinstance(message, bytes):
                    socket.send('{"do": "painted", "revision": 1, "step": 0}')
            assert answer["ok"], answer
            return time.perf_counter() - began

        ask("hello")
        taken = []
        for path, value in MOVES * 3:
            ask("play")
            taken.append(1000 * ask("set", path=path, value=value))
    print("milliseconds from a control to its answer while it plays: ", end="")
    print(f"median {np.median(taken):.0f}, 95 % within {np.quantile(taken, 0.95):.0f}, at most {max(taken):.0f}")


def many() -> None:
    """32 networks at once, and their frames, as the player calls them but without a socket."""
    from layerwise.studio.games.crowd import LANES, Crowd
    from layerwise.studio.games.way import Pace
    from layerwise.studio.player import FRAME

    crowd, pace = Crowd(load(RECIPE), "start"), Pace(Crowd.slice, Crowd.least)
    crowd.advance(16)
    crowd.frame()()  # what draws them is compiled
    print(f"\n{LANES} networks at once, drawn on a thread beside")
    with ThreadPoolExecutor(1) as drawing:
        for _ in range(3):
            first, frames, drawn, due = crowd.step, 0, None, 0.0
            began = time.perf_counter()
            while (now := time.perf_counter()) - began < SECONDS:
                made = crowd.advance(pace.batches)
                pace.learn(made, time.perf_counter() - now)
                if now >= due and (drawn is None or drawn.done()):
                    frames, due = frames + 1, max(due + FRAME, now)
                    drawn = drawing.submit(crowd.frame())
            lasted = time.perf_counter() - began
            rate = LANES * (crowd.step - first) / lasted
            print(f"  {rate / 1e6:5.2f} million lane-steps a second at {frames / lasted:4.1f} frames a second")


EPOCHS, PAINTINGS = 500, 100
PAINTING = """async ([epochs, paintings, script]) => {
  const { app } = await import("/static/main.js");
  const own = await import("/static/curves.js");
  const arrived = (element) => new Promise((done) => (element.onload = done, document.head.append(element)));
  const made = (name, settings) => Object.assign(document.createElement(name), settings);
  await arrived(made("link", { id: "plotly.js-style-global", rel: "stylesheet", href: "/static/plot.css" }));
  await arrived(made("script", { src: script }));
  const { state } = app;
  const per = state.scene.steps_per_epoch;
  const canvas = document.querySelector("#curves canvas");
  const { width, height } = canvas.getBoundingClientRect();
  const place = document.body.appendChild(made("div", {}));
  const row = (i, k) => [per * (i + 1), 0.5 / (1 + i / 40) + 0.01 * Math.sin(i + k), 0.9, 0.6 / (1 + i / 50), 0.9];
  const lines = (k) => Array.from({ length: epochs }, (_, i) => row(i, k));
  const axis = { showgrid: false, zeroline: false, fixedrange: true };
  const layout = { width, height, margin: { l: 40, r: 60, t: 20, b: 20 }, showlegend: false, xaxis: axis, yaxis: axis };
  const ways = {
    canvas: (rows) => {
      state.frame = { ...state.frame, curve: { shape: [epochs, 5], values: Float32Array.from(rows.flat()) } };
      state.step = state.end = per * epochs;
      own.paint(app);
      canvas.getContext("2d").getImageData(0, 0, 1, 1); // waits until it is painted
    },
    Plotly: (rows) => {
      const x = rows.map(([step]) => step);
      const line = (column, width) => ({ x, y: rows.map((one) => one[column]), mode: "lines", line: { width } });
      Plotly.react(place, [line(1, 1.2), line(3, 1.8)], layout, { staticPlot: true });
      place.getBoundingClientRect();
    },
  };
  const taken = { canvas: [], Plotly: [] };
  for (let k = 0; k < paintings; k++) {
    for (const [name, way] of Object.entries(ways)) {
      const rows = lines(k);
      const began = performance.now();
      way(rows);
      taken[name].push(performance.now() - began);
    }
    await new Promise(requestAnimationFrame);
  }
  return taken;
}"""


def curves() -> None:
    """How long the page takes for two curves, on its own canvas and by Plotly, in a real browser."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from browser import MISSING, PROGRAM

    if not installed("playwright"):
        return
    if PROGRAM is None:
        print(f"\nno curves are painted: {MISSING}")
        return
    from playwright.sync_api import sync_playwright

    from layerwise.studio.desk.charts import address

    with served() as where, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(where)
        page.wait_for_selector(".place canvas")
        taken = page.evaluate(PAINTING, [EPOCHS, PAINTINGS, address()])
        browser.close()
    print(f"\nmilliseconds to paint two curves of {EPOCHS} epochs")
    for name, times in taken.items():
        found = np.array(times[5:])  # the first ones compile
        print(f"  {name:<44} median {np.median(found):6.2f}, 95 % within {np.quantile(found, 0.95):6.2f}")


def main() -> None:
    """The Studio and its controls, many networks at once, the curves, then the programs; or those that are named."""
    parts = {"studio": studio, "controls": controls, "many": many, "curves": curves, "programs": programs}
    for name in sys.argv[1:] or parts:
        parts[name]()


def programs() -> None:
    """Both programs in turn, on the same rows."""
    recipe = load(RECIPE)
    dataset = load_data(recipe.data, recipe.task, recipe.seed)
    resolved = resolve(recipe, dataset)
    network = initial(resolved.recipe, resolved.objective, dataset)
    train: Any = resolved.recipe.train
    arguments = (
        padded.shape(network),
        padded.settings(train, resolved.recipe.task, resolved.objective),
        padded.table(dataset, training_weights(resolved.recipe.task, dataset), resolved.objective),
        noise.key(0),
    )
    state = padded.fresh(padded.pack(network))
    weight = training_weights(resolved.recipe.task, dataset)
    plain = Trainer(resolved.recipe, resolved.objective, place(dataset, weight), network)
    program = padded.compiled()
    began = time.perf_counter()
    state, _ = program(state, *arguments, np.int32(1))
    print(f"traced and compiled (or read from the cache) in {time.perf_counter() - began:.2f} s")

    def play() -> None:
        nonlocal state
        left = STEPS
        while left:
            before = int(state.now.step)
            state, _ = program(state, *arguments, np.int32(left))
            left -= int(state.now.step) - before

    def run() -> None:
        end = plain.step + STEPS
        while plain.step < end:
            plain.advance(0.0)

    found = race(
        "2-4-2-1, batch 10, SGD, both parts evaluated each epoch", STEPS, "step", {"padded": play, "plain": run}
    )
    print(f"  examples a second, padded: {10 / found['padded']:.2f} million")


if __name__ == "__main__":
    main()
