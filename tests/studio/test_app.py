"""The server with real pages on real sockets: several at once, rude ones, and ones that vanish."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed

from layerwise.studio import app, protocol
from layerwise.studio.desk.workspace import Workspace
from layerwise.studio.games.session import Session
from layerwise.studio.picture import frames

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # many steps

# ── a page ──────────────────────────────────────────────────────────────────────────────────────


def test_a_page_gets_a_frame_at_once_and_plays(open_page: Callable[[], Any]) -> None:
    page = open_page()
    _, step, sections = frames.unpacked(page.frame())
    assert step == 0 and {"weights", "biases", "surface", "units", "curve"} <= set(sections)
    assert page.ask("play")["scene"]["playing"]
    page.trains_beyond(1000)
    page.painted()
    assert frames.unpacked(page.frame())[1] > 0
    stopped = page.ask("pause")["scene"]["step"]
    assert page.ask("back", batches=5)["scene"]["step"] == stopped - 5


def test_going_back_and_on_again_comes_to_the_same_weights(open_page: Callable[[], Any]) -> None:
    page = open_page()

    def drawn(step: int) -> dict[str, np.ndarray]:
        page.painted()
        while (found := frames.unpacked(page.frame()))[1] != step:
            page.painted()
        return found[2]

    page.ask("step", batches=30)
    first = drawn(30)
    page.ask("back", batches=30)
    drawn(0)
    page.ask("seek", step=30)
    again = drawn(30)
    assert (first["weights"] == again["weights"]).all() and (first["surface"] == again["surface"]).all()


def test_two_tabs_play_each_their_own(open_page: Callable[[], Any]) -> None:
    one, other = open_page(), open_page()
    one.ask("set", path="network.hidden", value=[8, 8])
    one.ask("play")
    one.trains_beyond(100)
    assert other.step() == 0
    assert other.ask("hello")["scene"]["recipe"]["network"]["hidden"] == [3, 2]
    other.ask("play")
    other.trains_beyond(100)
    before = one.step()
    one.trains_beyond(before)


def test_one_page_too_many_is_told_so(open_page: Callable[[], Any]) -> None:
    pages = [open_page() for _ in range(3)]
    for page in pages:
        assert page.ask("hello")["ok"]
    refused = open_page()
    with pytest.raises(ConnectionClosed) as closed:
        refused.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013
    assert "close another" in closed.value.rcvd.reason
    assert pages[0].ask("hello")["ok"]


# ── rude ones ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def well_served(open_page: Callable[[], Any]) -> Any:
    """Another page, that plays all the while and still does at the end."""
    page = open_page()
    page.ask("play")
    yield page
    page.trains_beyond(page.step())
    assert page.ask("hello")["scene"]["playing"]


@pytest.mark.parametrize(
    ("message", "code"),
    [("x" * (protocol.MESSAGE_BYTES + 1), 1009), (b"x" * (1 << 20), 1009)],
    ids=["text", "bytes"],
)
def test_huge_messages_end_their_own_page_only(
    well_served: Any, open_page: Callable[[], Any], message: str | bytes, code: int
) -> None:
    page = open_page()
    page.socket.send(message)
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            page.next()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == code


@pytest.mark.parametrize("message", ["", "{", "[" * 50_000, '{"id": 1}', '{"id": 1, "do": "fly"}', b"\xff\0", b""])
def test_malformed_messages_are_answered_and_the_page_plays_on(
    open_page: Callable[[], Any], message: str | bytes
) -> None:
    page = open_page()
    page.socket.send(message)
    answer = page.next()
    while isinstance(answer, bytes):
        answer = page.next()
    assert answer["ok"] is False and answer["error"]["remedy"]
    assert page.ask("hello")["ok"]


def test_a_flood_is_answered_and_others_play(well_served: Any, open_page: Callable[[], Any]) -> None:
    page = open_page()
    for number in range(2000, 2400):
        page.socket.send(json.dumps({"id": number, "do": "painted" if number % 2 else "hello", **(
            {"revision": 1, "step": 0} if number % 2 else {})}))  # fmt: skip
    assert page.ask("hello")["ok"]


def test_a_page_that_never_draws_gets_one_frame(open_page: Callable[[], Any]) -> None:
    page = open_page()
    page.ask("play")
    page.trains_beyond(20_000)
    assert len(page.frames) == 1


def raw_socket(served: Any) -> socket.socket:
    """A WebSocket after its handshake, on which nothing is read but by hand."""
    line = socket.create_connection(("127.0.0.1", served.access.port), timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /ws HTTP/1.1", f"Host: {served.host}", f"Origin: http://{served.host}", f"Cookie: {served.cookie}",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", "",
    ]  # fmt: skip
    line.sendall("\r\n".join(lines).encode())
    assert b" 101 " in line.recv(4096)
    return line


def masked(text: str) -> bytes:
    """A text message as a client sends it, masked with zeros."""
    content = text.encode()
    assert len(content) < 126
    return struct.pack("BB", 0x81, 0x80 | len(content)) + bytes(4) + content


def test_who_sends_and_never_reads_is_soon_not_read_either(well_served: Any, served: Any) -> None:
    """Answers wait in memory for nobody: the server stops reading, so the sender cannot send on."""
    with raw_socket(served) as line:
        line.settimeout(1.0)
        flood = masked('{"id": 1, "do": "hello"}') * 2000
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += line.send(flood)


TINY: dict[str, Any] = {"data": {"kind": "toy", "name": "xor", "n": 20}, "network": {"kind": "mlp", "hidden": [2]}}


def test_few_answers_wait_in_memory(tmp_path: Path) -> None:
    """A page that asks without end and takes no answer, since its socket is full: soon it is not read any more."""
    read = 0

    async def receive() -> dict[str, str]:
        nonlocal read
        await asyncio.sleep(0)
        read += 1
        if read == 1:
            return {"type": "websocket.connect"}
        return {"type": "websocket.receive", "text": '{"id": 1, "do": "hello"}'}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    async def visit() -> None:
        page = WebSocket({"type": "websocket"}, receive, send)
        visiting = asyncio.ensure_future(app.Studio(Session(TINY), Workspace(tmp_path)).converse(page))
        await asyncio.wait([visiting], timeout=0.5)
        visiting.cancel()
        await asyncio.wait([visiting])

    asyncio.run(visit())
    assert 2 < read <= app.UNSETTLED + 2


def test_a_connection_that_drops_while_training_frees_its_place(served: Any, open_page: Callable[[], Any]) -> None:
    for _ in range(4):
        lines = [raw_socket(served) for _ in range(3)]
        for line in lines:
            line.sendall(masked('{"id": 1, "do": "play"}'))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
            line.close()
        while True:  # until the server has noticed
            page = open_page()
            try:
                assert page.ask("hello")["ok"]
                break
            except ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code == 1013
        page.socket.close()
