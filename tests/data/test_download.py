"""Downloads from a server on loopback that misbehaves in every way we know of."""

import hashlib
import multiprocessing
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from layerwise.data import download
from layerwise.data.download import Remote, cache_folder, obtain, present
from layerwise.errors import DataError

CONTENT = bytes(range(256)) * 2000  # half a megabyte: several reads
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Behaves as the first part of the path says, and notes every request's range."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        behavior = self.path.split("/")[1]
        getattr(self, behavior)()

    def log_message(self, *args):
        pass

    def start(self):
        asked = self.headers.get("Range")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

    def reply(self, body, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def good(self, body=CONTENT, cut=None):
        start = self.start()
        rest = body[start:]
        headers = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self.reply(rest[:cut], 206 if start else 200, len(rest), **headers)

    def breaks(self):
        """Sends 200,000 bytes a request, then drops the connection."""
        self.good(cut=200_000)

    def rangeless(self):
        """Knows no ranges, and drops the connection in its first answer."""
        self.reply(CONTENT[:300_000] if len(self.server.requests) == 1 else CONTENT, length=len(CONTENT))

    def shifted(self):
        start = self.start()
        if start:
            self.reply(CONTENT[start - 1 :][:-1], 206, Content_Range=f"bytes {start - 1}-{len(CONTENT) - 2}/*")
        else:
            self.good()

    def altered(self):
        self.good(CONTENT[:-1] + b"!")

    def page(self):
        self.reply(b"<html>Please log in</html>")

    def missing(self):
        self.reply(b"not here", 404)

    def busy(self):
        self.reply(b"try later", 503)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        with_sent = 0
        try:
            while with_sent < 1 << 30:
                with_sent += self.wfile.write(b"x" * 65536)
        except OSError:
            self.server.sent = with_sent

    def silent(self):
        self.server.release.wait(10)

    def slow(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        for start in range(0, len(CONTENT), 64_000):
            self.wfile.write(CONTENT[start : start + 64_000])
            time.sleep(0.03)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("LAYERWISE_DATA", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.release = threading.Event()
        running.daemon_threads = True
        running.handle_error = lambda request, address: None  # clients that hang up are part of the tests
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


def remote(server, *behaviors):
    host = f"http://127.0.0.1:{server.server_address[1]}"
    return Remote("set.gz", tuple(f"{host}/{behavior}/set.gz" for behavior in behaviors), len(CONTENT), SHA256)


def refused(server, *behaviors):
    """The error of a download that fails, after a look that nothing stands in its place."""
    with pytest.raises(DataError, match="can be downloaded") as error:
        obtain("digits", [remote(server, *behaviors)])
    assert not (cache_folder() / "digits" / "set.gz").exists()
    return error.value


def part():
    return cache_folder() / "digits" / "set.gz.part"


def leave_part(content):
    part().parent.mkdir(parents=True)
    part().write_bytes(content)


def test_a_complete_answer_is_kept_and_not_fetched_again(server):
    seen = []
    file = remote(server, "good")
    assert present("digits", [file]) is None
    (path,) = obtain("digits", [file], lambda name, done, total: seen.append((name, done, total)))
    assert path == cache_folder() / "digits" / "set.gz"
    assert path.read_bytes() == CONTENT
    assert not part().exists()
    assert seen[-1] == ("set.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})
    assert obtain("digits", [file]) == present("digits", [file]) == [path]
    assert server.requests == [("/good/set.gz", None)]


def test_a_broken_connection_goes_on_where_it_stopped(server):
    (path,) = obtain("digits", [remote(server, "breaks")])
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=200000-", "bytes=400000-"]


def test_what_an_earlier_process_left_is_continued(server):
    leave_part(CONTENT[:123_456])
    (path,) = obtain("digits", [remote(server, "good")])
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/good/set.gz", "bytes=123456-")]


def test_another_address_continues_what_the_first_began(server):
    leave_part(CONTENT[:100])
    (path,) = obtain("digits", [remote(server, "missing", "good")])
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/missing/set.gz", "bytes=100-"), ("/good/set.gz", "bytes=100-")]


def test_a_whole_part_needs_no_request(server):
    leave_part(CONTENT)
    (path,) = obtain("digits", [remote(server, "good")])
    assert path.read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("left", [b"y" * 1000, b"y" * len(CONTENT), b"y" * (len(CONTENT) + 5)])
def test_a_wrong_part_is_thrown_away(server, left):
    leave_part(left)
    (path,) = obtain("digits", [remote(server, "good")])
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server):
    (path,) = obtain("digits", [remote(server, "rangeless")])
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=300000-"]


def test_a_range_that_was_not_asked_for_is_not_taken(server):
    leave_part(CONTENT[:1000])
    (path,) = obtain("digits", [remote(server, "shifted")])
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_a_wrong_checksum_is_refused_and_the_next_address_asked(server):
    error = refused(server, "altered")
    assert "the SHA-256 of what arrived is not the published one" in error.received
    assert not part().exists()
    assert len(server.requests) == 1, "the same bytes would only come again"
    (path,) = obtain("digits", [remote(server, "altered", "good")])
    assert path.read_bytes() == CONTENT


def test_a_login_page_is_refused_by_its_size(server):
    assert "announced 26 bytes where 512000 were expected" in refused(server, "page").received


def test_a_missing_file_is_not_asked_for_twice(server):
    error = refused(server, "missing")
    assert "answered 404" in error.received
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again(server):
    assert "answered 503" in refused(server, "busy").received
    assert len(server.requests) == download.TRIES


def test_an_endless_answer_is_cut_off(server):
    assert "sent more bytes than the file has" in refused(server, "endless").received
    assert part().stat().st_size <= len(CONTENT)


def test_a_silent_server_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    assert "timed out" in refused(server, "silent").received


def test_offline_the_message_says_which_files_to_put_where(server):
    server.shutdown()
    server.server_close()
    error = refused(server, "good")
    assert "cannot be reached" in error.received
    assert f"put set.gz into a folder FOLDER{os.sep}digits and set LAYERWISE_DATA=FOLDER" in error.remedy
    assert error.place == "set.gz"


def test_the_users_own_folder_comes_first(server, monkeypatch, tmp_path):
    own = tmp_path / "own" / "digits" / "set.gz"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    obtain("digits", [remote(server, "good")])
    monkeypatch.setenv("LAYERWISE_DATA", str(tmp_path / "own"))
    assert obtain("digits", [remote(server, "good")]) == [own]
    assert len(obtain("other", [remote(server, "good")])) == 1, "what the folder lacks is fetched"


def test_a_cache_that_cannot_be_written_is_no_traceback(server, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(DataError, match="cache folder can be written"):
        obtain("digits", [remote(server, "good")])


def fetch_and_report(file, reports):
    reports.put(obtain("digits", [file])[0].read_bytes() == CONTENT)


def test_two_processes_fetch_a_file_once(server):
    context = multiprocessing.get_context("spawn")
    reports = context.SimpleQueue()
    file = remote(server, "slow")
    both = [context.Process(target=fetch_and_report, args=(file, reports)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert [reports.get(), reports.get()] == [True, True]
    assert len(server.requests) == 1


def test_the_cache_follows_the_platform(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: Path("/people/ada"))
    for platform, folder in (("linux", "/people/ada/.cache"), ("darwin", "/people/ada/Library/Caches")):
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == Path(folder) / "layerwise"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/people/ada/Library/Caches/layerwise")


def test_no_home_folder_is_no_traceback(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(DataError, match="need a cache folder"):
        cache_folder()
