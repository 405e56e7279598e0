"""What pages ask for over HTTP, as JSON under /api: uploads, jobs, runs, reports, predictions in a form.

It stands behind the same guard as the page. Every body is bounded while it is read, every name checked
before it becomes a path, and whatever is wrong is answered in the four parts of an error.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response

from layerwise.errors import DataError, LayerwiseError, RecipeError, RunError, StorageError
from layerwise.recipe import Recipe, plain, to_toml
from layerwise.recipe.reading import builtin
from layerwise.studio import allowed, security
from layerwise.studio.desk import charts, forms, results, shelf, uploads
from layerwise.studio.desk.jobs import Jobs
from layerwise.studio.desk.shelf import PAGE, SORTS, Shelf
from layerwise.studio.desk.workspace import Workspace
from layerwise.studio.player import read
from layerwise.studio.school import lessons

BODY = 256 << 10  # bytes of a body but for tables
SENDING = 600.0  # seconds in which a table has to arrive
SENDERS = 2  # tables that arrive at once

Found = TypeVar("Found")
Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)


class Refused(Exception):
    """An answer that is no success: an error in its parts, and a status for programs."""

    def __init__(self, status: int, error: LayerwiseError) -> None:
        super().__init__(status, error)
        self.status, self.error = status, error


class Api:
    """The answers of one workspace."""

    def __init__(self, workspace: Workspace, jobs: Jobs, launched: Recipe) -> None:
        self.workspace, self.jobs, self._launched = workspace, jobs, launched
        self._shelf = Shelf(workspace.runs)
        self._uploads = uploads.Uploads(workspace)
        self._models = forms.Models(workspace)
        self._quick = ThreadPoolExecutor(2, "layerwise-api")
        self._slow = ThreadPoolExecutor(1, "layerwise-looks")  # what loads data and computes
        self._senders = asyncio.Semaphore(SENDERS)
        self._warmed = False

    def close(self) -> None:
        """Let what is waited for no longer be waited for."""
        for threads in (self._quick, self._slow):
            threads.shutdown(wait=False, cancel_futures=True)

    def add_to(self, app: FastAPI) -> None:
        """Give an application these routes."""
        routes: dict[tuple[str, str], Handler] = {
            ("GET", "/api/runs"): self._list,
            ("GET", "/api/runs/{name}"): self._run,
            ("DELETE", "/api/runs/{name}"): self._delete,
            ("GET", "/api/compare"): self._compare,
            ("GET", "/api/runs/{name}/diagnosis"): self._diagnosis,
            ("POST", "/api/runs/{name}/report"): self._report,
            ("GET", "/api/runs/{name}/form"): self._form,
            ("POST", "/api/runs/{name}/predict"): self._predict,
            ("POST", "/api/runs/{name}/predictions"): self._predictions,
            ("GET", "/api/trash"): self._trash,
            ("DELETE", "/api/trash"): self._empty,
            ("POST", "/api/trash/{ticket}"): self._restore,
            ("GET", "/api/uploads"): self._list_uploads,
            ("POST", "/api/uploads"): self._upload,
            ("DELETE", "/api/uploads/{name}"): self._remove_upload,
            ("POST", "/api/uploads/{name}/recipe"): self._recipe,
            ("POST", "/api/uploads/{name}/play"): self._play,
            ("GET", "/api/recipes"): self._recipes,
            ("POST", "/api/recipes"): self._serious,
            ("GET", "/api/jobs"): self._list_jobs,
            ("POST", "/api/jobs"): self._start,
            ("POST", "/api/jobs/{name}"): self._resume,
            ("DELETE", "/api/jobs/{name}"): self._stop,
            ("GET", "/api/lessons"): self._lessons,
            ("GET", "/reports/{name}"): self._show_report,
            ("GET", charts.address()): self._plotly,
        }
        for (method, path), handler in routes.items():
            app.add_api_route(path, _answered(handler), methods=[method])

    async def _lessons(self, request: Request) -> Response:
        return _json(await self._aside(lambda: lessons.page(self.workspace.lessons)))

    # ── runs ────────────────────────────────────────────────────────────────────────────────────

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        sort = query.get("sort", "when")
        if sort not in SORTS:
            raise RunError(f"runs are sorted by {', '.join(SORTS)}", received=sort[:80])
        page = await self._aside(
            lambda: self._shelf.page(
                words=query.get("find", "")[:200],
                sort=sort,
                reverse=query.get("reverse") == "1",
                offset=_number(query.get("offset", "0")),
                limit=_number(query.get("limit", str(PAGE))),
            )
        )
        if not self._warmed:  # so that the first search need not read thousands of folders
            self._warmed = True
            threading.Thread(target=self._shelf.warm, name="layerwise-shelf", daemon=True).start()
        return _json(page._asdict() | {"trash": len(await self._aside(self.workspace.trashed))})

    async def _run(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = await self._aside(lambda: results.details(self.workspace, name) | {"at_work": self.jobs.at_work(name)})
        return _json(found)

    async def _compare(self, request: Request) -> Response:
        names = request.query_params.getlist("name")
        return _json(await self._aside(lambda: results.compared(self.workspace, names)))

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]

        def discard() -> str:
            if self.jobs.at_work(name):
                received = f"{name}, which trains"
                raise RunError("a run is deleted once it is over", received=received, remedy="stop it first")
            ticket = self.workspace.discard(name)
            self.jobs.dismiss(name)
            return ticket

        return _json({"ticket": await self._aside(discard)})

    async def _diagnosis(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _json(await self._aside(lambda: results.diagnosis(self.workspace, name), slow=True))

    async def _report(self, request: Request) -> Response:
        name = request.path_params["name"]
        await self._aside(lambda: results.report(self.workspace, name), slow=True)
        return _json({})

    async def _show_report(self, request: Request) -> Response:
        """The report's file, under the policy for reports."""

        def content() -> bytes:
            path = self.workspace.within(self.workspace.run(request.path_params["name"]) / "report.html")
            if not path.is_file():
                raise RunError("a report is written before it is shown", received="none", remedy="ask for it once more")
            return path.read_bytes()

        return Response(await self._aside(content), media_type=security.FORMS[".html"])

    async def _plotly(self, request: Request) -> Response:
        """What draws figures, from its own package."""
        content = await self._aside(charts.script().read_bytes)
        return Response(content, media_type=security.FORMS[".js"], headers={"cache-control": charts.KEPT})

    async def _trash(self, request: Request) -> Response:
        return _json({"count": len(await self._aside(self.workspace.trashed))})

    async def _restore(self, request: Request) -> Response:
        ticket = request.path_params["ticket"]
        return _json({"name": await self._aside(lambda: self.workspace.restore(ticket))})

    async def _empty(self, request: Request) -> Response:
        return _json({"removed": await self._aside(self.workspace.empty_trash)})

    # ── predicting ──────────────────────────────────────────────────────────────────────────────

    async def _form(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _json(await self._aside(lambda: forms.form(self._models.of(name)), slow=True))

    async def _predict(self, request: Request) -> Response:
        row = await _body(request, dict[str, str])
        name = request.path_params["name"]
        return _json(await self._aside(lambda: forms.answer(self._models.of(name), row), slow=True))

    async def _predictions(self, request: Request) -> Response:
        """Predictions for a table that is sent, as CSV in an answer of JSON; the table is not kept."""
        name = request.path_params["name"]
        incoming = await self._taken(request)
        try:
            content, said = await self._aside(lambda: forms.table_of(self._models.of(name), incoming), slow=True)
        finally:
            incoming.unlink(missing_ok=True)
        return _json({"csv": content.decode(), "notes": said})

    # ── uploads and recipes ─────────────────────────────────────────────────────────────────────

    async def _upload(self, request: Request) -> Response:
        name = request.query_params.get("name", "table")[:1000]
        incoming = await self._taken(request)
        return _json(uploads.payload(await self._aside(lambda: self._uploads.keep(incoming, name), slow=True)))

    async def _taken(self, request: Request) -> Path:
        """The table that is sent, in a file; refused at once where it says that it is too large."""
        size = request.headers.get("content-length", "")
        if size.isdecimal() and int(size) > uploads.BYTES:
            raise Refused(413, uploads.too_large(int(size)))
        if self._senders.locked():
            raise Refused(503, DataError(f"{SENDERS} tables arrive at once", remedy="try again in a moment"))
        try:
            async with self._senders, asyncio.timeout(SENDING):
                return await self._uploads.take(request.stream())
        except TimeoutError:
            raise Refused(408, DataError("a table arrives within ten minutes", remedy="send it again")) from None

    async def _list_uploads(self, request: Request) -> Response:
        return _json([uploads.payload(each) for each in await self._aside(self._uploads.all)])

    async def _remove_upload(self, request: Request) -> Response:
        name = request.path_params["name"]
        await self._aside(lambda: self._uploads.remove(name))
        return _json({})

    async def _recipe(self, request: Request) -> Response:
        name, asked = request.path_params["name"], await _body(request, _Aim)
        toml = await self._aside(lambda: self._uploads.recipe(name, asked.target, asked.left_out), slow=True)
        return _json({"toml": toml})

    async def _play(self, request: Request) -> Response:
        name, asked = request.path_params["name"], await _body(request, _Aim)
        toml = await self._aside(lambda: self._uploads.play(name, asked.target, asked.left_out), slow=True)
        return _json({"toml": toml})

    async def _recipes(self, request: Request) -> Response:
        return _json([{"name": name, "toml": toml} for name, toml in builtin().items()])

    async def _serious(self, request: Request) -> Response:
        """A recipe of the playground as it would be trained for real."""
        asked = await _body(request, _Toml)
        recipe, said = results.serious(read(asked.toml))
        file = shelf.called(self.workspace, recipe)
        data: dict[str, Any] = plain(recipe)["data"]
        return _json(
            {"toml": to_toml(recipe), "notes": said, "name": Path(file).stem or data.get("name", data["kind"])}
        )

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────

    async def _list_jobs(self, request: Request) -> Response:
        return _json(await self._aside(self.jobs.all))

    async def _start(self, request: Request) -> Response:
        asked = await _body(request, _Start)

        def begin() -> str:
            recipe = read(asked.toml)
            known = [self._launched]
            if asked.again:  # the files that a run of the workspace learnt from may be learnt from again
                known.append(results.own_recipe(self.workspace, asked.again))
            allowed.check_training(recipe, *known)
            return self.jobs.start(recipe, asked.name).name

        return _json({"name": await self._aside(begin)})

    async def _resume(self, request: Request) -> Response:
        """Go on with a job that ended with its server; its data are checked as those of a new one."""
        name = request.path_params["name"]

        def go_on() -> None:
            allowed.check_training(self.workspace.relative(self.jobs.recipe(name)), self._launched)
            self.jobs.resume(name)

        await self._aside(go_on)
        return _json({})

    async def _stop(self, request: Request) -> Response:
        """Stop a job; one that is over is forgotten, its run stays."""
        name = request.path_params["name"]
        await self._aside(lambda: self.jobs.stop(name) if self.jobs.at_work(name) else self.jobs.dismiss(name))
        return _json({})

    async def _aside(self, work: Callable[[], Found], slow: bool = False) -> Found:
        """The result of work on a thread of its own, so that all else goes on."""
        threads = self._slow if slow else self._quick
        return await asyncio.get_running_loop().run_in_executor(threads, work)


class _Toml(msgspec.Struct, forbid_unknown_fields=True):
    toml: str


class _Aim(msgspec.Struct, forbid_unknown_fields=True):
    """What of a table is predicted, and what of it is no input."""

    target: str
    left_out: list[str] = []


class _Start(msgspec.Struct, forbid_unknown_fields=True):
    """`again` names the run whose recipe this is, if it is one's."""

    toml: str
    name: str
    again: str = ""


# ── reading and answering ───────────────────────────────────────────────────────────────────────


async def _body(request: Request, kind: type[Found]) -> Found:
    """The JSON of a request, checked against its type. Raises `Refused`."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY:
            raise Refused(413, RecipeError(f"a request has up to {BODY:,} bytes", received="more"))
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, RecipeError("a request is JSON of its kind", received=str(error)[:200])) from None


def _answered(handler: Handler) -> Handler:
    """The handler with whatever it raises answered in words."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return _refusal(refused.status, refused.error)
        except StorageError as error:
            remedy = "make room, or start with another workspace: layerwise play --workspace DIR"
            received, place = error.received, error.place.rpartition("/")[2]
            return _refusal(507, StorageError(error.rule, received=received, remedy=remedy, place=place))
        except LayerwiseError as error:
            return _refusal(400, error)
        except Exception as error:
            log.exception("a fault in the Studio")
            received = f"{type(error).__name__}: {error}".partition("\n")[0]
            return _refusal(500, LayerwiseError("this is a fault in layerwise", received=received))

    return answered


def _refusal(status: int, error: LayerwiseError) -> Response:
    parts = {name: getattr(error, name) for name in ("rule", "received", "remedy", "place")}
    answer = _json({"error": parts}, status)
    answer.headers["connection"] = "close"  # else a body without end would be read on, if only to be thrown away
    return answer


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
