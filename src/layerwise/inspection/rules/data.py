"""Rules on the data: what stands in two parts, what says nothing, and what says too much."""

import math

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from layerwise.data.dataset import Classes, Dataset, Quantities, Rows
from layerwise.data.leaks import duplicates
from layerwise.data.split import Parts
from layerwise.inspection.findings import Finding, Healthy, Severity, Unseen, Verdict
from layerwise.inspection.rules.case import Case
from layerwise.recipe import records as r

# The share of a held-out part that also stands in the training part: what memory alone adds to a score at most.
# Below a hundredth it is less than any interval shows.
REPEATED_WARNING, REPEATED_GRAVE = 0.01, 0.10
FEW_DISTINCT = 0.05  # of the rows: corners of a square, or two columns of yes and no, repeat by themselves
HALF_CONSTANT = 0.5  # of the inputs: more than that are hardly by accident
# Krawczyk 2016, "Learning from imbalanced data", counts from about 1:4 as imbalance that matters and from
# 1:100 as high; at 1:9 a constant answer is right nine times in ten.
IMBALANCE = 9.0
BALANCED = 'task = { kind = "classify", class_weight = "balanced" }'
# One input column by itself is hardly ever right this often unless it is made from the target.
TELLING, TELLING_R2 = 0.99, 0.999
TELLING_ROWS, TELLING_BINS, MOST_LOOKED, MOST_WIDE = 50, 20, 1000, 10_000
# The farthest hundredth of a normal distribution makes 8.5% of its variance.
FARTHEST, HEAVY = 0.01, 0.5
SCALE = 10.0  # times off 1: Adam's usual steps reach an output of 10 only after thousands of them


def repeated_rows(case: Case) -> Verdict:
    """Held-out rows that the network was trained on."""
    rule = "rows in two parts"
    dataset = case.subject.dataset
    if not dataset.validation.size and not dataset.test.size:
        return Unseen(rule, "no rows are held out")
    parts = Parts(dataset.split, dataset.train, dataset.validation, dataset.test)
    found = duplicates(dataset.x, dataset.y, parts)
    share = max((part.repeated / part.rows for part in found), default=0.0)
    if not found:
        return Healthy(rule, f"none of {dataset.validation.size + dataset.test.size:,} held-out rows was trained on")
    some = dataset.x[_thinned(dataset.train)]
    distinct = len(np.unique(some, axis=0))
    few = distinct <= FEW_DISTINCT * len(some)
    severity: Severity = "grave" if share >= REPEATED_GRAVE else "warning" if share >= REPEATED_WARNING else "note"
    natural = f"the inputs have only {distinct:,} different rows, so they repeat by themselves"
    return Finding(
        rule,
        "note" if few else severity,
        f"{'; '.join(part.sentence for part in found)}: "
        + (natural if few else "on such a row a score measures memory"),
        f"any; a warning from {REPEATED_WARNING:.0%} of a part, grave from {REPEATED_GRAVE:.0%}",
        "remove what stands there twice; or, where rows belong together, keep them on one side: "
        'data.split = { kind = "group", by = ... }',
        "data.split",
    )


def constant_inputs(case: Case) -> Verdict:
    """Inputs that have one value in all training rows."""
    rule = "constant inputs"
    dataset = case.subject.dataset
    if dataset.train.size < 2:
        return Unseen(rule, "one row has no variation")
    width = dataset.x.shape[1]
    low, high = _ends(dataset.x, dataset.train)
    flat = np.flatnonzero(low == high)
    left_out = [note for note in dataset.notes if "same value in every training row" in note]
    if not len(flat) and not left_out:
        return Healthy(rule, f"all {width:,} inputs vary")
    said = [f"{len(flat):,} of {width:,} inputs have one value in all training rows"] if len(flat) else []
    if len(flat) and (names := _names(dataset)):
        said[0] += f" ({', '.join(names[i] for i in flat[:3])}{', ...' if len(flat) > 3 else ''})"
    return Finding(
        rule,
        "warning" if len(flat) > HALF_CONSTANT * width else "note",
        "; ".join((*said, *left_out)) + ": they tell nothing apart",
        f"any; a warning from {HALF_CONSTANT:.0%} of the inputs",
        "nothing needs to be done; in a table check whether the column was read rightly, or leave it out: "
        'data.columns = { NAME = "ignore" }',
        "data",
    )


