"""How numbers, times and names are written for people."""

import math
from collections.abc import Iterable, Mapping, Sequence

from layerwise.training.wording import counted as counted

# Names of the figures as they are read aloud; the key is what JSON and the recipe call them.
LABELS = {
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "calibration_error": "calibration error",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}
# How a run ended, by its status.
ENDINGS = {
    "finished": "Trained for {epochs} in {time}.",
    "stopped_early": "Stopped early after {epochs} in {time}: the validation figure no longer got better.",
    "interrupted": "Interrupted after {epochs} in {time}; the best weights until then are kept.",
    "time_limit": "Out of time after {epochs} in {time}; the best weights until then are kept.",
    "diverged": "Diverged after {epochs} in {time}: the loss was not finite, even at an eighth of the learning rate. "
    "The best weights before are kept.",
}
# The same where not one epoch was over.
ENDINGS_AT_ONCE = {
    "finished": "Evaluated in {time}; there was nothing to train.",
    "interrupted": "Interrupted within the first epoch, after {time}.",
    "time_limit": "Out of time within the first epoch, after {time}.",
    "diverged": "Diverged within the first epoch, after {time}: the loss was not finite, even at an eighth of the "
    "learning rate.",
}
DIGITS = {"loss": 2, "log_loss": 2, "rmse": 3, "mae": 3}  # that count at least, in figures without a bound
ERRORS = {"loss", "log_loss", "calibration_error", "rmse", "mae"}  # the smaller the better


def label(metric: str) -> str:
    """The name of a figure for people.

    >>> label("macro_f1"), label("something_new")
    ('macro F1', 'something new')
    """
    return LABELS.get(metric, metric.replace("_", " "))


def best(metric: str, values: Iterable[float]) -> float:
    """The best of some values of a figure."""
    return min(values) if metric in ERRORS else max(values)


def scored_part(metrics: Mapping[str, object]) -> str:
    """The part whose figures count: test, else validation, else train; "" where none has any.

    >>> scored_part({"validation": {"accuracy": 1}, "test": {}})
    'validation'
    """
    return next((part for part in ("test", "validation", "train") if metrics.get(part)), "")


def decimals(metric: str, value: float) -> int:
    """Decimals of a figure: three for shares, as many as show enough digits for what has no bound.

    >>> decimals("accuracy", 0.0012), [decimals("rmse", v) for v in (0.98, 0.0012, 54.3, 1234.5)]
    (3, [3, 5, 2, 0])
    """
    if metric not in DIGITS or value == 0 or not math.isfinite(value):
        return 3
    power = math.floor(math.log10(abs(value)))
    return max(0, 3 - power) if power > 0 else min(9, max(3, DIGITS[metric] - 1 - power))


def figure(value: float, places: int) -> str:
    """A value for people, with `places` decimals; scientific where those would not show it.

    >>> figure(0.98315, 3), figure(123456.7, 0), figure(3e-12, 9), figure(float("nan"), 3), figure(-1e-4, 3)
    ('0.983', '123,457', '3.0e-12', 'nan', '0.000')
    """
    if not math.isfinite(value):
        return str(value)
    if value and (places > 5 or abs(value) >= 1e9):
        return f"{value:.1e}"
    return f"{round(value, places) or 0.0:,.{places}f}"  # no -0.000


def loss(value: float) -> str:
    """A loss for people.

    >>> loss(0.0312), loss(54.313)
    ('0.031', '54.31')
    """
    return figure(value, decimals("loss", value))


