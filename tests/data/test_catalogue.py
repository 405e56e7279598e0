"""The catalogue: equal to scikit-learn's own loaders, and MNIST to what is known of it."""

import gzip
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from layerwise.data import catalogue
from layerwise.data.catalogue import entries, fetch
from layerwise.errors import DataError

EMBEDDED = ["breast-cancer", "diabetes", "digits", "iris", "wine"]

needs_data = pytest.mark.skipif(not os.environ.get("LAYERWISE_DATA"), reason="LAYERWISE_DATA is not set")


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_equal_scikit_learns(name):
    from sklearn import datasets

    load = getattr(datasets, f"load_{name.replace('-', '_')}")
    expected = load(scaled=False) if name == "diabetes" else load()
    found = fetch(name)
    entry = found.entry
    assert np.array_equal(found.x, expected.data.astype(np.float32))
    assert np.array_equal(found.y, expected.target)
    assert found.x.flags.c_contiguous
    assert entry.features == tuple(map(str, expected.feature_names))
    if entry.classes:
        assert entry.classes == tuple(map(str, expected.target_names))
        assert found.y.dtype == np.int32
    else:
        assert found.y.dtype == np.float32
    assert found.official_test is None


@pytest.mark.parametrize("name", EMBEDDED)
def test_entries_say_what_is_fetched(name):
    found = fetch(name)
    entry = found.entry
    assert found.x.shape == (entry.rows, int(np.prod(entry.shape))) == (entry.rows, len(entry.features))
    if entry.classes:
        assert sorted(set(found.y.tolist())) == list(range(len(entry.classes)))
    if entry.scaling != "standard":
        assert found.x.max() == entry.scaling


def test_the_list_is_complete_and_says_where_each_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LAYERWISE_DATA", raising=False)
    listed = {entry.name: (entry, where) for entry, where in entries()}
    assert sorted(listed) == list(listed) == sorted([*EMBEDDED, "mnist", "fashion-mnist"])
    for name, (entry, where) in listed.items():
        assert where == ("embedded" if name in EMBEDDED else "to download")
        assert (entry.bytes > 0) == (where == "to download")
        assert entry.kind == ("quantity" if name == "diabetes" else "classes")
        for text in (entry.description, entry.license, entry.source, entry.home):
            assert text
    folder = tmp_path / "layerwise" / "mnist"
    folder.mkdir(parents=True)
    for file in catalogue._IDX_NAMES:
        (folder / file).write_bytes(b"")
    assert {entry.name: where for entry, where in entries()}["mnist"] == "here"


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(DataError, match="stands in the catalogue") as error:
        fetch("mnits")
    assert error.value.remedy == "did you mean 'mnist'?"
    with pytest.raises(DataError) as error:
        fetch("zzz")
    assert error.value.remedy.startswith("one of: breast-cancer, diabetes,")


def test_reading_an_embedded_set_does_not_import_scikit_learn():
    code = "import sys; from layerwise.data.catalogue import fetch; fetch('digits'); print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_scikit_learn_that_moved_its_files_is_no_traceback(monkeypatch):
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="carries this data set"):
        fetch("iris")


@needs_data
def test_mnist_is_what_was_published():
    mnist = fetch("mnist")
    assert mnist.x.shape == (70_000, 784)
    assert mnist.x.dtype == np.uint8
    assert mnist.y.dtype == np.int32
    assert mnist.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(mnist.y[:60_000]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.official_test.tolist() == list(range(60_000, 70_000))
    assert round(float(mnist.x[:60_000].mean()), 3) == 33.318
    assert round(float(mnist.x[60_000:].mean()), 3) == 33.791


def write_idx(path, values):
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), 1))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_file_of_another_origin_is_refused(monkeypatch, tmp_path, name):
    """Images of one's own under the name of MNIST would give a score that is none of MNIST's."""
    (tmp_path / name).mkdir()
    for file in catalogue._IDX_NAMES:
        write_idx(tmp_path / name / file, np.zeros((3, 28, 28) if "images" in file else (3,), np.uint8))
    monkeypatch.setenv("LAYERWISE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="is the published one") as error:
        fetch(name)
    assert error.value.place.endswith("train-images-idx3-ubyte.gz")


def test_parts_are_joined_in_order(monkeypatch, tmp_path):
    generator = np.random.default_rng(0)
    files = []
    (tmp_path / "mnist").mkdir()
    for file in catalogue._IDX_NAMES:
        rows = 5 if "train" in file else 2
        values = generator.integers(0, 256 if "images" in file else 10, (rows, 28, 28) if "images" in file else rows)
        files.append(values.astype(np.uint8))
        write_idx(tmp_path / "mnist" / file, files[-1])
    published = tuple(catalogue.Published(0, "", catalogue._content(values)) for values in files)
    entry, load = catalogue._CATALOGUE["mnist"]
    monkeypatch.setitem(catalogue._FILES, "mnist", published)
    monkeypatch.setenv("LAYERWISE_DATA", str(tmp_path))
    found = load(catalogue.msgspec.structs.replace(entry, rows=7), None)
    assert np.array_equal(found.x, np.concatenate([files[0], files[2]]).reshape(7, 784))
    assert found.y.tolist() == [*files[1], *files[3]]
    assert found.official_test.tolist() == [5, 6]
