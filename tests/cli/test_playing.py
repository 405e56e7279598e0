"""`play`: it says where the page is, opens it, ends by Ctrl-C, and says in words what keeps it from that."""

import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from layerwise.cli import main, playing
from layerwise.errors import StorageError
from layerwise.studio import app, front

PROGRAM = "import sys; from layerwise.cli import main; sys.exit(main())"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def status(address: str, **headers: str) -> int:
    """Of the answer to an address."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.netloc, timeout=30)
    line.request("GET", f"{parts.path}?{parts.query}", headers=headers)
    answer = line.getresponse()
    line.close()
    return answer.status


# ── in a process of its own ─────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_from_start_to_ctrl_c(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, "play", "circle", "--port", "0", "--no-browser"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert status(address) == 303 and status(address[:-1]) == 403
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "done: the Studio is closed" and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_the_page_is_there_before_the_rest_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, "play", "--port", "0", "--no-browser"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            parts = urlsplit(address)
            line = http.client.HTTPConnection(parts.netloc, timeout=30)
            line.request("GET", f"{parts.path}?{parts.query}")
            answer = line.getresponse()
            cookie = {"Cookie": str(answer.getheader("set-cookie")).split(";")[0]}
            answer.read()
            line.request("GET", "/static/main.js", headers=cookie)
            assert b"import" in line.getresponse().read()
            line.close()
            late = http.client.HTTPConnection(parts.netloc, timeout=30)
            late.request("GET", "/api/lessons", headers=cookie)  # waits for the rest, and is left alone
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            late.close()
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "done: the Studio is closed" and "Traceback" not in err


# ── here, with a server that ends at once ───────────────────────────────────────────────────────


class Ended:
    """A server that was asked to serve."""

    def __init__(self) -> None:
        self.ports: list[int] = []

    def run(self, sockets: list[socket.socket]) -> None:
        self.ports += [each.getsockname()[1] for each in sockets]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    server = Ended()
    monkeypatch.setattr(front, "server", lambda *_: server)
    return server


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def joined() -> None:
    """Wait for the thread that opens the browser."""
    for thread in threading.enumerate():
        if thread.name.startswith("layerwise-browser"):
            thread.join(10)


def test_the_browser_opens_the_address_that_is_printed(
    ended: Ended, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--port", "0"]) == 0
    joined()
    out, _ = capsys.readouterr()
    assert opened == [out.strip()]
    assert urlsplit(opened[0]).port == ended.ports[0]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="a desktop is always there")
@pytest.mark.parametrize("without", ["a wish", "a screen"])
def test_no_browser_is_opened(without: str, ended: Ended, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if without == "a screen":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["play", "--port", "0", *(["--no-browser"] if without == "a wish" else [])]) == 0
    joined()
    assert opened == [] and ended.ports


def test_another_port_is_found_where_the_usual_one_is_taken(
    taken: int, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "PORT", taken)
    assert main(["play", "--no-browser"]) == 0
    assert ended.ports[0] != taken


def test_a_port_that_is_taken_is_told(taken: int, ended: Ended, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "--no-browser", "--port", str(taken)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and ended.ports == []
    assert f"received: {taken}" in err and "leave --port out" in err


def test_only_this_machine_gets_to_it(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[str] = []
    monkeypatch.setattr(Ended, "run", lambda self, sockets: bound.extend(s.getsockname()[0] for s in sockets))
    assert main(["play", "--no-browser", "--port", "0"]) == 0
    assert bound == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        (["nowhere.toml"], "the recipe file must exist", "layerwise recipes"),
        (["digit"], "'digit'", "did you mean 'digits'?"),
        (["perceptron-xor"], "played with", "layerwise train"),
        (["xor-by-hand"], "played with", "layerwise train"),
        (["--port", "x"], "--port", "layerwise play --help"),
        (["--port", "70000"], "--port", "layerwise play --help"),
    ],
)
def test_what_cannot_be_played_is_told_and_nothing_listens(
    words: list[str], message: str, remedy: str, ended: Ended, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and ended.ports == [] and opened == []
    assert err.startswith("error: ") and message in err and remedy in err.split("remedy:")[1]


def test_a_package_that_is_missing_is_named(
    ended: Ended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else find(name, *more)
    )
    assert main(["play", "--no-browser", "--port", "0"]) == 2
    _, err = capsys.readouterr()
    assert "the package uvicorn" in err and "pip install" in err and ended.ports == []


def test_what_cannot_be_loaded_ends_it_in_words(
    ended: Ended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: Any) -> None:
        raise StorageError("the workspace is a folder that can be read", received="a broken disk", remedy="another")

    monkeypatch.setattr(app, "Studio", failing)
    assert main(["play", "--no-browser", "--port", "0"]) == 2
    assert "received: a broken disk" in capsys.readouterr().err


def test_help_does_not_import_the_server() -> None:
    code = "import sys; from layerwise.cli import main; main(['play', '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"fastapi", "uvicorn", "websockets", "asyncio", "webbrowser"} & set(done.stdout.split())


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs a list of what is open")
def test_the_port_is_free_again_after_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert main(["play", "perceptron-xor", "--port", "0"]) == 2
    assert len(os.listdir("/proc/self/fd")) <= before
