"""A Studio that is served for real on a port of its own, and pages that talk to it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import pytest
from websockets.sync.client import ClientConnection, connect

from layerwise.studio import app, front, security
from layerwise.studio.desk.workspace import Workspace
from layerwise.studio.games.session import Session
from layerwise.training.kept import Kept

SMALL: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 60},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 10**9, "batch_size": 10, "optimizer": "sgd", "patience": 0},
}

FEW = 3  # sessions at once


class Page:
    """What a browser's page does: ask, and keep the frames that come meanwhile."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.frames, self.events = socket, list[bytes](), list[dict[str, Any]]()
        self._number = 0

    def next(self) -> dict[str, Any] | bytes:
        """The next message, put to the others."""
        message = self.socket.recv(timeout=30)
        if isinstance(message, bytes):
            self.frames.append(message)
            return message
        read: dict[str, Any] = json.loads(message)
        if "event" in read:
            self.events.append(read)
        return read

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a command and wait for its answer, and until training stands where it leads to."""
        answer = self.ask_at_once(do, **more)
        while answer["ok"] and answer["scene"]["way"] is not None:
            answer = {**answer, "scene": self.ask_at_once("hello")["scene"]}
        return answer

    def ask_at_once(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; where it leads to another step, that may be on its way."""
        self._number += 1
        self.socket.send(json.dumps({"id": self._number, "do": do, **more}))
        while True:
            message = self.next()
            if isinstance(message, dict) and message.get("id") == self._number:
                return message

    def step(self) -> int:
        """Where training stands."""
        step: int = self.ask("hello")["scene"]["step"]
        return step

    def trains_beyond(self, step: int) -> None:
        """Wait until training is beyond a step."""
        while self.step() <= step:
            pass

    def frame(self) -> bytes:
        """The next frame."""
        while not isinstance(message := self.next(), bytes):
            pass
        return message

    def painted(self) -> None:
        """Acknowledge a frame."""
        self.socket.send('{"do": "painted", "revision": 1, "step": 0}')


class Served:
    """A running server, and ways to it."""

    def __init__(self, access: security.Access, studio: app.Studio) -> None:
        self.access, self.studio = access, studio
        self.host = f"127.0.0.1:{access.port}"
        self.cookie = f"{access.name}={access.cookie}"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request with the cookie; `Cookie=""` goes without."""
        sent = {"Host": self.host, "Cookie": self.cookie, **headers}
        line = http.client.HTTPConnection("127.0.0.1", self.access.port, timeout=30)
        try:
            line.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                if value:
                    line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            line.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a request as the page itself sends it; `body` is bytes, or becomes JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Cookie": self.cookie, "Origin": f"http://{self.host}", **headers}
        line = http.client.HTTPConnection("127.0.0.1", self.access.port, timeout=60)
        try:
            line.request(method, path, content, {name: value for name, value in sent.items() if value})
            answer = line.getresponse()
            read = answer.read()
            return answer.status, json.loads(read) if answer.getheader("content-type") == "application/json" else read
        finally:
            line.close()

    def socket(self, *, origin: str | None = "own", **headers: str) -> Any:
        """A WebSocket to use with `with`, which raises where it is not let in."""
        sent = {"Cookie": self.cookie, **headers}
        own = f"http://{self.host}" if origin == "own" else origin
        address = f"ws://{self.host}/ws"
        more: dict[str, Any] = {"origin": own, "compression": None, "proxy": None, "max_size": None}
        return connect(address, additional_headers={k: v for k, v in sent.items() if v}, **more)


_compiled: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **more: _compiled.append(event) if event == "/jax/core/compile/backend_compile_duration" else None
)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An event for each program that was compiled so far, or fetched from a file."""
    made = Kept._made

    def counted(self: Kept, arguments: Any) -> Any:
        _compiled.append("kept")
        return made(self, arguments)

    monkeypatch.setattr(Kept, "_made", counted)
    return _compiled


def ready(application: Any) -> Future[Any]:
    """An application that need not be waited for."""
    found: Future[Any] = Future()
    found.set_result(application)
    return found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Studio with room for `FEW` pages, whose recipe is `SMALL`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(security, "SESSIONS", FEW)
        sock = socket.create_server(("127.0.0.1", 0))
        access = security.Access(sock.getsockname()[1])
        studio = app.Studio(Session(SMALL), Workspace(tmp_path_factory.mktemp("workspace")))
        server = front.server(ready(app.application(studio)), access)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield Served(access, studio)
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
        studio.close()


