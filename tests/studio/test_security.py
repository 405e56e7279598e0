"""Who is let in, and who is not: other sites' pages, other names, no token, other files."""

import http.client
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus

from layerwise.errors import RecipeError
from layerwise.recipe import load
from layerwise.studio.allowed import check_data
from layerwise.studio.security import BURST, BYTES_A_SECOND, Access, Allowance, static_files

TOY: dict[str, Any] = {"data": {"kind": "toy", "name": "moons"}, "network": {"kind": "mlp", "hidden": [2]}}


# ── the token and the cookie ────────────────────────────────────────────────────────────────────


def test_the_token_is_exchanged_for_a_strict_cookie(served: Any) -> None:
    status, headers, body = served.get(f"/?token={served.access.token}", Cookie="")
    assert (status, headers["location"], body) == (303, "/", b"")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert served.access.token not in cookie
    status, headers, body = served.get("/", Cookie=cookie)
    assert status == 200 and headers["content-type"].startswith("text/html") and b"<html" in body


@pytest.mark.parametrize("token", ["", "x", "%00", "%ff", "%C3%BC", "null", "true"])
def test_another_token_opens_nothing(served: Any, token: str) -> None:
    for query in (f"?token={token}", f"?token={token}&token={served.access.token}", f"?Token={served.access.token}"):
        status, headers, body = served.get(f"/{query}", Cookie="")
        assert status == 403 and "set-cookie" not in headers and b"layerwise play" in body


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/nowhere", "/ws", "/static/main.js?token={token}"])
def test_without_the_cookie_nothing_is_seen(served: Any, path: str) -> None:
    name, value = served.cookie.split("=")
    for cookie in ("", "a=b", f"{name}=", f"{name}={value}x", f"{name}={value[:-1]}", f"{name}x={value}", "=;;=", name):
        status, _, body = served.get(path.format(token=served.access.token), Cookie=cookie)
        assert status == 403 and served.access.token.encode() not in body


def test_the_cookie_is_found_among_others(served: Any) -> None:
    assert served.get("/", Cookie=f"a=b; {served.cookie}; c=d")[0] == 200


def test_each_launch_has_secrets_of_its_own() -> None:
    one, other = Access(1), Access(1)
    assert len({one.token, one.cookie, other.token, other.cookie}) == 4
    assert min(map(len, (one.token, one.cookie))) >= 32
    assert not other.knows([f"{one.name}={one.cookie}".encode()]) and not other.admits(f"token={one.token}".encode())


# ── other names and other pages ─────────────────────────────────────────────────────────────────

FOREIGN_HOSTS = ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}",
                 "localhost.evil.example:{port}", "0.0.0.0:{port}", "evil.example@127.0.0.1:{port}"]  # fmt: skip
FOREIGN_ORIGINS = ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://127.0.0.1",
                   "http://127.0.0.1:{port}.evil.example", "http://localhost:{port}", "file://",
                   "http://127.0.0.1:{port}/"]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_name_that_was_bound_to_this_machine_gets_nothing(served: Any, host: str) -> None:
    """DNS rebinding: the attacker's name points here, so his page's requests come, even with our cookie."""
    named = host.format(port=served.access.port)
    for path in ("/", f"/?token={served.access.token}", "/static/main.js"):
        status, headers, _ = served.get(path, Host=named)
        assert status == 403 and "set-cookie" not in headers
    with pytest.raises(InvalidStatus) as refused, served.socket(Host=named, origin=f"http://{named}"):
        pass
    assert refused.value.response.status_code in (400, 403)


def test_no_host_or_two_get_nothing(served: Any) -> None:
    assert served.get("/", Host="")[0] == 400
    line = http.client.HTTPConnection("127.0.0.1", served.access.port, timeout=30)
    line.putrequest("GET", "/", skip_host=True)
    for host in (served.host, "evil.example"):
        line.putheader("Host", host)
    line.endheaders()
    assert line.getresponse().status == 400
    line.close()


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_other_pages_get_nothing(served: Any, origin: str) -> None:
    foreign = origin.format(port=served.access.port)
    assert served.get("/", Origin=foreign)[0] == 403
    with pytest.raises(InvalidStatus) as refused, served.socket(origin=foreign):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_needs_origin_and_cookie(served: Any) -> None:
    for more in ({"origin": None}, {"Cookie": ""}, {"Cookie": "a=b"}):
        with pytest.raises(InvalidStatus) as refused, served.socket(**more):
            pass
        assert refused.value.response.status_code == 403


def test_localhost_is_a_name_of_its_own_page(served: Any) -> None:
    host = f"localhost:{served.access.port}"
    assert served.get("/", Host=host, Origin=f"http://{host}")[0] == 200


# ── what a page may do in the browser ───────────────────────────────────────────────────────────


def test_every_answer_forbids_what_is_not_needed(served: Any) -> None:
    for path, cookie in (
        ("/", served.cookie),
        ("/nowhere", served.cookie),
        ("/", ""),
        (f"/?token={served.access.token}", ""),
    ):
        _, headers, _ = served.get(path, Cookie=cookie)
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin" and headers["cache-control"] == "no-store"
        assert "server" not in headers  # fmt: skip


