"""The Studio's front: its door and the page's own files, served at once, while what is behind them is loaded.

A browser takes as long to start as JAX takes to be imported; so neither waits for the other. This module
imports nothing large.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn

from layerwise.studio import protocol, security
from layerwise.studio.security import READING, Scope

STATIC = "/static/"


class Front:
    """An ASGI application: the page's files itself, everything else by the `rest`, once that is there."""

    def __init__(self, rest: "Future[Any]") -> None:
        self._rest, self._files = rest, security.static_files()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on. Raises what kept the rest from being there."""
        file = _asked(scope, self._files)
        if file is None:
            app = await asyncio.shield(asyncio.wrap_future(self._rest))  # whoever leaves, the others wait on
            await app(scope, receive, send)
            return
        content = await asyncio.to_thread(file.read_bytes)
        headers = [(b"content-type", security.FORMS[file.suffix].encode()), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


def _asked(scope: Scope, files: Mapping[str, Path]) -> Path | None:
    """The file of the page that a request is for."""
    if scope["type"] != "http" or scope["method"] not in READING:
        return None
    path = str(scope["path"])
    if path == "/":
        return files.get("index.html")
    return files.get(path.removeprefix(STATIC)) if path.startswith(STATIC) else None


def server(rest: "Future[Any]", access: security.Access) -> uvicorn.Server:
    """What serves the pages of one launch behind their guard, with its limits."""
    return uvicorn.Server(
        uvicorn.Config(
            security.Guard(Front(rest), access),
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=protocol.MESSAGE_BYTES,
            ws_per_message_deflate=False,  # loopback is fast, and what is small need not become large
            limit_concurrency=security.CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
    )