def _ends(
    x: Float32[np.ndarray, "rows width"], rows: Rows
) -> tuple[Float32[np.ndarray, " width"], Float32[np.ndarray, " width"]]:
    """The least and the largest value of each column over some rows, without a copy of all of them."""
    low, high = x[rows[0]].copy(), x[rows[0]].copy()
    for first in range(0, len(rows), 4096):
        some = x[rows[first : first + 4096]]
        np.minimum(low, some.min(axis=0), out=low)
        np.maximum(high, some.max(axis=0), out=high)
    return low, high


def _names(dataset: Dataset) -> tuple[str, ...]:
    """The names of the encoded columns, where each raw column makes just one."""
    names = dataset.encoder.names
    return names if len(names) == dataset.x.shape[1] else ()


def unbalanced_classes(case: Case) -> Verdict:
    """A class so rare that whoever never says it is nearly always right."""
    rule = "unbalanced classes"
    dataset, task, train = case.subject.dataset, case.subject.recipe.task, case.train
    if not isinstance(dataset.target, Classes) or not isinstance(task, r.Classify):
        return Unseen(rule, "the target is not one class of several")
    counts = np.bincount(dataset.y[dataset.train], minlength=len(dataset.target.names))
    most, least = int(counts.argmax()), int(counts.argmin())
    names = dataset.target.names
    seen = (
        f"{counts[most] / counts.sum():.0%} of {counts.sum():,} training rows are {names[most]!r}, "
        f"{counts[least] / counts.sum():.1%} are {names[least]!r}"
    )
    if counts[most] < IMBALANCE * counts[least]:
        return Healthy(rule, seen)
    monitor = train.monitor if train is not None else "loss"
    weighed = task.class_weight != "none"
    severity: Severity = "warning"
    if weighed or monitor in ("balanced_accuracy", "macro_f1"):
        severity = "note"
    elif monitor == "accuracy":
        severity = "grave"
    always = f"whoever always says {names[most]!r} has an accuracy of {counts[most] / counts.sum():.3f}"
    watched = ", which is what train.monitor keeps the best weights by" if monitor == "accuracy" else ""
    return Finding(
        rule,
        severity,
        f"{seen}: {always}{watched}",
        f"one class {IMBALANCE:g} times as frequent as another; grave where the accuracy is watched",
        'watch train.monitor = "macro_f1"' + ("" if weighed else f", and let rare classes weigh more: {BALANCED}"),
        "train.monitor" if weighed or monitor == "accuracy" else "task.class_weight",
    )


def telling_input(case: Case) -> Verdict:
    """One input that gives the target away: mostly it was made from it, and is not there when it matters."""
    rule = "an input that tells the target"
    dataset = case.subject.dataset
    width = dataset.x.shape[1]
    if width == 1 or width > MOST_WIDE:
        return Unseen(rule, "there is only one input" if width == 1 else f"there are over {MOST_WIDE:,} inputs")
    if isinstance(dataset.target, Classes):
        # Not the test part: whoever leaves a column out for what it says there has chosen by it.
        train, others = _thinned(dataset.train), _thinned(dataset.validation)
        if min(len(train), len(others)) < TELLING_ROWS:
            return Unseen(rule, f"it takes {TELLING_ROWS} training and {TELLING_ROWS} validation rows to tell")
        shares = _right(dataset, train)
        best = int(shares.argmax())
        seen, told = f"is right on {shares[best]:.1%} of {len(train):,} training rows", False
        commonest = np.bincount(dataset.y[train]).max() / len(train)
        held = {
            int(column): _right_elsewhere(dataset, int(column), train, others)
            for column in np.flatnonzero((shares >= TELLING) & ((1 - shares) * 10 <= 1 - commonest))
        }
        if held:  # a code of its own for nearly every row is right on these rows only
            best = max(held, key=held.__getitem__)
            seen, told = f"is right on {held[best]:.1%} of {len(others):,} validation rows", held[best] >= TELLING
        threshold = f"{TELLING:.0%} right by one input alone"
    elif isinstance(dataset.target, Quantities):
        train = _thinned(dataset.train)
        if len(train) < TELLING_ROWS:
            return Unseen(rule, f"it takes {TELLING_ROWS} training rows to tell")
        shares = _explained(dataset.x[train].astype(np.float64), dataset.y[train].astype(np.float64))
        best = int(shares.argmax())
        seen = f"explains {shares[best]:.2%} of the target's variance by a straight line"
        told, threshold = bool(shares[best] >= TELLING_R2), f"{TELLING_R2:.1%} explained by one input alone"
    else:
        return Unseen(rule, "the target is several labels")
    names = _names(dataset)
    which = names[best] if names else f"number {best + 1} of {width:,} encoded inputs"
    if not told:
        return Healthy(rule, f"the best single input, {which}, {seen}")
    return Finding(
        rule,
        "warning",
        f"{which} alone {seen}",
        threshold,
        "ask whether it is known before the answer is; if not, leave it out: "
        f'data.columns = {{ {which if names else "NAME"} = "ignore" }}',
        "data.columns",
    )


