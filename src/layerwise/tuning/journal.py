"""The file of a study's trials on one machine: Optuna's journal, written by one process at a time.

Optuna's own backend for a file takes a lock and waits for the disk at each of the ten records a trial
makes, 35 ms a trial in all: as long as training it. The study's folder is held by one process anyway,
so this one keeps the file open, and its records in memory. It survives the death of its process at any
instant; a power cut may take the last records with it, whose trials are then trained again.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerwise import files


class Journal:
    """Optuna's `BaseJournalBackend`, over the file at `path`. Raises `StorageError`.

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