def rate(per_second: float) -> str:
    """Examples a second, to three digits.

    >>> rate(1.734e6), rate(43_210.0), rate(87.3)
    ('1.73 M examples/s', '43.2 k examples/s', '87 examples/s')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_second >= 0.9995 * size:
            value = per_second / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {letter} examples/s"
    return f"{per_second:.0f} examples/s"


def clock(seconds: float) -> str:
    """A length of time as a clock shows it.

    >>> clock(7.4), clock(75.0), clock(7384.0)
    ('0:07', '1:15', '2:03:04')
    """
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def duration(seconds: float) -> str:
    """A length of time in words.

    >>> duration(0.234), duration(43.21), duration(75.0), duration(7384.0)
    ('0.23 s', '43.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute} min" if hours else f"{minute} min {second} s"


def size(count: int) -> str:
    """A number of bytes.

    >>> size(512), size(11_594_722)
    ('512 bytes', '11.6 MB')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count} bytes"


def listed(words: Sequence[str], conjunction: str = "and") -> str:
    """Words in a row.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return f" {conjunction} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def ended(status: str, epochs: int, seconds: float, best: int = 0) -> str:
    """How a run ended, in a sentence or two: the `best` epoch is named where it was not the last.

    >>> ended("finished", 20, 1.234), ended("finished", 0, 0.1)
    ('Trained for 20 epochs in 1.23 s.', 'Evaluated in 0.10 s; there was nothing to train.')
    >>> ended("finished", 20, 1.234, best=12)
    'Trained for 20 epochs in 1.23 s. The weights are those of epoch 12, the best.'
    """
    ending = ENDINGS[status] if epochs else ENDINGS_AT_ONCE.get(status, ENDINGS[status])
    ending = ending.format(epochs=counted(epochs, "epoch"), time=duration(seconds))
    return ending + (f" The weights are those of epoch {best:,}, the best." if 0 < best < epochs else "")


def no_longer_new(touches: int) -> str:
    """What is said of a test part that was scored more than once."""
    return f"The test part was scored for the {ordinal(touches)} time: its figures are no longer first-hand"


def ordinal(number: int) -> str:
    """A number as a place in a row.

    >>> ordinal(2), ordinal(3), ordinal(11), ordinal(21)
    ('2nd', '3rd', '11th', '21st')
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def rival(name: str) -> str:
    """A baseline's name for people.

    >>> rival("rbf_svm (10,000 rows)"), rival("naive_bayes")
    ('RBF SVM (10,000 rows)', 'naive Bayes')
    """
    method, bracket, rest = name.partition(" (")
    words = method.replace("_", " ").replace("svm", "SVM").replace("rbf", "RBF").replace("bayes", "Bayes")
    return f"{words}{bracket}{rest}"


def readable(remark: str, baselines: Iterable[str]) -> str:
    """A remark with the baselines' names as the tables write them; a file's name stays as it is.

    >>> readable("rbf_svm beats the network", ["rbf_svm"]), readable("rows.csv: decimal commas", [])
    ('RBF SVM beats the network', 'rows.csv: decimal commas')
    """
    for name in {name.partition(" (")[0] for name in baselines}:
        remark = remark.replace(name, rival(name))
    if "." in remark.partition(" ")[0].rstrip("."):
        return remark
    return remark[:1].upper() + remark[1:]


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor or cannot be encoded.

    >>> print(printable("a\\x1b[2Jb\\nc"))
    a\\x1b[2Jb
    c
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve of at most `width` signs; the newest value stands at the right end.

    Values above zero are drawn by their logarithm, as losses fall by orders of magnitude. More
    values than signs are thinned evenly; what is not finite leaves a gap.

    >>> sparkline([8.0, 4.0, 2.0, 1.0], 10), sparkline([0.0, 1.0, 0.5], 2), sparkline([], 5)
    ('█▆▃▁', '▁█', '')
    """
    if len(values) > width:
        values = [values[i * (len(values) - 1) // max(1, width - 1)] for i in range(width)]
    finite = [v for v in values if math.isfinite(v)]
    if finite and min(finite) > 0:
        values = [math.log(v) if v > 0 and math.isfinite(v) else v for v in values]
        finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    scale = 7 / (high - low) if high > low and math.isfinite(high - low) else 0.0
    return "".join("▁▂▃▄▅▆▇█"[round((v - low) * scale)] if math.isfinite(v) else " " for v in values)
