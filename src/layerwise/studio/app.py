"""What the Studio's pages talk to: one session for each that is open, and what they share."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketState

from layerwise.recipe import Recipe
from layerwise.studio import security
from layerwise.studio.api import Api
from layerwise.studio.desk import shelf
from layerwise.studio.desk.jobs import Jobs
from layerwise.studio.desk.workspace import Workspace
from layerwise.studio.games.session import Session
from layerwise.studio.player import Out, Player

UNSETTLED = 8  # messages of a page that are being answered; more are not read before
TRY_LATER, FAULT = 1013, 1011  # codes of closing


class Studio:
    """What all pages share: the workspace, and how a session begins. `playing` pages are open."""

    def __init__(self, first: Session, workspace: Workspace) -> None:
        self.workspace = workspace
        self._recipe: Recipe = first.recipe
        self._first: Session | None = first  # ready before the first page asks
        self._threads = ThreadPoolExecutor(security.SESSIONS, "layerwise-play")
        self.playing = 0
        self._taking = threading.Lock()
        self.jobs = Jobs(workspace)
        self.api = Api(workspace, self.jobs, first.recipe)

    def close(self) -> None:
        """End what was begun from pages, in order; to be called after the server's end."""
        self.jobs.close()
        self.api.close()

    async def converse(self, websocket: WebSocket) -> None:
        """One page, from its coming to its leaving."""
        await websocket.accept()
        if self.playing == security.SESSIONS:
            await websocket.close(TRY_LATER, f"{security.SESSIONS} pages play at once: close another")
            return
        self.playing += 1
        try:
            await _converse(websocket, self._begin, self._threads)
        finally:
            self.playing -= 1

    def _begin(self) -> Session:
        with self._taking:
            first, self._first = self._first, None
        session = first or Session(self._recipe)
        session.locate, session.called = self.workspace.located, partial(shelf.called, self.workspace)
        return session


async def _converse(websocket: WebSocket, begin: Callable[[], Session], threads: ThreadPoolExecutor) -> None:
    """Pass on messages both ways; ends when the page leaves, or its player fails."""
    loop = asyncio.get_running_loop()
    outbox: asyncio.Queue[Out] = asyncio.Queue()
    unsettled = asyncio.Semaphore(UNSETTLED)

    def send(out: Out) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(outbox.put_nowait, out)

    player = Player(begin, send)

    async def receive() -> None:
        allowance = security.Allowance()
        while (message := await websocket.receive())["type"] == "websocket.receive":
            content = message.get("text") or message.get("bytes") or ""
            await asyncio.sleep(allowance.take(len(content)))
            await unsettled.acquire()
            player.give(content)

    async def forward() -> None:
        while True:
            out = await outbox.get()
            if isinstance(out.content, str):
                await websocket.send_text(out.content)
            elif out.content is not None:
                await websocket.send_bytes(out.content)
            if out.settles:
                unsettled.release()

    work = loop.run_in_executor(threads, player.run)
    talk = [asyncio.ensure_future(receive()), asyncio.ensure_future(forward())]
    try:
        await asyncio.wait([work, *talk], return_when=asyncio.FIRST_COMPLETED)
    finally:
        player.close()
        for task in talk:
            task.cancel()
        ended = await asyncio.gather(work, *talk, return_exceptions=True)
    if isinstance(ended[0], Exception) and websocket.client_state is WebSocketState.CONNECTED:
        await websocket.close(FAULT, "a fault in layerwise: see the terminal")
    if isinstance(ended[0], Exception):
        raise ended[0]


def application(studio: Studio) -> FastAPI:
    """What is behind the door and the page's own files."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    studio.api.add_to(app)
    app.websocket("/ws")(studio.converse)
    return app