@pytest.fixture
def open_page(served: Served) -> Iterator[Callable[[], Page]]:
    """Opens pages; all are closed after the test. Those of the test before have left when it begins."""
    until = time.monotonic() + 60
    while served.studio.playing:
        assert time.monotonic() < until, "a page of the test before is still there"
        time.sleep(0.005)
    with ExitStack() as pages:
        yield lambda: Page(pages.enter_context(served.socket()))


# ── a real browser ──────────────────────────────────────────────────────────────────────────────

PLAYED: dict[str, Any] = {
    "data": {"kind": "toy", "name": "moons", "n": 80, "noise": 0.1, "split": {"kind": "random"}},
    "network": {"kind": "mlp", "hidden": [3, 2], "activation": "tanh"},
    "train": {"epochs": 1_000_000, "batch_size": 10, "optimizer": "sgd", "learning_rate": 0.1, "patience": 0},
}
STATE = "async () => { const { state } = await import('/static/main.js'); return %s; }"
# Commands are answered in order, and a frame follows what it changed; so this waits for all that was asked.
SETTLED = """async () => {
  const { app } = await import('/static/main.js');
  for (let more = 2; more; more--) await app.command('hello');
  const { state } = app;
  for (let tries = 2000; tries; tries--) {
    const { frame, scene } = state;
    const drawn = frame?.revision === scene.revision && frame.step === scene.step && !state.fresh;
    if (!scene.way && (scene.playing || drawn)) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error('no frame of ' + state.scene.step);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of the Studio at `address`."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where a Studio with a workspace of its own is served; its recipe is `PLAYED`."""
    listening = socket.create_server(("127.0.0.1", 0))
    access = security.Access(listening.getsockname()[1])
    studio = app.Studio(Session(PLAYED), Workspace(folder))
    serving = front.server(ready(app.application(studio)), access)
    thread = threading.Thread(target=lambda: serving.run(sockets=[listening]))
    thread.start()
    try:
        while not serving.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield access.address
    finally:
        serving.should_exit = True
        thread.join()
        listening.close()
        studio.close()


@pytest.fixture(scope="module")  # its loop of events would be in the way of other files' own
def browser(chromium: str) -> Iterator[Any]:
    """Chromium, headless, for many pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


WINDOW: dict[str, Any] = {"viewport": {"width": 1400, "height": 900}}


class Tab:
    """A page that is open, and what it complained of and asked for."""

    def __init__(self, context: Any, address: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda opened: self.asked.append(opened.url))
        self.page.goto(address)
        while not self.page.query_selector(".place canvas"):
            assert self.complaints == []  # a page that does not begin has said why
            self.page.wait_for_timeout(20)
        self.settle()

    def settle(self) -> None:
        self.page.evaluate(SETTLED)

    def state(self, what: str) -> Any:
        return self.page.evaluate(STATE % what)

    def until(self, what: str) -> None:
        """Wait for something of the page's state."""
        end = time.monotonic() + 60  # a larger network is compiled meanwhile, on a machine that has more to do
        while not self.state(what):
            assert time.monotonic() < end, what
            time.sleep(0.02)

    def lines(self) -> list[Any]:
        """The page's lines to the server, the present one first, once it is loaded anew; each can be cut."""
        found: list[Any] = []
        self.page.route_web_socket("**/ws", lambda line: (found.append(line), line.connect_to_server()))
        self.page.reload()
        self.page.wait_for_selector(".place canvas")
        self.settle()
        return found

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.settle()

    def click(self, selector: str) -> None:
        self.page.click(selector)
        self.settle()


@pytest.fixture(scope="module")
def window(browser: Any) -> Any:
    """Where pages as most tests want them open: a process that has shown one shows the next in half the time."""
    return browser.new_context(**WINDOW)


def forgotten(context: Any, address: str) -> None:
    """Let nothing of the test before be known: its pages, its cookies, and what it kept."""
    left, blank = context.pages, context.new_page()
    line = context.new_cdp_session(blank)
    origin = address.partition("?")[0].rstrip("/")
    line.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
    line.detach()
    context.clear_cookies()
    for page in left:
        page.close()


@pytest.fixture
def opened(browser: Any, window: Any, address: str) -> Iterator[Callable[..., Tab]]:
    """Opens pages, each in a window of its own where it is to be another than usual; all are closed after the test."""
    pages: list[Tab] = []
    forgotten(window, address)

    def made(**context: Any) -> Tab:
        within = browser.new_context(**{**WINDOW, **context}) if context else window
        pages.append(Tab(within, address))
        return pages[-1]

    yield made
    for page in window.pages:
        page.goto("about:blank")  # the last one stays, so that the browser's process does
    for page in pages:
        if page.context is not window:
            page.context.close()
        assert page.complaints == []
