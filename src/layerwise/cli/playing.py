"""The command that opens the Studio: `play`."""

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli import console
from layerwise.errors import LayerwiseError
from layerwise.progress.screen import messages

if TYPE_CHECKING:
    import socket

    import uvicorn

    from layerwise.recipe import Recipe
    from layerwise.studio import app
    from layerwise.studio.security import Access

PORT = 8421  # the one that is tried first, so that an address that was shared stays right


def play(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", show_default=False, help="A recipe file, or a built-in name."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=65535, show_default=False, help=f"The port; else {PORT}, if free."),
    ] = None,
    workspace: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of runs, lessons and files that it shows and adds to."),
    ] = Path("."),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open the Studio, a page to play with small networks.

    Ctrl-C ends it.

    \b
    Examples:
      layerwise play
      layerwise play circle
      layerwise play mine.toml --port 9000
    """
    from layerwise.recipe import load

    checked = load(recipe) if recipe is not None else None
    with _socket(port) as listening:
        _check_packages()
        from layerwise.studio import front, security

        access = security.Access(listening.getsockname()[1])
        with _Loading(checked, workspace) as loading:
            if checked is not None:  # nothing is opened for what cannot be played
                loading.studio.result()
            server = front.server(loading.application, access)
            loading.application.add_done_callback(partial(_give_up, server))
            _announce(access, browser=not no_browser)
            try:
                server.run(sockets=[listening])
            except KeyboardInterrupt:  # the ordinary way to end it
                console.say("done", "the Studio is closed")
            loading.application.result()


class _Loading:
    """A Studio that is imported and prepared beside the server, which has its page's files to give meanwhile."""

    def __init__(self, recipe: "Recipe | None", workspace: Path) -> None:
        self._recipe, self._workspace = recipe, workspace
        self._thread, self._beside = (ThreadPoolExecutor(1, "layerwise-loading") for _ in range(2))

    def __enter__(self) -> "_Loading":
        self.studio = self._thread.submit(self._made)
        self.application = self._thread.submit(self._applied)
        return self

    def __exit__(self, *_: object) -> None:
        for threads in (self._thread, self._beside):
            threads.shutdown(cancel_futures=True)
        if self.studio.exception() is None:
            self.studio.result().close()

    def _made(self) -> "app.Studio":
        with console.importing():
            from layerwise.studio.games.coming import compile_for
            from layerwise.studio.games.session import Session
        session = Session(self._recipe)
        self._beside.submit(compile_for, Session(session.recipe, like=session))  # read from disk, beside the imports
        with console.importing():
            from layerwise.studio import app
            from layerwise.studio.desk.workspace import Workspace
        return app.Studio(session, Workspace(self._workspace))

    def _applied(self) -> Any:
        from layerwise.studio import app

        return app.application(self.studio.result())


def _give_up(server: "uvicorn.Server", application: "Future[Any]") -> None:
    """End a server whose rest could not be loaded."""
    if not application.cancelled() and application.exception() is not None:
        server.should_exit = True


def _socket(port: int | None) -> "socket.socket":
    """A socket that only this machine reaches, taken at once, before anything takes time."""
    try:
        return _listening(PORT if port is None else port)
    except OSError as error:
        if port is None:
            return _listening(0)
        raise LayerwiseError(
            "the Studio listens on a port that is free",
            received=f"{port}: {error.strerror}",
            remedy="leave --port out, or choose another",
        ) from None


def _listening(port: int) -> "socket.socket":
    import socket

    return socket.create_server(("127.0.0.1", port))


def _check_packages() -> None:
    """Say in words what an installation from before the Studio lacks."""
    from importlib.util import find_spec

    for package in ("fastapi", "uvicorn", "websockets"):
        if find_spec(package) is None:
            raise LayerwiseError(
                f"the Studio needs the package {package}, which is not installed",
                remedy="install it with the others: pip install fastapi uvicorn websockets",
            )


def _announce(access: "Access", browser: bool) -> None:
    """Print the address, and open it."""
    messages().print("The Studio is at the address below, for you alone; Ctrl-C ends it.", style="dim")
    console.write(access.address)
    sys.stdout.flush()
    if browser and _has_screen():
        import threading
        import webbrowser

        threading.Thread(
            target=webbrowser.open, args=(access.address,), name="layerwise-browser", daemon=True
        ).start()  # some wait for its end


def _has_screen() -> bool:
    """Whether there is a desktop; elsewhere a browser would be one of letters, in this very terminal."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
