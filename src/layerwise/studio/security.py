"""Who may talk to the Studio: everything that keeps other pages and programs out.

It listens on loopback only, which does not suffice. Any page in the same browser can send requests to
it, or have a name of its own point to it. So the address that the terminal shows carries a token, made
for this launch, which is exchanged for a cookie that no script and no other site's page gets at; a
request has to name this server (Host) and, from a page, to come from it (Origin); one that changes
anything has to say so, since a cookie goes along with whatever another port's page sends.

What those who were let in may play with and train on is in `allowed`. This module imports nothing large, so
that the door is open before the rooms behind it are furnished.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

HOST = "127.0.0.1"
SESSIONS = 8  # pages that play at once
CONNECTIONS = 64  # of all kinds
BYTES_A_SECOND, BURST = 256 << 10, 1 << 20  # taken from one page
FORMS = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".md": "text/markdown; charset=utf-8", ".json": "application/json",
}  # fmt: skip

READING = ("GET", "HEAD")  # these change nothing, so they need not say where they come from
REPORTS = "/reports/"  # what is below has a policy of its own

Headers = list[tuple[bytes, bytes]]
Scope = dict[str, Any]  # ASGI's


@dataclass
class Access:
    """The secrets of one launch, and the addresses that the server goes by."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """What is opened to play."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> set[str]:
        """What a request may call this server."""
        return {f"{name}:{self.port}" for name in (HOST, "localhost")}

    @property
    def name(self) -> str:
        """The cookie's. Cookies know no ports, so two launches at once need two names."""
        return f"layerwise-{self.port}"

    def set_cookie(self) -> bytes:
        """The header that hands the cookie over; it ends with the browser."""
        return f"{self.name}={self.cookie}; HttpOnly; SameSite=Strict; Path=/".encode()

    def knows(self, cookies: Iterable[bytes]) -> bool:
        """Whether the cookie is among those sent."""
        pairs = (part.strip().partition(b"=") for line in cookies for part in line.split(b";"))
        return any(
            name == self.name.encode() and secrets.compare_digest(value, self.cookie.encode())
            for name, _, value in pairs
        )

    def admits(self, query: bytes) -> bool:
        """Whether the address carries the token."""
        try:
            given = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=8).get("token", [])
        except ValueError:
            return False
        return len(given) == 1 and secrets.compare_digest(given[0].encode(), self.token.encode())

    def refused(self, scope: Scope) -> str:
        """Why a request is not even looked at; "" where it may be."""
        hosts, origins = _all(scope, b"host"), _all(scope, b"origin")
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self.hosts:
            return f"The Studio goes by {HOST}:{self.port} only."
        foreign = [origin for origin in origins if origin.lower() != b"http://" + hosts[0].lower()]
        reads = scope["type"] == "http" and scope["method"] in READING
        if foreign or (len(origins) != 1 and not reads):
            return "The Studio talks to its own page only."
        return ""


def _all(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]


def headers_of(access: Access, report: bool = False) -> Headers:
    """What every answer tells the browser to keep from doing.

    A report is a page of a run's folder with scripts of its own. It is drawn in a sandbox: an origin like no
    other, which gets neither at the cookie nor at the Studio, and reaches no address at all.
    """
    here = " ".join(f"ws://{host}" for host in sorted(access.hosts))
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": f"'self' {here}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    if report:
        inline = "'unsafe-inline'"
        own = {"sandbox": "allow-scripts", "script-src": inline, "style-src": inline, "img-src": "data: blob:"}
        policy = {**policy, **own, "connect-src": "'none'"}
    words = {
        "content-security-policy": "; ".join(f"{key} {value}" for key, value in policy.items()),
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    return [(key.encode(), value.encode()) for key, value in words.items()]


class Guard:
    """Stands before an ASGI application and lets through who may come in."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app, self._access = app, access
        self._headers, self._report_headers = headers_of(access), headers_of(access, report=True)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        more = self._report_headers if scope["path"].startswith(REPORTS) else self._headers

        async def guarded(message: dict[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                own = [name.lower() for name, _ in message["headers"]]  # how long it is kept, if it says so
                added = [each for each in more if each[0] != b"cache-control" or each[0] not in own]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        access = self._access
        if reason := access.refused(scope):
            await _say(scope, guarded, 403, reason)
        elif scope["type"] == "http" and scope["path"] == "/" and access.admits(scope["query_string"]):
            # Away from the address that carries the token, so that it stays in no history.
            await _say(scope, guarded, 303, "", [(b"location", b"/"), (b"set-cookie", access.set_cookie())])
        elif not access.knows(_all(scope, b"cookie")):
            await _say(scope, guarded, 403, "Open the address that `layerwise play` shows: it carries the token.")
        else:
            await self._app(scope, receive, guarded)


async def _say(scope: Scope, send: Any, status: int, words: str, headers: Headers | None = None) -> None:
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    form = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": f"{kind}.start", "status": status, "headers": [form, *(headers or [])]})
    await send({"type": f"{kind}.body", "body": f"{words}\n".encode() if words else b""})


def static_files() -> dict[str, Path]:
    """The files that are served, by the names they are asked for; nothing else is looked up."""
    home = Path(str(resources.files("layerwise.studio"))) / "static"
    found = (path for path in home.rglob("*") if path.suffix in FORMS and path.is_file() and not path.is_symlink())
    return {path.relative_to(home).as_posix(): path for path in sorted(found)}


class Allowance:
    """How many bytes a page may send: so many a second, and some more at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left, self._at = clock, float(BURST), clock()

    def take(self, size: int) -> float:
        """Take so many bytes; how many seconds to wait before more are read.

        >>> allowance = Allowance(lambda: 0.0)
        >>> allowance.take(BURST), allowance.take(BYTES_A_SECOND)
        (0.0, 1.0)
        """
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._at) * BYTES_A_SECOND) - size
        self._at = now
        return max(0.0, -self._left / BYTES_A_SECOND)
