"""The data sets that layerwise knows by name.

Those that scikit-learn carries are read from the files in its package: importing its loaders takes
longer than reading and training. The others are fetched from their homes (`layerwise.data.download`).
"""

import gzip
import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32, Int32, UInt8

from layerwise.data import idx
from layerwise.data.dataset import Rows
from layerwise.data.download import Progress, Remote, digest, obtain, present
from layerwise.errors import DataError
from layerwise.recipe.wording import nearest

Scaling = Literal["standard"] | float
Inputs = Float32[np.ndarray, "rows features"] | UInt8[np.ndarray, "rows features"]
Targets = Int32[np.ndarray, " rows"] | Float32[np.ndarray, " rows"]


class Entry(msgspec.Struct, frozen=True):
    """What is known of a data set before it is read.

    `classes` are the names of the target's classes, empty where it is a quantity; `shape` is that of
    one example ((8, 8) for images); `scaling` is how to bring the inputs to unit size, "standard" or
    a divisor; `source` is its scientific source, `home` its address, `bytes` what has to be fetched.
    """

    name: str
    description: str
    rows: int
    target: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    shape: tuple[int, ...]
    scaling: Scaling
    license: str
    source: str
    home: str
    bytes: int = 0

    @property
    def kind(self) -> Literal["classes", "quantity"]:
        return "classes" if self.classes else "quantity"


class Listed(NamedTuple):
    """An entry and where its data stands: "embedded", "here" (LAYERWISE_DATA or the cache) or "to download"."""

    entry: Entry
    where: Literal["embedded", "here", "to download"]


@dataclass(frozen=True)
class NamedArrays:
    """A data set as published: nothing scaled, nothing left out, rows in their original order.

    `x` is float32, or uint8 for pixels, one row an example whatever its shape; `y` is int32 indices
    into `entry.classes`, or float32 quantities. `official_test` are the rows that the publisher set
    apart for testing, None where there are none.
    """

    entry: Entry
    x: Inputs
    y: Targets
    official_test: Rows | None


def entries() -> list[Listed]:
    """All data sets in the order of their names, and where each stands."""
    return [Listed(entry, _where(name)) for name, (entry, _) in sorted(_CATALOGUE.items())]


def fetch(name: str, progress: Progress | None = None) -> NamedArrays:
    """The data set `name`, downloaded where it has to be; `progress` is told of each file's bytes.

    Raises `DataError` for an unknown name, a failed download, or a file that is not the published one.

    >>> iris = fetch("iris")
    >>> iris.x.shape, iris.entry.classes
    ((150, 4), ('setosa', 'versicolor', 'virginica'))
    """
    if name not in _CATALOGUE:
        raise DataError(
            "a named data set stands in the catalogue",
            received=repr(name),
            remedy=nearest(name, _CATALOGUE) or f"one of: {', '.join(sorted(_CATALOGUE))}",
            place="data.name",
        )
    entry, load = _CATALOGUE[name]
    return load(entry, progress)


def _where(name: str) -> Literal["embedded", "here", "to download"]:
    if name not in _FILES:
        return "embedded"
    return "here" if present(name, _files(name)) else "to download"


# ── what scikit-learn carries ───────────────────────────────────────────────────────────────────


def _packaged(file: str) -> str:
    """The text of a data file in scikit-learn's package, found without importing it."""
    spec = find_spec("sklearn")
    folders = (spec and spec.submodule_search_locations) or ["(scikit-learn is not installed)"]
    path = Path(folders[0]) / "datasets" / "data" / file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            "scikit-learn carries this data set in its package",
            received=f"{file}: {error.strerror}",
            remedy='pip install "scikit-learn>=1.7"',
        ) from None
    return (gzip.decompress(data) if file.endswith(".gz") else data).decode()


def _numbers(text: str, delimiter: str | None = ",", skip: int = 0) -> Float32[np.ndarray, "rows columns"]:
    return np.loadtxt(text.splitlines(), np.float32, delimiter=delimiter, skiprows=skip, ndmin=2)


