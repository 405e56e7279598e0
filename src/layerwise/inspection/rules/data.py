"""Rules on the data: what stands in two parts, what says nothing, and what says too much."""

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from layerwise.data.dataset import Classes, Dataset, Labels, Quantities, Rows, spread
from layerwise.data.leaks import duplicates
from layerwise.data.split import Parts
from layerwise.data.target import FARTHEST, HEAVY, farthest
from layerwise.inspection.rules import Finding, Healthy, Severity, Unseen, Verdict
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
TELLING, TELLING_R2 = 0.99, 0.99
TELLING_ROWS, TELLING_BINS, MOST_LOOKED, MOST_WIDE = 50, 20, 1000, 10_000
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
    some = dataset.x[spread(dataset.train, MOST_LOOKED)]
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
    """The names of the encoded columns, where each is a raw column, or a function of points."""
    encoder = dataset.encoder
    one_each = len(encoder.names) == encoder.width or bool(getattr(encoder.spec, "features", ()))
    return encoder.features if one_each else ()


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
    """One column that gives the target away: mostly it was made from it, and is not there when it matters."""
    rule = "a column that tells the target"
    dataset = case.subject.dataset
    columns = _columns(dataset)
    if len(columns) == 1 or len(columns) > MOST_WIDE:
        return Unseen(
            rule, "there is only one column" if len(columns) == 1 else f"there are over {MOST_WIDE:,} columns"
        )
    if isinstance(dataset.target, Labels):
        return Unseen(rule, "the target is several labels")
    # Not the test part: whoever leaves a column out for what it says there has chosen by it.
    train, others = (spread(dataset.part(part), MOST_LOOKED) for part in ("train", "validation"))
    if min(len(train), len(others)) < TELLING_ROWS:
        return Unseen(rule, f"it takes {TELLING_ROWS} training and {TELLING_ROWS} validation rows to tell")
    if isinstance(dataset.target, Classes):
        shares = {name: _right(dataset, places, train, others) for name, places in columns.items()}
        share, what = "right on {:.1%}", "of {:,} validation rows"
        commonest = float(np.bincount(dataset.y[others]).max() / len(others))
        least = max(TELLING, 1 - (1 - commonest) / 10)  # where nearly all are of one class, it must tell the others
        threshold = f"{TELLING:.0%} right by one column alone"
    else:
        shares = {name: _explained(dataset, places, train, others) for name, places in columns.items()}
        share, what = "explains {:.2%}", "of the target's variance on {:,} validation rows"
        least, threshold = TELLING_R2, f"{TELLING_R2:.0%} explained by one column alone"
    best = max(shares, key=shares.__getitem__)
    seen = f"{share.format(shares[best])} {what.format(len(others))}"
    if shares[best] < least:
        return Healthy(rule, f"the best single column, {best}, {'is ' if 'right' in seen else ''}{seen}")
    return Finding(
        rule,
        "warning",
        f"{best} alone {'is ' if 'right' in seen else ''}{seen}",
        threshold,
        f'ask whether it is known before the answer is; if not, leave it out: data.columns = {{ {best} = "ignore" }}',
        "data.columns",
    )


def _columns(dataset: Dataset) -> dict[str, slice]:
    """Where each column of the data stands among the encoded inputs."""
    found, start = {}, 0
    for column in getattr(dataset.encoder.spec, "columns", ()):
        found[column.name] = slice(start, start + len(column.features))
        start += len(column.features)
    if start == dataset.x.shape[1]:
        return {name: place for name, place in found.items() if place.stop > place.start}
    return {name: slice(place, place + 1) for place, name in enumerate(dataset.encoder.features)}


def _right(dataset: Dataset, places: slice, train: Rows, others: Rows) -> float:
    """How often other rows have the commonest class of the training rows that are alike in a column.

    Alike are rows of one category, or of one of `TELLING_BINS` equally full ranges; or on one side of the
    single value that parts the classes best.
    """
    y, classes = dataset.y[train].astype(np.int64), int(dataset.y.max()) + 1
    codes, elsewhere, ordered = _codes(dataset, places, train, others)
    counts = np.bincount(codes * classes + y, minlength=(codes.max() + 1) * classes).reshape(-1, classes)
    said = [_commonest(counts, elsewhere)]
    if ordered is not None:
        x, others_x = ordered
        order = np.argsort(x, kind="stable")
        below = np.cumsum(np.eye(classes, dtype=np.int64)[y[order]], axis=0)
        right = below.max(axis=1) + (below[-1] - below).max(axis=1)
        cuts = np.flatnonzero(np.diff(x[order]) > 0)  # between equal values nothing can be parted
        if cuts.size:
            cut = int(cuts[right[cuts].argmax()])
            halves = np.stack([below[cut], below[-1] - below[cut]])
            said.append(_commonest(halves, (others_x > (x[order][cut] + x[order][cut + 1]) / 2).astype(np.int64)))
    return max(float(np.mean(answer == dataset.y[others])) for answer in said)


