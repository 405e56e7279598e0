"""Tables that pages send: taken in with limits, kept under a name that follows from their content, looked at."""

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import msgspec

from layerwise import files
from layerwise.data.read import open_table
from layerwise.data.sketch import Look, look, sketch, toml_key
from layerwise.errors import DataError
from layerwise.progress import wording
from layerwise.recipe import load, to_toml
from layerwise.studio.desk.workspace import Workspace
from layerwise.studio.games.session import DEFAULT
from layerwise.training.padded import ROWS, UNITS

BYTES = 64 << 20  # of one table
TOTAL = 512 << 20  # of all of them
TABLE_ROWS = 2_000_000
COLUMNS = 1_000
SUFFIXES = (".csv", ".parquet", ".jsonl")
STALE = 3600.0  # seconds after which what was half sent is no longer waited for


class Upload(msgspec.Struct, frozen=True):
    """A table in the workspace: `path` is what recipes call it, `name` what its owner did."""

    path: str
    name: str
    bytes: int
    when: float
    look: Look


class Uploads:
    """The tables of a workspace. All but `take` may be called from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.folder = workspace.uploads

    async def take(self, content: AsyncIterator[bytes]) -> Path:
        """Write what a page sends beside the uploads, as it comes. Raises `DataError` where it is too much."""
        files.make_folder(self._workspace.within(self.folder))
        path = self.folder / f".incoming-{secrets.token_hex(8)}"
        size = 0
        try:
            with files.storing(path), path.open("xb") as file:
                async for chunk in content:
                    size += len(chunk)
                    if size > BYTES:
                        raise too_large(size)
                    await asyncio.to_thread(file.write, chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def keep(self, incoming: Path, name: str) -> Upload:
        """Look at what was taken and keep it. Raises `DataError` with what is wrong with it."""
        try:
            path = self.folder / f"{_digest(incoming)}{_suffix(incoming, name)}"
            if not path.exists():
                self._check_room(incoming.stat().st_size)
            seen = _looked(incoming, name)
            with files.storing(path):
                os.replace(incoming, path)
        except DataError as error:
            raise _renamed(error, incoming.name, name) from None
        finally:
            incoming.unlink(missing_ok=True)
        upload = Upload(f"uploads/{path.name}", _printable(name), path.stat().st_size, time.time(), seen)
        files.write(_about(path), msgspec.json.encode(upload))
        return upload

    def all(self) -> list[Upload]:
        """Every table, the newest first; what was half sent long ago is swept away."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in self._workspace.within(self.folder).iterdir():
            if path.is_symlink():
                continue
            if path.name.startswith(".incoming-") and time.time() - path.lstat().st_mtime > STALE:
                path.unlink(missing_ok=True)
            elif path.suffix in SUFFIXES and (known := _read(path)) is not None:
                found.append(known)
        return sorted(found, key=lambda upload: -upload.when)

    def find(self, name: str) -> Upload:
        """A table by the last part of its path. Raises `DataError` where there is none."""
        known = next((upload for upload in self.all() if upload.path == f"uploads/{name}"), None)
        if known is None:
            raise DataError("an upload is in the workspace", received=name[:80], remedy="upload the file again")
        return known

    def recipe(self, name: str, target: str, left_out: Collection[str] = ()) -> str:
        """The recipe that `layerwise init` would write for a table, called as pages call it, some columns left out."""
        upload = self.find(name)
        path = self._file(upload)
        try:
            text = sketch(path, target, upload.path)
        except DataError as error:
            raise _renamed(error, path.name, upload.name) from None
        return without(text.replace(path.name, upload.name, 1), left_out)

    def play(self, name: str, target: str, left_out: Collection[str] = ()) -> str:
        """The recipe that plays with a table, or with some of its rows; what it cannot take is left out."""
        upload = self.sample(name)
        columns = {seen.name: seen for seen in upload.look.columns}
        ignored = {seen.name for seen in columns.values() if not seen.taken} | set(left_out) & columns.keys()
        data = {
            "kind": "table",
            "path": upload.path,
            "target": target,
            "columns": {column: "ignore" for column in columns if column in ignored and column != target},
        }
        return to_toml(load({**DEFAULT, "data": data}))

    def sample(self, name: str) -> Upload:
        """As many rows of a table as can be played with, drawn at random, as a table of its own."""
        upload = self.find(name)
        if upload.look.rows <= ROWS:
            return upload
        import polars as pl

        table = open_table(self._file(upload))
        frame = pl.concat([batch.select(pl.all().cast(pl.String, strict=False)) for batch in table.batches()])
        few = frame.sample(ROWS, seed=0)
        incoming = self.folder / f".incoming-{secrets.token_hex(8)}"
        files.write(incoming, few.write_csv().encode())
        return self.keep(incoming, f"{ROWS:,} rows of {upload.name}")

    def remove(self, name: str) -> None:
        """Remove a table for good. Raises `DataError` where there is none."""
        path = self._file(self.find(name))
        with files.storing(path):
            path.unlink()
            _about(path).unlink(missing_ok=True)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _file(self, upload: Upload) -> Path:
        return self._workspace.within(self._workspace.root / upload.path)

    def _check_room(self, size: int) -> None:
        known = self.all()
        used = sum(upload.bytes for upload in known)
        if used + size <= TOTAL:
            return
        oldest = known[-1]
        day = time.strftime("%d %B %Y", time.localtime(oldest.when)).lstrip("0")
        raise DataError(
            f"the uploads of a workspace have up to {wording.size(TOTAL)} together",
            received=f"{wording.size(used)}, and {wording.size(size)} more",
            remedy=f"remove some; the oldest is {oldest.name} ({wording.size(oldest.bytes)}, of {day})",
        )


