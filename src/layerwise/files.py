"""Writing files so that a reader, or the next start after a crash, never meets half of one."""

import contextlib
import errno
import glob
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from layerwise.errors import StorageError


def write(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and rename it into place. Raises `StorageError`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "note.txt", b"hello")
    ...     (Path(folder) / "note.txt").read_text()
    'hello'
    """
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with storing(path):
        try:
            with name.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def sweep(path: Path) -> None:
    """Remove what was left beside `path` where a process was killed while it wrote it."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with contextlib.suppress(OSError):
            stale.unlink()


def make_folder(path: Path) -> None:
    """Create a folder and its parents, and see that it can be written to. Raises `StorageError`."""
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass


def lock(file: IO[bytes]) -> bool:
    """Lock an open file against other processes until it is closed or this process dies; False if one has it.

    On a file system that knows no locks, nobody is kept out.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def hold(path: Path) -> IO[bytes] | None:
    """Lock the file at `path`, made where there is none; None if a process has it. Raises `StorageError`.

    A file for nothing else: where locks are mandatory, a locked one cannot be read.
    """
    with storing(path):
        file = path.open("ab")
    if lock(file):
        return file
    file.close()
    return None


def held(path: Path) -> bool:
    """Whether a process has the lock of `hold` at `path`. Raises `StorageError`."""
    if not path.is_file():
        return False
    if file := hold(path):
        file.close()
    return file is None


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals within the block into `StorageError`s about `path`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        remedies = {
            errno.ENOSPC: "free some space, or write elsewhere with --out",
            errno.EDQUOT: "free some space, or write elsewhere with --out",
            errno.EROFS: "write elsewhere with --out",
            errno.EACCES: "write elsewhere with --out, or change the folder's permissions",
            errno.EPERM: "write elsewhere with --out, or change the folder's permissions",
            errno.ENOTDIR: "a part of the path is a file; choose another folder",
        }
        raise StorageError(
            "the file cannot be written",
            received=error.strerror or str(error),
            remedy=remedies.get(error.errno or 0, "write elsewhere with --out"),
            place=str(path),
        ) from None
