"""The network beside the classical models, in words: where one of them is better, and whether that is chance."""

from collections.abc import Mapping

from layerwise.tasks.baselines import Scores
from layerwise.tasks.intervals import Interval


def remarks(
    figures: Mapping[str, Mapping[str, Interval]],
    baselines: Scores,
    differences: Mapping[str, Mapping[str, Interval]],
) -> tuple[str, ...]:
    """A sentence where a baseline beats the network, and one for each that has no figures.

    `figures` are the network's, by part. Compared are the accuracy, or else the RMSE, on the test
    part, or else on the validation part. Only the best baseline is named. `differences` are those of
    each baseline's figure less the network's on the same rows, by part, where they are known.

    >>> net = {"test": {"accuracy": Interval(0.9, 0.85, 0.94)}}
    >>> tree = {"decision_tree": {"test": {"accuracy": Interval(0.97, 0.92, 0.99)}}}
    >>> print(*remarks(net, tree, {"decision_tree": {"test": Interval(0.07, 0.03, 0.11)}}))
    decision_tree beats the network on the test part: accuracy 0.97 (0.92 to 0.99) against 0.9 (0.85 to 0.94), by 0.07
    (0.03 to 0.11) on the same rows: more than chance.
    """
    sentences = []
    part = next((name for name in ("test", "validation") if figures.get(name)), "")
    own = figures.get(part, {})
    metric = "accuracy" if "accuracy" in own else "rmse"
    rivals = {name: parts[part][metric] for name, parts in baselines.items() if metric in parts.get(part, {})}
    if metric in own and rivals:
        sign = 1 if metric == "accuracy" else -1
        best = max(rivals, key=lambda name: sign * rivals[name].value)
        if sign * rivals[best].value > sign * own[metric].value:
            apart = differences.get(best, {}).get(part)
            sentences.append(_beaten(best, part, metric, rivals[best], own[metric], apart))
    sentences += [f"no figures for {name}." for name, parts in baselines.items() if not parts]
    return tuple(sentences)


def _beaten(name: str, part: str, metric: str, rival: Interval, own: Interval, apart: Interval | None) -> str:
    theirs, ours = (f"{i.value:.4g} ({i.low:.4g} to {i.high:.4g})" for i in (rival, own))
    said = f"{name} beats the network on the {part} part: {metric} {theirs} against {ours}"
    if apart is None:  # scored on other rows: then only intervals that are clear of each other tell something
        overlap = rival.low <= own.high and own.low <= rival.high
        return f"{said}; {'the intervals overlap, so it may be chance' if overlap else 'the intervals do not overlap'}."
    ends = sorted((abs(apart.low), abs(apart.high))) if apart.low * apart.high > 0 else ()
    if ends:
        return f"{said}, by {abs(apart.value):.2g} ({ends[0]:.2g} to {ends[1]:.2g}) on the same rows: more than chance."
    return f"{said}, by {abs(apart.value):.2g} on the same rows, which may be chance."
