"""Where Optuna keeps the trials: a journal in the study's folder, or a database that processes share."""

import json
import re
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from layerwise import files
from layerwise.errors import FailedError, MissingExtraError, RunError

RECONNECT = 30  # seconds in which a database may come back
_FIRST_TOUCHES = 5  # processes that begin together may make the tables at the same time

P = ParamSpec("P")
T = TypeVar("T")


def opened(storage: Path | str) -> Any:
    """Optuna's storage for the path of a journal or the URL of a database.

    Raises `StorageError`, `RunError` where the database cannot be reached, `MissingExtraError` where its
    driver is not installed.
    """
    import optuna

    if isinstance(storage, Path):
        journal: Any = Journal(storage)  # has what Optuna calls, without its base class: importing it takes long
        return optuna.storages.JournalStorage(journal)
    problem = ""
    for _ in range(_FIRST_TOUCHES):
        try:
            database = optuna.storages.RDBStorage(storage, engine_kwargs={"pool_pre_ping": True})
            if database.engine.dialect.name == "sqlite":
                _lock_at_beginning(database.engine)
            return database
        except ImportError as error:
            missing = (error.__cause__ or error).__dict__.get("name") or getattr(error.__cause__, "name", "")
            if missing == "psycopg" or (missing == "" and "psycopg" in storage):
                raise MissingExtraError("psycopg", extra="cluster") from None
            problem = f"{error.__cause__ or error}"
            break
        except Exception as error:  # SQLAlchemy's, the driver's: there are many
            problem = str(error.__cause__ or error)
            if not _made_twice(error):
                break
            time.sleep(0.5)
    raise RunError(
        "the storage is a database that can be reached",
        received=f"{without_password(storage)}: {_first_line(problem, storage)}",
        remedy='e.g. --storage postgresql+psycopg://user@host/base, with pip install "layerwise[cluster]"',
    )


def _lock_at_beginning(engine: Any) -> None:
    """Let SQLite lock when a transaction begins: not at its first change, when what was read may be outdated."""
    from sqlalchemy import event

    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # leaves it to the next function

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections that were made without
    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def reaching(method: Callable[P, T]) -> Callable[P, T]:
    """Repeat what a database that is away for a moment did not answer. Raises `RunError` where it stays away."""

    @wraps(method)
    def reached(*arguments: P.args, **named: P.kwargs) -> T:
        until = time.monotonic() + RECONNECT
        while True:
            try:
                return method(*arguments, **named)
            except Exception as error:
                cause = _of_a_database(error)
                if cause is None:
                    raise
                if not _away(cause) or time.monotonic() > until:
                    raise FailedError(
                        "the database of the trials answers",
                        received=_first_line(str(cause)),
                        remedy="see to it, then go on with: layerwise tune --resume FOLDER",
                    ) from None
            time.sleep(0.5)

    return reached


def without_password(url: str) -> str:
    """A database's URL as it may be written down and shown.

    >>> without_password("postgresql+psycopg://me:secret@host/base?password=secret&port=1")
    'postgresql+psycopg://me@host/base?port=1'
    """
    place = re.sub(r"(://[^:/@]*):([^?]*@|[^@/]*@)", r"\1@", url, count=1)
    return re.sub(r"(?i)(?<=[?&])(\w*password|passwd|pwd)=[^&]*(&|$)", "", place).rstrip("?&")


def _first_line(problem: str, url: str = "") -> str:
    """What went wrong, without the URL in it."""
    lines = [line for line in problem.replace(url or "\0", without_password(url)).splitlines() if line.strip()]
    return lines[0] if lines else "no answer"


def _of_a_database(error: BaseException) -> Exception | None:
    """SQLAlchemy's own error, which Optuna may have wrapped; None for any other."""
    from sqlalchemy.exc import SQLAlchemyError

    for found in (error, error.__cause__):
        if isinstance(found, SQLAlchemyError):
            return found
    return None


def _away(error: Exception) -> bool:
    from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

    return isinstance(error, OperationalError | InterfaceError | InternalError)


def _made_twice(error: BaseException) -> bool:
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    cause = _of_a_database(error)
    return isinstance(cause, IntegrityError | ProgrammingError) or (
        isinstance(cause, OperationalError) and "already exists" in str(cause)
    )


# ── the journal of one machine ────────────────────────────────────────────────────────────────────


class Journal:
    """The file of a study's trials on one machine: Optuna's `BaseJournalBackend` over `path`, written by one process
    at a time. Raises `StorageError`.

    Optuna's own backend for a file takes a lock and waits for the disk at each of the ten records a trial
    makes, 35 ms a trial in all: as long as training it. The study's folder is held by one process anyway,
    so this one keeps the file open, and its records in memory. It survives the death of its process at any
    instant; a power cut may take the last records with it, whose trials are then trained again.

    >>> import contextlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "trials.journal"
    ...     with contextlib.closing(Journal(path)) as journal:
    ...         journal.append_logs([{"op_code": 0}])
    ...     with contextlib.closing(Journal(path)) as journal:
    ...         journal.read_logs(0)
    [{'op_code': 0}]
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: list[dict[str, Any]] = []
        with files.storing(path):
            path.touch()
            self._file = path.open("r+b", buffering=0)
            self._size = self._read(self._file.read())
            self._cut()  # what a crash left half written was never acted upon

    def _read(self, content: bytes) -> int:
        """Take in the records; how many bytes of whole ones there are."""
        whole = 0
        for line in content.splitlines(keepends=True):
            try:
                record = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(record, dict):
                break
            self._records.append(record)
            whole += len(line)
        return whole

    def _cut(self) -> None:
        self._file.truncate(self._size)
        self._file.seek(self._size)

    def read_logs(self, log_number_from: int) -> Sequence[dict[str, Any]]:
        """The records from number `log_number_from` on."""
        return self._records[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write further records, all of them or none."""
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        content = "".join(line + "\n" for line in lines).encode()
        with files.storing(self._path):
            try:
                self._write(content)
            except BaseException:
                self._cut()
                raise
        self._size += len(content)
        # As they would be read, so that nothing depends on whether the process was restarted.
        self._records += [json.loads(line) for line in lines]

    def _write(self, content: bytes) -> None:
        done = 0
        while done < len(content):
            done += self._file.write(content[done:])

    def close(self) -> None:
        """Close the file; what was read stays readable."""
        self._file.close()
