"""Writing files: whole or not at all, and refusals in words."""

import contextlib
import errno
import os
import resource
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from layerwise import files
from layerwise.errors import StorageError


def test_the_content_arrives_and_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    for content in (b"one", b"", b"\0\xff" * 100_000):
        files.write(path, content)
        assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_it_is_as_the_user_has_set(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        files.write(tmp_path / "note.txt", b"private")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == mode


def test_a_file_is_locked_once(tmp_path):
    first = files.hold(tmp_path / ".lock")
    assert files.hold(tmp_path / ".lock") is None
    first.close()
    files.hold(tmp_path / ".lock").close()
    with pytest.raises(StorageError):
        files.hold(tmp_path / "absent" / ".lock")


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", unknown)
    held = [files.hold(tmp_path / ".lock") for _ in range(2)]
    assert None not in held
    for file in held:
        file.close()


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failure_at_any_step_leaves_the_old_content(tmp_path, monkeypatch, step, number):
    path = tmp_path / "note.txt"
    files.write(path, b"old")

    def failing(*arguments, **options):
        raise OSError(number, os.strerror(number))

    if step == "write":
        opened = Path.open

        def broken(path, *arguments):
            return _Broken(opened(path, *arguments), failing)

        monkeypatch.setattr(Path, "open", broken)
    else:
        monkeypatch.setattr(os, step, failing)
    with pytest.raises(StorageError) as refused:
        files.write(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"], "nothing is left beside it"
    assert refused.value.received == os.strerror(number)
    assert refused.value.place == str(path)
    assert "--out" in refused.value.remedy
    assert ("free some space" in refused.value.remedy) == (number != errno.EIO)


class _Broken:
    """A file that cannot be written."""

    def __init__(self, file, failing):
        self._file, self.write = file, failing

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_the_old_content_and_passes_through(tmp_path, monkeypatch, kind):
    path = tmp_path / "note.txt"
    files.write(path, b"old")

    def interrupted(*arguments):
        raise kind

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(kind):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_a_file_too_large_for_the_system(tmp_path):
    """The kernel's own refusal, by a limit on the size of files."""
    path = tmp_path / "note.txt"
    files.write(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(StorageError) as refused:
            files.write(path, bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert refused.value.received == os.strerror(errno.EFBIG)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StorageError) as refused:
        files.write(tmp_path / "absent" / "note.txt", b"x")
    assert refused.value.received == os.strerror(errno.ENOENT)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    for call in (
        lambda: files.write(tmp_path / "file" / "note.txt", b"x"),
        lambda: files.make_folder(tmp_path / "file" / "run"),
        lambda: files.make_folder(tmp_path / "file"),
    ):
        with pytest.raises(StorageError):
            call()


def test_a_target_that_is_a_folder(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError):
        files.write(tmp_path / "taken", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(StorageError):
        files.write(tmp_path / ("x" * 300), b"x")


@contextlib.contextmanager
def unprivileged():
    """A superuser may write anywhere, so the check is made as nobody in particular."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all():
    """A folder that nobody in particular can get to, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_a_folder_that_is_read_only(open_to_all):
    folder = open_to_all / "locked"
    folder.mkdir()
    path = folder / "note.txt"
    path.write_bytes(b"old")
    folder.chmod(0o555)
    try:
        with unprivileged():
            for call in (
                lambda: files.write(path, b"new"),
                lambda: files.make_folder(folder),
                lambda: files.make_folder(folder / "run"),
            ):
                with pytest.raises(StorageError) as refused:
                    call()
                assert refused.value.received == os.strerror(errno.EACCES)
                assert "permissions" in refused.value.remedy
    finally:
        folder.chmod(0o755)
    assert path.read_bytes() == b"old"
    assert [p.name for p in folder.iterdir()] == ["note.txt"]


def test_make_folder_makes_parents_and_may_be_repeated(tmp_path):
    for _ in range(2):
        files.make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_sweep_removes_what_was_left_of_this_file_only(tmp_path):
    for name in (".a[1].txt.xyz", ".a1.txt.xyz", "a[1].txt", ".a[1].txt", ".b.txt.xyz"):
        (tmp_path / name).touch()
    files.sweep(tmp_path / "a[1].txt")
    assert {p.name for p in tmp_path.iterdir()} == {".a1.txt.xyz", "a[1].txt", ".a[1].txt", ".b.txt.xyz"}
    files.sweep(tmp_path / "absent" / "x")


def test_storing_lets_its_own_errors_pass(tmp_path):
    with pytest.raises(StorageError, match="inner"), files.storing(tmp_path):
        raise StorageError("inner")
    with pytest.raises(ValueError, match="other"), files.storing(tmp_path):
        raise ValueError("other")