def owners_name(path: Path) -> str:
    """What the owner of an upload calls it; "" where that is not known."""
    known = _read(path)
    return known.name if known is not None else ""


def too_large(size: int) -> DataError:
    """What is said of a table that is too large to be sent."""
    return DataError(
        f"a table that a page sends has up to {wording.size(BYTES)}",
        received=f"{wording.size(size)} or more",
        remedy="train on it from the command line: layerwise init FILE --target COLUMN",
    )


def _looked(path: Path, name: str) -> Look:
    """What is in a table, unless it is too much to be shown."""
    table = open_table(path)
    columns = len(table.columns)
    if columns > COLUMNS:
        raise DataError(
            f"a table that a page sends has up to {COLUMNS:,} columns", received=f"{columns:,}",
            remedy="leave some out, or train on it from the command line: layerwise init FILE --target COLUMN",
        )  # fmt: skip
    rows = 0
    for batch in table.batches():
        rows += batch.height
        if rows > TABLE_ROWS:
            raise DataError(
                f"a table that a page sends has up to {TABLE_ROWS:,} rows", received="more",
                remedy="take some of them, or train on it from the command line: layerwise init FILE --target COLUMN",
            )  # fmt: skip
    if columns < 2:
        raise DataError(
            "a table has a column to predict, and one to predict it from",
            received=f"one column, {table.columns[0][:60]!r}",
            remedy="check what separates its fields: a comma, a semicolon, a tab or a pipe",
        )
    return look(path)


def _renamed(error: DataError, ours: str, theirs: str) -> DataError:
    """The same error, with the file's name as its owner knows it."""
    parts = (getattr(error, part).replace(ours, _printable(theirs)) for part in ("received", "remedy", "place"))
    received, remedy, place = parts
    remedy = remedy.replace("check the path", "choose another file")
    return DataError(error.rule, received=received, remedy=remedy, place=place)


def _read(path: Path) -> Upload | None:
    """What was written down of an upload."""
    about = _about(path)
    try:
        known = None if about.is_symlink() else msgspec.json.decode(about.read_bytes(), type=Upload)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return known if known is not None and known.path == f"uploads/{path.name}" else None


def without(recipe: str, names: Collection[str]) -> str:
    """A sketched recipe with some of its columns ignored, each in its line.

    >>> print(without('[data.columns]\\nage = "numeric"  # 1 to 9\\n"a b" = "boolean"  # 0 or 1', ["age", "x"]))
    [data.columns]
    age = "ignore"  # 1 to 9
    "a b" = "boolean"  # 0 or 1
    """
    head, heading, columns = recipe.partition("\n[data.columns]") if "\n[data.columns]" in recipe else ("", "", recipe)
    for name in names:
        key = toml_key(name)
        columns = re.sub(rf"(?m)^({re.escape(key)}) = .*?(  # |$)", r'\1 = "ignore"\2', columns, count=1)
    return head + heading + columns


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _suffix(path: Path, name: str) -> str:
    """By the content, as `open_table` judges, so that a name cannot mislead."""
    with path.open("rb") as file:
        first = file.read(4096)
    if first.startswith(b"PAR1"):
        return ".parquet"
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    return ".jsonl" if text.startswith(b"{") or name.endswith((".jsonl", ".ndjson")) else ".csv"


def _about(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _printable(name: str) -> str:
    """A file's name as it can be shown on one line."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char if char.isprintable() else "?" for char in last)[:120] or "table"


def payload(upload: Upload) -> dict[str, Any]:
    """An upload as pages get it, with its limits for playing."""
    known: dict[str, Any] = msgspec.to_builtins(upload)
    return {**known, "size": wording.size(upload.bytes), "played_rows": ROWS, "played_inputs": UNITS}
