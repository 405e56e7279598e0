"""The state on disk: every bit of every optimizer comes back, and nothing else is taken for it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from layerwise.errors import RunError, StorageError
from layerwise.nets.build import build
from layerwise.recipe import records as r
from layerwise.training import checkpoint
from layerwise.training.checkpoint import FORMAT, Mark
from layerwise.training.familiar import Known

MARK = Mark(1234, 56.78, Known("split", "sketch", {"train": (0.1, -2.5), "test": ()}))


def bits(tree):
    return [(np.asarray(leaf).dtype.name, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(tree)]


def test_training_goes_on_from_disk_as_if_nothing_had_been(bench, tmp_path):
    """For every optimizer and switch: some steps, through the disk, the rest; as in one go."""
    whole, _ = bench.finish()
    state = bench.start()
    for steps in (8, 3):
        state, _ = bench.advance(state, steps)
        checkpoint.write(tmp_path / "state", state, MARK)
        back, mark = checkpoint.read(tmp_path / "state", bench.start()), checkpoint.read_mark(tmp_path / "state")
        assert bits(back) == bits(state)
        assert jax.tree.structure(back) == jax.tree.structure(state)
        assert mark == MARK
        state = back
    state, _ = bench.finish(state=state)
    assert bits(state) == bits(whole)


def test_a_restored_state_compiles_nothing_new(bench_of, compilations, tmp_path):
    bench = bench_of("adam, l2")
    state, _ = bench.advance(bench.start(), 1)
    checkpoint.write(tmp_path / "state", state, MARK)
    back = checkpoint.read(tmp_path / "state", bench.start())
    bench.advance(state, 1)
    compiled = compilations()
    bench.advance(back, 1)
    assert compilations() == compiled


def test_what_is_not_finite_comes_back_too(bench_of, tmp_path):
    """The best value before the first epoch is infinite, and a diverging weight may be anything."""
    bench = bench_of("adam, l2")
    state = bench.start()._replace(loss=jnp.float32(jnp.nan), weight=jnp.float32(-0.0))
    checkpoint.write(tmp_path / "state", state, MARK)
    back = checkpoint.read(tmp_path / "state", bench.start())
    assert bits(back) == bits(state)
    assert np.isinf(float(back.best_value))


def test_the_same_state_gives_the_same_bytes(bench_of, tmp_path):
    state = bench_of("adam, l2").start()
    for name in ("one", "two"):
        checkpoint.write(tmp_path / name, state, MARK)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.fixture
def written(bench_of, tmp_path):
    bench = bench_of("adam, l2")
    checkpoint.write(tmp_path / "state", bench.start(), MARK)
    return tmp_path / "state", bench


def refused(path, like):
    with pytest.raises(RunError, match="whole and belongs to its recipe") as error:
        checkpoint.read_mark(path)
        checkpoint.read(path, like)
    assert error.value.received
    assert error.value.place == path.name
    return error.value.received


def test_a_file_cut_anywhere_is_refused(written):
    path, bench = written
    content = path.read_bytes()
    for length in {*range(0, len(content), 97), 7, 8, 9, len(content) - 1}:
        path.write_bytes(content[:length])
        refused(path, bench.start())


def test_a_file_that_is_something_else_is_refused(written):
    path, bench = written
    for content in (b"", b"hello", b"\0" * 100, b"\xff" * 100, b"[" * 5000):
        path.write_bytes(content)
        refused(path, bench.start())
    save_file({"w": np.zeros(3, np.float32)}, path)
    refused(path, bench.start())
    path.unlink()
    refused(path, bench.start())


def test_the_state_of_another_network_or_optimizer_is_refused(written, bench_of):
    path, _ = written
    other = bench_of("adam, l2")
    other.network = build(r.Mlp(hidden=(5,)), inputs=3, outputs=1, codes=(), seed=1)
    assert "(4, 3)" in refused(path, other.start()) or "(4,)" in refused(path, other.start())
    assert "missing or superfluous" in refused(path, bench_of("sgd, dropout").start())
    deeper = bench_of("adam, l2")
    deeper.network = build(r.Mlp(hidden=(4, 4)), inputs=3, outputs=1, codes=(), seed=1)
    assert "missing or superfluous" in refused(path, deeper.start())


def test_tensors_of_another_type_are_refused(written):
    path, bench = written
    tensors = load_file(path)
    tensors["step"] = tensors["step"].astype(np.int64)
    save_file(tensors, path, {"layerwise_state": json.dumps({"format": FORMAT, **MARK._asdict()})})
    assert "step is int64()" in refused(path, bench.start())


@pytest.mark.parametrize("number", [FORMAT + 1, FORMAT - 1, -1, 1.5, str(FORMAT), None, []])
def test_another_format_is_refused_whatever_else_it_holds(written, number):
    path, _ = written
    for tensors in (load_file(path), {"something": np.zeros(3, np.float32)}):
        save_file(tensors, path, {"layerwise_state": json.dumps({"format": number, **MARK._asdict()})})
        with pytest.raises(RunError, match=f"checkpoints of format {FORMAT}") as error:
            checkpoint.read_mark(path)
        assert error.value.received == f"format {number!r}"
        assert "the version that wrote it" in error.value.remedy and "layerwise train" in error.value.remedy
        assert error.value.place == path.name


def test_what_is_written_has_this_format(written):
    path, _ = written
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["layerwise_state"]
    assert json.loads(header)["format"] == FORMAT
    checkpoint.read_mark(path)


@pytest.mark.parametrize(
    "header",
    ["", "[]", "{}", '{"format": 2}', '{"format": 2, "log_bytes": 5}', '{"format": 2, "log_bytes": "x", "seconds": 1}',
     '{"log_bytes": 5, "seconds": 1}', "null"],
)  # fmt: skip
def test_a_damaged_mark_is_refused(written, header):
    path, bench = written
    save_file(load_file(path), path, {"layerwise_state": header})
    refused(path, bench.start())


def test_a_folder_that_is_not_there_is_told(bench_of, tmp_path):
    with pytest.raises(StorageError):
        checkpoint.write(tmp_path / "absent" / "state", bench_of("adam, l2").start(), MARK)