def _headed(entry: Entry, progress: Progress | None) -> NamedArrays:
    """A file with a line of counts and class names above the numbers, the class in the last column."""
    file = {"iris": "iris.csv", "wine": "wine_data.csv", "breast-cancer": "breast_cancer.csv"}[entry.name]
    return _classes_last(entry, _numbers(_packaged(file), skip=1))


def _digits(entry: Entry, progress: Progress | None) -> NamedArrays:
    return _classes_last(entry, _numbers(_packaged("digits.csv.gz")))


def _classes_last(entry: Entry, table: Float32[np.ndarray, "rows columns"]) -> NamedArrays:
    return NamedArrays(entry, np.ascontiguousarray(table[:, :-1]), table[:, -1].astype(np.int32), None)


def _diabetes(entry: Entry, progress: Progress | None) -> NamedArrays:
    """Unscaled: scikit-learn's default divides by figures of all rows, the test part's among them."""
    x = _numbers(_packaged("diabetes_data_raw.csv.gz"), delimiter=None)
    return NamedArrays(entry, x, _numbers(_packaged("diabetes_target.csv.gz"))[:, 0], None)


# ── MNIST and its relatives ─────────────────────────────────────────────────────────────────────


class Published(NamedTuple):
    """A file as its home publishes it; `content` is the SHA-256 of what it unzips to, where known."""

    size: int
    sha256: str
    content: str = ""


_IDX_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

# The mirror stands first, since MNIST's official home has refused downloads since 2024.
_HOMES = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://yann.lecun.com/exdb/mnist/",
    ),
    "fashion-mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
}