def test_the_page_keeps_to_the_policy() -> None:
    """No inline script, style or handler, and nothing from elsewhere."""
    text = static_files()["index.html"].read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text) and not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert not re.search(r"(src|href)=[\"'](https?:)?//", text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FLY"])
def test_there_is_only_reading(served: Any, method: str) -> None:
    assert served.get("/", method)[0] == 403
    assert served.get("/", method, Origin=f"http://{served.host}")[0] in (400, 404, 405)


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def test_the_files_of_the_page_are_served(served: Any) -> None:
    for name, path in static_files().items():
        status, headers, body = served.get(f"/static/{name}")
        assert (status, body) == (200, path.read_bytes())
        if name.endswith(".js"):
            assert headers["content-type"].startswith("text/javascript")


OUTSIDE = ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "..\\app.py", "..%5capp.py", "....//app.py", "./../app.py",
           "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "../../../../../../../etc/passwd", "", ".", "..", "%00",
           "index.html%00.js", "index.html/", "INDEX.HTML", "index.html::$DATA", "C:/Windows/win.ini",
           "~/.ssh/id_rsa"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_other_file_is_served(served: Any, name: str) -> None:
    for prefix in ("/static/", "/static/x/", "/"):
        status, _, body = served.get(prefix + name)
        assert status in (400, 404) or (prefix, name) == ("/", ""), (prefix, name)
        assert b"root:" not in body and b"uvicorn" not in body


@given(
    st.lists(st.sampled_from(["..", ".", "", "app.py", "static", "%2e%2e", "%2f", "index.html", "\\", "etc", "passwd"]))
)
@example(["..", "app.py"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# The server goes on while paths are drawn, and its types are checked by samples from `random`.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
def test_no_path_leads_out(served: Any, parts: list[str]) -> None:
    status, _, body = served.get("/static/" + "/".join(parts))
    assert status in (400, 404) or body == static_files()["index.html"].read_bytes()


# ── data ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "table", "path": "/etc/passwd", "target": "x"}, "/etc/passwd"),
        ({"kind": "table", "path": "own.csv", "target": "x", "split": {"kind": "given", "test": "b.csv"}}, "b.csv"),
        ({"kind": "table", "path": "own.csv/../other.csv", "target": "x"}, "other.csv"),
        ({"kind": "table", "path": "uploads/../runs/a/data.parquet", "target": "x"}, "data.parquet"),
        ({"kind": "table", "path": "uploads/0123456789abcdef.csv/../x", "target": "x"}, "cdef.csv/../x"),
        ({"kind": "table", "path": "uploads/0123456789abcdef.csv\n", "target": "x"}, "uploads"),
        ({"kind": "table", "path": "./uploads/0123456789abcdef.csv", "target": "x"}, "uploads"),
        ({"kind": "toy", "name": "moons", "n": 10_000_000}, "up to 16,384 rows"),
        ({"kind": "named", "name": "mnist"}, "mnist"),
    ],
)  # fmt: skip
def test_data_that_a_page_may_not_name(data: dict[str, Any], words: str) -> None:
    launched = load({**TOY, "data": {"kind": "table", "path": "own.csv", "target": "y"}})
    with pytest.raises(RecipeError, match=re.escape(words)):
        check_data(load({**TOY, "data": data}), launched)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "table", "path": "own.csv", "target": "z"},
        {"kind": "table", "path": "uploads/0123456789abcdef.csv", "target": "z"},
        {"kind": "toy", "name": "xor", "n": 1024},
        {"kind": "named", "name": "iris"},
        {"kind": "named", "name": "digits"},
        {"kind": "named", "name": "nowhere"},  # told by the catalogue itself
    ],
)
def test_data_that_a_page_may_name(data: dict[str, Any]) -> None:
    launched = load({**TOY, "data": {"kind": "table", "path": "own.csv", "target": "y"}})
    check_data(load({**TOY, "data": data}), launched)


def test_a_page_cannot_read_files(open_page: Callable[[], Any]) -> None:
    page = open_page()
    for do, more in (
        ("set", {"path": "data", "value": {"kind": "table", "path": "/etc/passwd", "target": "x"}}),
        ("recipe", {"toml": 'data = { kind = "table", path = "/etc/passwd", target = "x" }\nnetwork = "mlp"'}),
        ("recipe", {"toml": 'data = { kind = "images", path = "/", size = [8, 8] }\nnetwork = "mlp"'}),
    ):
        error = page.ask(do, **more)["error"]
        assert "the file that it was started with" in error["rule"]


# ── how much ────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(0, 200_000), st.floats(0, 2)), max_size=60))
def test_no_page_is_read_faster_than_allowed(sendings: list[tuple[int, float]]) -> None:
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    taken = 0
    for size, idle in sendings:
        now[0] += idle
        taken += size
        now[0] += allowance.take(size)
        assert taken <= BURST + now[0] * BYTES_A_SECOND + 1


def test_who_keeps_to_it_never_waits() -> None:
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    for _ in range(1000):
        now[0] += 0.1
        assert allowance.take(BYTES_A_SECOND // 10) == 0
