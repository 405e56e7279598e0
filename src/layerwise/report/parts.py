"""What the reports of runs and of studies have in common: scores, baselines, recipes."""

from collections.abc import Mapping

from layerwise.progress import wording
from layerwise.recipe import Recipe, to_toml
from layerwise.report.page import Html, section, table, tag, text
from layerwise.tasks.intervals import Interval

Scores = Mapping[str, Interval]  # metric -> figure


def fact(value: float, interval: Interval, label: str, metric: str) -> Html:
    """A large number with its interval, and what it is."""
    places = wording.decimals(metric, value)
    shown = wording.figure(value, places)
    around = f"{wording.figure(interval.low, places)} to {wording.figure(interval.high, places)}"
    number = tag("b", Html(f"{text(shown)} {tag('small', text(around))}"))
    return tag("div", number, tag("span", text(f"{label}, with its 95% interval")), kind="fact")


def remark(said: str, baselines: Mapping[str, object]) -> Html:
    """A remark as a sentence of its own, the names in it as people read them."""
    words = wording.readable(said, baselines)
    return tag("li", text(words if words.endswith((".", "!", "?")) else f"{words}."))


def scores(
    metrics: Mapping[str, Scores], baselines: Mapping[str, Mapping[str, Scores]], touches: int, *figures: Html
) -> list[Html]:
    """The network and the classical models on the part that counts, after any `figures`; nothing without scores.

    `touches` is how often the test part was scored.
    """
    part = wording.scored_part(metrics)
    if not part:
        return []
    own = metrics[part]
    rivals = rivals_on(part, metrics, baselines)
    rows = [[text("the network"), *(_cell(own, metric, own) for metric in own)]]
    rows += [[text(wording.rival(name)), *(_cell(rivals[name], metric, own) for metric in own)] for name in rivals]
    touched = {
        0: "",
        1: "It was scored once, after all choices were made. ",
    }.get(touches, f"It was scored {touches} times, so its figures are no longer first-hand. ")
    bounds = "Intervals are 95% bootstrap intervals over its rows, and bounds where none of them shows a mistake."
    aside = f"{touched if part == 'test' else ''}{bounds}"
    shown = table([part, *map(wording.label, own)], rows, 0, "scores")
    return [section(f"On the {part} part", aside, *figures, shown)]


def rivals_on(
    part: str, metrics: Mapping[str, Scores], baselines: Mapping[str, Mapping[str, Scores]]
) -> dict[str, Scores]:
    """The classical models that were scored on a part, the best by its first figure first."""
    first = next(iter(metrics[part]))
    sign = 1 if first in wording.ERRORS else -1
    known = {name: figures[part] for name, figures in baselines.items() if first in figures.get(part, {})}
    return dict(sorted(known.items(), key=lambda item: sign * item[1][first].value))


def _cell(figures: Scores, metric: str, own: Scores) -> Html:
    if metric not in figures:
        return text("-")
    places = wording.decimals(metric, own[metric].value)
    value, low, high = (
        wording.figure(v, places) for v in (figures[metric].value, figures[metric].low, figures[metric].high)
    )
    return Html(f"{text(value)} {tag('small', text(f'{low} to {high}'))}")


def recipe_text(recipe: Recipe) -> Html:
    """A recipe as TOML, without the folders of the machine it ran on."""
    from layerwise.training.model import anonymous

    return tag("pre", text(to_toml(anonymous(recipe))), tabindex="0")


def use_model(place: str, seen_from: str) -> Html:
    """How to go on with a model file."""
    command = f"layerwise predict {place} DATA --out predictions.csv"
    code = f'import layerwise\n\nmodel = layerwise.load("{place}")\nmodel.predict(rows)'
    aside = f"One file; its path is from {seen_from}. It takes raw rows: what was fitted to the training part is in it."
    return section("Use the model", aside, tag("pre", text(command)), tag("pre", text(code)))