_FILES: Mapping[str, tuple[Published, ...]] = {
    "mnist": (
        Published(
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        Published(
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        Published(
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        Published(
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": (
        Published(26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        Published(29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        Published(4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        Published(5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
}


def _files(name: str) -> list[Remote]:
    return [
        Remote(file, tuple(home + file for home in _HOMES[name]), published.size, published.sha256)
        for file, published in zip(_IDX_NAMES, _FILES[name], strict=True)
    ]


def _idx(entry: Entry, progress: Progress | None) -> NamedArrays:
    paths = obtain(entry.name, _files(entry.name), progress)
    images, labels, test_images, test_labels = map(_published, paths, _FILES[entry.name])
    x = np.concatenate([images, test_images]).reshape(entry.rows, -1)
    y = np.concatenate([labels, test_labels]).astype(np.int32)
    return NamedArrays(entry, x, y, np.arange(len(labels), entry.rows))


def _published(path: Path, published: Published) -> UInt8[np.ndarray, "rows ..."]:
    """The array of a file that is the published one, byte for byte or after unzipping."""
    values = idx.read(path)
    if digest(path) != published.sha256 and _content(values) != published.content:
        raise DataError(
            "a file of a named data set is the published one",
            received=f"{len(values)} items with another SHA-256",
            remedy='delete or replace it; a set of your own is read with data.kind = "images" or "table"',
            place=str(path),
        )
    return values


def _content(values: UInt8[np.ndarray, "rows ..."]) -> str:
    """The SHA-256 of the unzipped file that holds `values`."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 0x08, values.ndim, *values.shape)
    whole = hashlib.sha256(header)
    whole.update(values.data)
    return whole.hexdigest()


# ── the catalogue ───────────────────────────────────────────────────────────────────────────────


def _pixels(height: int, width: int) -> tuple[str, ...]:
    return tuple(f"pixel_{row}_{column}" for row, column in product(range(height), range(width)))


_CC_BY = "CC BY 4.0"
_DIGIT_NAMES = tuple("0123456789")
_NUCLEUS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)

_ENTRIES: tuple[tuple[Entry, Callable[[Entry, Progress | None], NamedArrays]], ...] = (
    (
        Entry(
            name="iris",
            description="Petals and sepals of 150 irises: three species, one easy to tell, two alike.",
            rows=150,
            target="species",
            classes=("setosa", "versicolor", "virginica"),
            features=("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
            shape=(4,),
            scaling="standard",
            license=_CC_BY,
            source="Fisher 1936, The use of multiple measurements in taxonomic problems",
            home="https://archive.ics.uci.edu/dataset/53/iris",
        ),
        _headed,
    ),
    (
        Entry(
            name="wine",
            description="Chemical analyses of 178 wines of one region from three cultivars.",
            rows=178,
            target="cultivar",
            classes=("class_0", "class_1", "class_2"),
            features=(
                "alcohol",
                "malic_acid",
                "ash",
                "alcalinity_of_ash",
                "magnesium",
                "total_phenols",
                "flavanoids",
                "nonflavanoid_phenols",
                "proanthocyanins",
                "color_intensity",
                "hue",
                "od280/od315_of_diluted_wines",
                "proline",
            ),
            shape=(13,),
            scaling="standard",
            license=_CC_BY,
            source="Aeberhard & Forina 1991, Wine, UCI Machine Learning Repository",
            home="https://archive.ics.uci.edu/dataset/109/wine",
        ),
        _headed,
    ),
    (
        Entry(
            name="breast-cancer",
            description="Cell nuclei in images of 569 breast masses: malignant or benign.",
            rows=569,
            target="diagnosis",
            classes=("malignant", "benign"),
            features=(
                *(f"mean {name}" for name in _NUCLEUS),
                *(f"{name} error" for name in _NUCLEUS),
                *(f"worst {name}" for name in _NUCLEUS),
            ),
            shape=(30,),
            scaling="standard",
            license=_CC_BY,
            source="Street, Wolberg & Mangasarian 1993, Nuclear feature extraction for breast tumor diagnosis",
            home="https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic",
        ),
        _headed,
    ),
    (
        Entry(
            name="diabetes",
            description="How far the diabetes of 442 patients advanced in a year, from ten measurements.",
            rows=442,
            target="progression",
            classes=(),
            features=("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
            shape=(10,),
            scaling="standard",
            license="none stated",
            source="Efron, Hastie, Johnstone & Tibshirani 2004, Least angle regression",
            home="https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
        ),
        _diabetes,
    ),
    (
        Entry(
            name="digits",
            description="1,797 handwritten digits, 8 by 8 pixels with values from 0 to 16.",
            rows=1797,
            target="digit",
            classes=_DIGIT_NAMES,
            features=_pixels(8, 8),
            shape=(8, 8),
            scaling=16.0,
            license=_CC_BY,
            source="Alpaydin & Kaynak 1998, Optical recognition of handwritten digits, UCI Machine Learning Repository",
            home="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        ),
        _digits,
    ),
    (
        Entry(
            name="mnist",
            description="70,000 handwritten digits, 28 by 28 pixels; the last 10,000 are the official test part.",
            rows=70_000,
            target="digit",
            classes=_DIGIT_NAMES,
            features=_pixels(28, 28),
            shape=(28, 28),
            scaling=255.0,
            license="CC BY-SA 3.0",
            source="LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition",
            home="https://yann.lecun.com/exdb/mnist/",
            bytes=sum(file.size for file in _FILES["mnist"]),
        ),
        _idx,
    ),
    (
        Entry(
            name="fashion-mnist",
            description="70,000 articles of clothing in MNIST's format; the last 10,000 are the official test part.",
            rows=70_000,
            target="article",
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            features=_pixels(28, 28),
            shape=(28, 28),
            scaling=255.0,
            license="MIT",
            source="Xiao, Rasul & Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
            home="https://github.com/zalandoresearch/fashion-mnist",
            bytes=sum(file.size for file in _FILES["fashion-mnist"]),
        ),
        _idx,
    ),
)

_CATALOGUE = {entry.name: (entry, load) for entry, load in _ENTRIES}
