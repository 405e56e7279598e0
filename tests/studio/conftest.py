"""A Studio that is served for real on a port of its own, and pages that talk to it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from layerwise.studio import app, security
from layerwise.studio.session import Session
from layerwise.studio.workspace import Workspace

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
        """Send a command and wait for its answer."""
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

    def socket(self, *, origin: str | None = "own", **headers: str) -> Any:
        """A WebSocket to use with `with`, which raises where it is not let in."""
        sent = {"Cookie": self.cookie, **headers}
        own = f"http://{self.host}" if origin == "own" else origin
        address = f"ws://{self.host}/ws"
        more: dict[str, Any] = {"origin": own, "compression": None, "proxy": None, "max_size": None}
        return connect(address, additional_headers={k: v for k, v in sent.items() if v}, **more)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Studio with room for `FEW` pages, whose recipe is `SMALL`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(security, "SESSIONS", FEW)
        sock = socket.create_server(("127.0.0.1", 0))
        access = security.Access(sock.getsockname()[1])
        studio = app.Studio(Session(SMALL), Workspace(tmp_path_factory.mktemp("workspace")))
        server = app.server(app.guarded(studio, access))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield Served(access, studio)
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def open_page(served: Served) -> Iterator[Callable[[], Page]]:
    """Opens pages; all are closed after the test. Those of the test before have left when it begins."""
    while served.studio.playing:
        time.sleep(0.005)
    with ExitStack() as pages:
        yield lambda: Page(pages.enter_context(served.socket()))
