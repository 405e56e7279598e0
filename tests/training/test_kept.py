"""Programs kept on disk: loaded without tracing, made again where the file is damaged, never a reason to fail."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.training import kept
from layerwise.training.kept import Kept

traced: list[int] = []


def squares(x: Any) -> Any:
    """Whose tracing is seen."""
    traced.append(1)
    return jax.lax.fori_loop(0, 3, lambda _, x: jnp.tanh(x) ** 2 + x, x)


def halved(network: Any) -> Any:
    """A network for a network."""
    traced.append(1)
    return jax.tree.map(lambda leaf: leaf / 2, network)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs are kept in this test."""
    monkeypatch.setattr(kept, "_folder", lambda: tmp_path / "programs")
    monkeypatch.setattr(kept, "_made_of", lambda: str(tmp_path))  # unlike that of any test before
    traced.clear()
    return tmp_path / "programs"


@dataclass(frozen=True)
class Choice:
    """A static argument, as programs have them."""

    kinds: frozenset[str]


few, more = frozenset({"one", "two"}), frozenset({"one", "two", "three"})


def powers(choice: Choice, x: Any) -> Any:
    """Another function for each choice."""
    return x + len(choice.kinds)


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
    assert len(traced) == 2 and path.stat().st_mode & 0o777 == 0o600
    folder.chmod(0o777)
    Kept(squares, tiny=True)(X)
    assert len(traced) == 3 and folder.stat().st_mode & 0o777 == 0o700
    Kept(squares, tiny=True)(X)
    assert len(traced) == 3


def test_what_is_edited_after_its_import_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_sources", lambda: "other than when it was imported")
    Kept(squares, tiny=True)(X)
    assert not folder.exists()


def test_networks_come_back_too(folder: Path) -> None:
    network = build(r.Mlp(hidden=(3,)), inputs=2, outputs=1, codes=(), seed=0)
    made, read = (Kept(halved, tiny=True, donated=0)(jax.tree.map(jnp.copy, network)) for _ in range(2))
    assert len(traced) == 1 and jax.tree.structure(read) == jax.tree.structure(network)
    for one, other, given in zip(*map(jax.tree.leaves, (made, read, network)), strict=True):
        assert (one == other).all() and (one == given / 2).all()


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
    before = set(folder.iterdir())
    Kept(squares, tiny=True)(X[:3])
    assert len(list(folder.iterdir())) == 1 and not before & set(folder.iterdir())


def test_what_is_read_counts_as_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kept(squares, tiny=True)(X)
    [path] = folder.iterdir()
    os.utime(path, (0, 0))
    Kept(squares, tiny=True)(X)
    Kept(squares, tiny=True)(X[:3])
    assert len(list(folder.iterdir())) == 2


def test_nowhere_to_keep_it_is_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file where the folder should be")
    assert Kept(squares, tiny=True)(X).shape == X.shape
    monkeypatch.setattr(kept, "_folder", lambda: None)
    assert Kept(squares, tiny=True)(X).shape == X.shape


def test_a_program_for_each_shape_and_each_static_argument(folder: Path) -> None:
    program = Kept(powers, tiny=True, static=1)
    assert [float(program(Choice(kinds), X)[-1]) for kinds in (few, more, few)] == [3, 4, 3]
    assert program(Choice(few), X[:3]).shape == (3,)
    assert len(program) == 3


NAMES = """
from layerwise.training.kept import _told
from test_kept import Choice, more
print(_told((Choice(more), 3)))
"""


def test_static_arguments_are_named_alike_in_every_process() -> None:
    """Sets of words come in another order in each."""
    told = {
        subprocess.run(
            [sys.executable, "-c", NAMES], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=Path(__file__).parent,
            check=True,
            capture_output=True, text=True,
        ).stdout
        for seed in "123"
    }  # fmt: skip
    assert len(told) == 1 and all(word in next(iter(told)) for word in more)


def test_what_is_told_apart_by_its_address_alone_is_not_kept(folder: Path) -> None:
    assert Kept(lambda _, x: x + 1, tiny=True, static=1)(object(), X).shape == X.shape
    assert not folder.exists()


def test_so_many_are_at_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "AT_HAND", 2)
    program = Kept(squares, tiny=True)
    for size in (1, 2, 3, 1):
        assert program(X[:size]).shape == (size,)
    assert len(program) == 2 and len(traced) == 3


def test_threads_that_need_one_program_make_one(folder: Path) -> None:
    program = Kept(squares, tiny=True)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda size: program(X[:size]).shape[0], [5, 4] * 6))
    assert found == [5, 4] * 6 and len(traced) == 2


def test_it_depends_on_the_sources_and_on_the_machine() -> None:
    sources, versions, _, machine = kept._made_of()
    assert sources == kept._sources() and len(sources) == 64
    assert jax.__version__ in versions and machine[0]


SEVERAL = """
import sys
import jax, numpy as np
sys.path.insert(0, sys.argv[1])
import test_kept
assert jax.local_device_count() == 3
found = test_kept.Kept(test_kept.squares, tiny=True)(test_kept.X)
print(len(found.devices()), len(test_kept.traced), np.asarray(found).tobytes().hex())
"""


def test_with_several_devices_a_program_runs_on_one(tmp_path: Path) -> None:
    """Also one that is loaded: it would be for all of them, and want a part of its arguments for each."""
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
    }
    words = [sys.executable, "-W", "ignore", "-c", SEVERAL, os.path.dirname(__file__)]
    made, loaded = (
        subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=True).stdout.split()
        for _ in range(2)
    )
    assert (made[:2], loaded[:2]) == (["1", "1"], ["1", "0"]) and made[2] == loaded[2]