def _commonest(
    counts: Int64[np.ndarray, "groups classes"], groups: Int64[np.ndarray, " rows"]
) -> Int64[np.ndarray, " rows"]:
    """The commonest class of each row's group; of a group that training did not hold, the commonest of all."""
    known = groups < len(counts)
    said = counts.argmax(axis=1)[np.where(known, groups, 0)]
    return np.asarray(np.where(known, said, counts.sum(axis=0).argmax()))


def _explained(dataset: Dataset, places: slice, train: Rows, others: Rows) -> float:
    """The largest share of a quantity's variance on other rows that a straight line, or a category's mean, explains."""
    codes, elsewhere, ordered = _codes(dataset, places, train, others)
    found = 0.0
    for known, told in zip(dataset.y[train].T.astype(np.float64), dataset.y[others].T.astype(np.float64), strict=True):
        if ordered is None:
            sums, rows = np.bincount(codes, known), np.bincount(codes)
            there = elsewhere < len(rows)
            said = np.where(there, (sums / np.maximum(rows, 1))[np.where(there, elsewhere, 0)], known.mean())
        else:
            x, others_x = ordered
            centered = x - x.mean()
            slope = centered @ (known - known.mean()) / max(float(centered @ centered), 1e-12)
            said = known.mean() + slope * (others_x - x.mean())
        rest = np.square(told - said).sum() / max(np.square(told - told.mean()).sum(), 1e-12)
        found = max(found, 1 - float(rest))
    return found


def _codes(
    dataset: Dataset, places: slice, train: Rows, others: Rows
) -> tuple[Int64[np.ndarray, " _"], Int64[np.ndarray, " _"], tuple[np.ndarray, np.ndarray] | None]:
    """The group of each training row and of each other one in a column; the values, too, where they have an order."""
    x, elsewhere = dataset.x[train, places], dataset.x[others, places]
    coded = any(places.start <= code.column < places.stop for code in dataset.encoder.embeddings)
    if x.shape[1] == 1 and not coded:
        values, theirs = x[:, 0].astype(np.float64), elsewhere[:, 0].astype(np.float64)
        edges = np.unique(np.sort(values)[np.arange(1, TELLING_BINS) * len(values) // TELLING_BINS])
        return np.searchsorted(edges, values), np.searchsorted(edges, theirs), (values, theirs)
    # A category's columns of zeros and ones together, or a number beside the sign that it was missing.
    kinds, codes = np.unique(x, axis=0, return_inverse=True)
    known = {kind.tobytes(): number for number, kind in enumerate(kinds)}
    found = [known.get(row.tobytes(), len(kinds)) for row in np.ascontiguousarray(elsewhere)]
    return codes.reshape(-1).astype(np.int64), np.array(found, np.int64), None


def target_scale(case: Case) -> Verdict:
    """Quantities whose size or whose few outliers rule the loss."""
    rule = "scale of the target"
    dataset, task = case.subject.dataset, case.subject.recipe.task
    if not isinstance(dataset.target, Quantities) or not isinstance(task, r.Regress):
        return Unseen(rule, "the target is no quantity")
    y = dataset.y[dataset.train].astype(np.float64)
    center, deviation = y.mean(axis=0), y.std(axis=0)
    if not task.standardize and (
        np.abs(center).max() > SCALE or deviation.max() > SCALE or deviation.min() < 1 / SCALE
    ):
        return Finding(
            rule,
            "warning",
            f"as the network sees it, the target has a mean of {_largest(center):.3g} and a standard deviation of "
            f"{_largest(deviation):.3g}: its first outputs are about 0 to 1",
            f"{SCALE:g} times more or less than 1",
            'let it be standardized: task = { kind = "regress", standardize = true }',
            "task.standardize",
        )
    if len(y) < 100 or not deviation.all():
        return Healthy(rule, f"a mean of {_largest(center):.3g} and a standard deviation of {_largest(deviation):.3g}")
    count, share = farthest(y)
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
