"""Published files: looked for in the user's own folder, then in the cache, then downloaded.

A download goes to a `.part` file beside its place, goes on where an earlier one stopped, accepts
no byte more than the published size, and takes its place only once its SHA-256 is the published
one. Processes that want the same file wait for each other.
"""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from layerwise.errors import DataError

VARIABLE = "LAYERWISE_DATA"  # names the user's own folder of data
TIMEOUT = 20.0  # seconds without an answer or a byte
TRIES = 3  # for each address; later ones go on where the one before stopped
CHUNK = 1 << 16

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all


class Remote(msgspec.Struct, frozen=True):
    """A published file: its name, its addresses (the first is tried first), its exact size in bytes
    and its SHA-256."""

    name: str
    urls: tuple[str, ...]
    size: int
    sha256: str


class _Trouble(Exception):
    """An address did not deliver; `final` where asking it again would be no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def cache_folder() -> Path:
    """Where downloads are kept: `layerwise` in XDG_CACHE_HOME, or in the platform's cache folder."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # the XDG specification: a relative path is to be ignored
        return Path(given) / "layerwise"
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "layerwise" / "Cache"
        return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "layerwise"
    except RuntimeError:
        raise DataError(
            "downloads need a cache folder",
            received="a user without a home folder",
            remedy="set XDG_CACHE_HOME to a folder that can be written",
        ) from None


def present(name: str, files: Sequence[Remote]) -> list[Path] | None:
    """Where the files of data set `name` stand on this machine, or None where one is missing."""
    paths = [_standing(name, file) for file in files]
    return [path for path in paths if path] if all(paths) else None


def obtain(name: str, files: Sequence[Remote], progress: Progress | None = None) -> list[Path]:
    """Paths of the files of data set `name`, downloading those that are not on this machine.

    Each is looked for in the folder `name` of LAYERWISE_DATA, then of the cache. Raises `DataError`
    where a file can neither be found nor fetched; what has arrived is kept for the next try.
    """
    folder = cache_folder() / name
    paths = []
    for file in files:
        try:
            paths.append(_standing(name, file) or _fetch(file, folder, progress))
        except _Trouble as trouble:
            listed = ", ".join(file.name for file in files)
            raise DataError(
                f"the files of {name} are on this machine or can be downloaded",
                received=str(trouble),
                remedy=f"try again (what has arrived is kept), or put {listed} "
                f"into a folder FOLDER{os.sep}{name} and set {VARIABLE}=FOLDER",
                place=file.name,
            ) from None
        except OSError as error:
            raise DataError(
                "the cache folder can be written",
                received=error.strerror or str(error),
                remedy="make room or mend its permissions, or set XDG_CACHE_HOME to another folder",
                place=str(folder),
            ) from None
    return paths


def _standing(name: str, file: Remote) -> Path | None:
    own = os.environ.get(VARIABLE)
    folders = [Path(own).expanduser()] if own else []
    for folder in (*folders, cache_folder()):
        path = folder / name / file.name
        if path.is_file():
            return path
    return None


def _fetch(file: Remote, folder: Path, progress: Progress | None) -> Path:
    target = folder / file.name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{file.name}.lock"):
        if not target.is_file():  # another process may have fetched it meanwhile
            part = folder / f"{file.name}.part"
            _download(file, part, progress or (lambda name, done, total: None))
            os.replace(part, target)
    return target


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; it ends with the process, however that dies."""
    with path.open("ab") as file:
        # A file system without locks does no harm: a file that two have written fails its checksum.
        with suppress(OSError):
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(file: Remote, path: Path, progress: Progress) -> None:
    troubles = []
    for url in file.urls:
        for _ in range(TRIES):
            try:
                with path.open("ab") as part:
                    resumed = part.tell() > 0
                    _complete(url, file, part, progress)
                _verify(file, path, resumed)
                return
            except _Trouble as trouble:
                troubles.append(f"{urllib.parse.urlsplit(url).netloc}: {trouble}")
                if trouble.final:
                    break
    raise _Trouble("; ".join(dict.fromkeys(troubles)))


def _complete(url: str, file: Remote, part: IO[bytes], progress: Progress) -> None:
    """Append to `part` what it lacks of the file's size."""
    if part.tell() > file.size:
        _empty(part)
    if part.tell() == file.size:
        return
    with _answer(url, part.tell()) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            _empty(part)  # the server sends the file from its start
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {part.tell()}-"):
            _empty(part)
            raise _Trouble("sent another range than was asked for")
        _refuse_other_size(response.headers.get("Content-Length"), file.size - part.tell())
        for chunk in _chunks(response, file.size - part.tell()):
            part.write(chunk)
            progress(file.name, part.tell(), file.size)
    if part.tell() < file.size:
        raise _Trouble(f"the connection ended after {part.tell()} of {file.size} bytes")


def _empty(part: IO[bytes]) -> None:
    part.seek(0)
    part.truncate()


def _answer(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "layerwise"} | ({"Range": f"bytes={start}-"} if start else {})
    with _network():
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
    return response


def _refuse_other_size(announced: str | None, expected: int) -> None:
    if announced is not None and announced != str(expected):
        raise _Trouble(f"announced {announced} bytes where {expected} were expected", final=True)


def _chunks(response: http.client.HTTPResponse, expected: int) -> Iterator[bytes]:
    while True:
        with _network():
            chunk = response.read1(min(CHUNK, expected + 1))
        if len(chunk) > expected:
            raise _Trouble("sent more bytes than the file has", final=True)
        if not chunk:
            return
        expected -= len(chunk)
        yield chunk


@contextmanager
def _network() -> Iterator[None]:
    """Any failure of the network as `_Trouble`, so that it is not taken for one of the disk."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        final = 400 <= error.code < 500 and error.code not in (408, 429)
        raise _Trouble(f"answered {error.code} {error.reason}", final=final) from None
    except urllib.error.URLError as error:
        raise _Trouble(f"cannot be reached ({error.reason})", final=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Trouble(f"the connection broke ({error or type(error).__name__})") from None


def _verify(file: Remote, path: Path, resumed: bool) -> None:
    if digest(path) != file.sha256:
        path.unlink()
        # A beginning left by an earlier try may be to blame, so another try is worth its while.
        raise _Trouble("the SHA-256 of what arrived is not the published one", final=not resumed)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