def _thinned(rows: Rows) -> Rows:
    return rows if rows.size <= MOST_LOOKED else rows[np.linspace(0, rows.size - 1, MOST_LOOKED).astype(int)]


def _counts(
    dataset: Dataset, column: int, train: Rows
) -> tuple[Shaped[np.ndarray, " edges"], Int64[np.ndarray, "bins classes"]]:
    """The bins of one input, equally full ones or its codes, and how often each class is in each."""
    x, y = dataset.x[train, column], dataset.y[train]
    coded = any(code.column == column for code in dataset.encoder.embeddings)
    edges = np.unique(x) if coded else np.unique(np.sort(x)[np.arange(1, TELLING_BINS) * len(x) // TELLING_BINS])
    classes = int(dataset.y.max()) + 1
    counts = np.bincount(np.searchsorted(edges, x) * classes + y, minlength=(len(edges) + 1) * classes)
    return edges, counts.reshape(-1, classes)


def _right(dataset: Dataset, train: Rows) -> Float64[np.ndarray, " width"]:
    """For each input: how often the commonest class in the same bin is right, on the very rows."""
    inputs = range(dataset.x.shape[1])
    return np.array([_counts(dataset, column, train)[1].max(axis=1).sum() for column in inputs]) / len(train)


def _right_elsewhere(dataset: Dataset, column: int, train: Rows, others: Rows) -> float:
    """The same for one input on other rows."""
    edges, counts = _counts(dataset, column, train)
    said = counts.argmax(axis=1)[np.searchsorted(edges, dataset.x[others, column])]
    return float(np.mean(said == dataset.y[others]))


def _explained(
    x: Float64[np.ndarray, "rows width"], y: Float64[np.ndarray, "rows quantities"]
) -> Float64[np.ndarray, " width"]:
    """The largest squared correlation of each input with a quantity; 0 where one of them does not vary."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt(np.outer(np.square(x).sum(axis=0), np.square(y).sum(axis=0)))
    products = np.divide(x.T @ y, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.asarray(np.square(products).max(axis=1))


def target_scale(case: Case) -> Verdict:
    """Quantities whose size or whose few outliers rule the loss."""
    rule = "scale of the target"
    dataset, task = case.subject.dataset, case.subject.recipe.task
    if not isinstance(dataset.target, Quantities) or not isinstance(task, r.Regress):
        return Unseen(rule, "the target is no quantity")
    y = dataset.y[dataset.train].astype(np.float64)
    center, spread = y.mean(axis=0), y.std(axis=0)
    if not task.standardize and (np.abs(center).max() > SCALE or spread.max() > SCALE or spread.min() < 1 / SCALE):
        return Finding(
            rule,
            "warning",
            f"as the network sees it, the target has a mean of {_largest(center):.3g} and a standard deviation of "
            f"{_largest(spread):.3g}: its first outputs are about 0 to 1",
            f"{SCALE:g} times more or less than 1",
            'let it be standardized: task = { kind = "regress", standardize = true }',
            "task.standardize",
        )
    count = math.ceil(FARTHEST * len(y))
    if len(y) < 100 or not spread.all():
        return Healthy(rule, f"a mean of {_largest(center):.3g} and a standard deviation of {_largest(spread):.3g}")
    squares = np.sort(np.square(y - center), axis=0)
    share = float((squares[-count:].sum(axis=0) / squares.sum(axis=0)).max())
    seen = f"the {_rows(count)} farthest from the mean make {share:.0%} of the squared deviation"
    if share < HEAVY or task.loss != "mse":
        return Healthy(rule, seen)
    return Finding(
        rule,
        "warning",
        f"{seen}: squared errors are mostly about these rows",
        f"{HEAVY:.0%} by {FARTHEST:.0%} of the rows; of a normal distribution they make 8.5%",
        'look whether they are mistakes; or use task = { kind = "regress", loss = "huber" }',
        "task.loss",
    )


def _largest(values: Shaped[np.ndarray, " quantities"]) -> float:
    return float(values[np.abs(values).argmax()])


def _rows(count: int | Int64[np.ndarray, ""]) -> str:
    return "row" if count == 1 else f"{count:,} rows"
