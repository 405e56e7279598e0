"""Programs kept on disk: loaded without tracing, made again where the file is damaged, never a reason to fail."""

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.training import kept
from layerwise.training.kept import Kept

traced: list[int] = []


def squares(x: Any) -> Any:
    """Whose tracing is seen."""
    traced.append(1)
    return jax.lax.fori_loop(0, 3, lambda _, x: jnp.tanh(x) ** 2 + x, x)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs are kept in this test."""
    monkeypatch.setattr(kept, "_folder", lambda: tmp_path / "programs")
    monkeypatch.setattr(kept, "_made_of", lambda: str(tmp_path))  # unlike that of any test before
    traced.clear()
    return tmp_path / "programs"


X = np.linspace(-1, 1, 5, dtype=np.float32)


def test_the_next_one_traces_nothing_and_gives_the_same(folder: Path) -> None:
    first = Kept(squares, tiny=True)
    there = [np.asarray(first(X)) for _ in range(2)]
    assert len(traced) == 1 and len(list(folder.iterdir())) == 1
    again = np.asarray(Kept(squares, tiny=True)(X))
    assert len(traced) == 1
    assert all((again == each).all() for each in there)


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:-1], lambda content: content[:40] + b"?" + content[41:]],
    ids=["empty", "cut short", "altered"],
)
def test_a_damaged_file_is_made_again(damage: Any, folder: Path) -> None:
    Kept(squares, tiny=True)(X)
    [path] = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    expected = np.asarray(jax.jit(squares)(X))
    traced.clear()
    for _ in range(2):  # the second one finds it mended
        np.testing.assert_allclose(Kept(squares, tiny=True)(X), expected, rtol=1e-6)
    assert len(traced) == 1 and [path] == list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_what_others_may_write_is_not_read(folder: Path) -> None:
    Kept(squares, tiny=True)(X)
    [path] = folder.iterdir()
    path.chmod(0o666)
    Kept(squares, tiny=True)(X)
    assert len(traced) == 2


def test_what_is_edited_after_its_import_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_sources", lambda: "other than when it was imported")
    Kept(squares, tiny=True)(X)
    assert not folder.exists()


def test_what_cannot_be_serialized_is_run_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Any) -> None:
        raise ValueError("not here")

    monkeypatch.setattr("jax.experimental.serialize_executable.serialize", failing)
    assert Kept(squares, tiny=True)(X).shape == X.shape


def test_each_shape_and_each_source_has_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kept(squares, tiny=True)(X)
    Kept(squares, tiny=True)(X[:3])
    monkeypatch.setattr(kept, "_made_of", lambda: f"{folder} changed")
    Kept(squares, tiny=True)(X)
    assert len(traced) == 3 and len(list(folder.iterdir())) == 3


def test_what_nobody_has_used_for_long_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kept(squares, tiny=True)(X)
    monkeypatch.setattr(kept, "OLD", -1)
    monkeypatch.setattr(kept, "_made_of", lambda: f"{folder} changed")
    before = set(folder.iterdir())
    Kept(squares, tiny=True)(X)
    assert len(list(folder.iterdir())) == 1 and not before & set(folder.iterdir())


def test_nowhere_to_keep_it_is_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file where the folder should be")
    assert Kept(squares, tiny=True)(X).shape == X.shape
    monkeypatch.setattr(kept, "_folder", lambda: None)
    assert Kept(squares, tiny=True)(X).shape == X.shape


def test_other_shapes_than_those_of_the_first_call_are_refused(folder: Path) -> None:
    program = Kept(squares, tiny=True)
    program(X)
    with pytest.raises(TypeError):
        program(X[:3])


def test_it_depends_on_the_sources_and_on_the_machine() -> None:
    sources, versions, _, machine = kept._made_of()
    assert sources == kept._sources() and len(sources) == 64
    assert jax.__version__ in versions and machine[0]
