"""The report of a study: who won and how sure that is, what the test part says, and what was searched."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise import files
from layerwise.errors import LayerwiseError
from layerwise.plots import studies as plots
from layerwise.plots import style
from layerwise.plots.trials import DROPPED, FINAL, MOST_LINES, NONE, TRAINED, WINNER, groups
from layerwise.progress import wording
from layerwise.recipe import load
from layerwise.report.page import Figures, Html, page, section, table, tag, text
from layerwise.report.parts import fact, recipe_text, remark, scores, use_model
from layerwise.tasks.intervals import Interval
from layerwise.tuning.events import Finalist
from layerwise.tuning.folder import StudyFolder
from layerwise.tuning.picture import StudyPicture, picture

if TYPE_CHECKING:
    from layerwise.tuning.study import Study

METHODS = {
    "grid": "grid search",
    "random": "random search",
    "sobol": "quasi-random search",
    "bayes": "Bayesian search",
}
ENDINGS = {
    "interrupted": "The search was interrupted",
    "time_limit": "The search ran out of time",
    "joined": "This process only helped: the one that began the study names its winner",
    "diverged": "No setting came to a finite loss, so there is no winner",
}
SIGNS = {TRAINED: "●", FINAL: "●", WINNER: "◆", DROPPED: "○", NONE: "×"}
AXIS_WIDTH = 84  # pixels that a setting needs in the parallel coordinates


def study(source: "Study | Path | str") -> Path:
    """Write the report of a study, or of its folder, into the folder; returns the file.

    It opens without a network, and may be written at any time, also while the study is going on. Raises
    `RunError` where the folder is not a study's, or nothing began in it, and `StorageError`.
    """
    folder = StudyFolder(Path(source) if isinstance(source, str | Path) else source.folder)
    files.write(folder.report, written(picture(source), folder))
    return folder.report


def written(shown: StudyPicture, folder: StudyFolder) -> bytes:
    """The report as one page."""
    figures = Figures()
    drawn = plots.study(shown)
    ended = wording.counted(len(shown.trials), "trial")
    title = f"{shown.name}: {ended} by {METHODS[shown.method]}"
    parts = [f"{part} {count:,}" for part, count in shown.rows.items()]
    facts = f"{wording.duration(shown.seconds)}; rows: {', '.join(parts)}"
    content = [
        tag("header", tag("h1", text(title)), tag("p", text(facts), kind="small")),
        _winner(shown),
        *_finalists(shown, drawn, figures),
        *_scores(shown),
        _search(shown, drawn, figures),
        *_recipes(shown, folder),
        *_use(shown, folder),
        tag("footer", text("layerwise. This page needs no network; its numbers are in events.jsonl beside it.")),
    ]
    return page(title, content, figures)


# ── who won ─────────────────────────────────────────────────────────────────────────────────────


def _winner(shown: StudyPicture) -> Html:
    content = [tag("p", text(sentence(shown)), kind="lead")]
    facts = []
    if (won := shown.winner) is not None:
        label = f"{style.quantity(shown.monitor)}, mean over {len(won.values)} further seeds"
        facts.append(fact(won.mean, Interval(won.mean, won.low, won.high), label, shown.monitor))
    metrics = shown.outcome.metrics if shown.outcome is not None else {}
    if test := metrics.get("test"):
        name = shown.monitor if shown.monitor in test else next(iter(test))
        facts.append(fact(test[name].value, test[name], f"{wording.label(name)} on the test part", name))
    if facts:
        content.append(tag("div", *facts, kind="facts"))
    baselines = shown.outcome.baselines if shown.outcome is not None else {}
    remarks = [*(shown.outcome.remarks if shown.outcome is not None else ()), *shown.notes]
    if remarks:
        content.append(tag("ul", *(remark(said, baselines) for said in remarks)))
    aside = "The winner is the finalist with the best mean over seeds that the search did not see."
    return section("Winner", aside if shown.winner is not None else "", *content)


def sentence(shown: StudyPicture) -> str:
    """What came of the study, in a sentence or two."""
    if (won := shown.winner) is not None:
        figures = f"{won.mean:.4g} (95% interval {won.low:.4g} to {won.high:.4g})"
        said = f"{style.quantity(shown.monitor)} {figures} on average over {len(won.values)} further seeds"
        if won.number is None:
            return f"The recipe as written won: {said}."
        return f"Trial {won.number} won with {', '.join(style.settings_of(won.settings))}: {said}."
    best = shown.completed()[:1]
    seen = f"; the best trial so far came to {_value(best[0].value)} in the search" if best else ""
    if shown.outcome is None:
        return f"The study is going on, or was ended from outside{seen}."
    ending = ENDINGS.get(shown.outcome.status, "No finalist came to a finite loss on every further seed")
    unsure = " before its winner was confirmed on further seeds"
    return f"{ending}{unsure if shown.outcome.status in ('interrupted', 'time_limit') else ''}{seen}."


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _finalists(shown: StudyPicture, drawn: plots.StudyFigures, figures: Figures) -> list[Html]:
    if not shown.finalists:
        return []
    seeds = wording.counted(len(shown.finalists[0].values), "further seed")
    heading = ["finalist", f"mean of {seeds}", "95% interval", "each seed", "in the search"]
    heading += [axis.name for axis in shown.axes]
    rows = [_finalist(shown, final) for final in shown.finalists]
    won = shown.winner
    bold = next((n for n, final in enumerate(shown.finalists) if won and final.number == won.number), -1)
    aside = (
        "The best of many noisy values is partly luck. So the best settings are trained again on seeds "
        "that the search did not see, beside the recipe as it was written."
    )
    caption = "Further left is better." if shown.sign > 0 else "Further right is better."
    place = figures.add(drawn.finalists, "What they come to", caption, wide=True)
    return [section("Finalists", aside, place, table(heading, rows, bold, "finalists"))]


def _finalist(shown: StudyPicture, final: Finalist) -> list[Html]:
    written = {axis.path: axis.written for axis in shown.axes}
    cells = [plots.label(final), _value(final.mean), f"{_value(final.low)} to {_value(final.high)}"]
    cells += [", ".join(map(_value, final.values)), _value(final.searched) or "-"]
    for path, own in written.items():
        value = final.settings.get(path, own)
        cells.append("as written" if value is None else style.value_of(value))
    return [text(cell) for cell in cells]


# ── what the test part says ─────────────────────────────────────────────────────────────────────


def _scores(shown: StudyPicture) -> list[Html]:
    if shown.outcome is None:
        return []
    return scores(shown.outcome.metrics, shown.outcome.baselines, shown.touches)


# ── what was searched ───────────────────────────────────────────────────────────────────────────


def _search(shown: StudyPicture, drawn: plots.StudyFigures, figures: Figures) -> Html:
    if not shown.trials:
        return section(
            "The search", "", tag("p", text("No trial has come to its end yet, so there is nothing to draw."))
        )
    counts = [f"{count:,} {state.replace('_', ' ')}" for state, count in shown.counts().items()]
    over = f"{len(shown.trials):,} of {shown.planned:,} trials are over: {wording.listed(counts)}." if counts else ""
    aside = f"{over} Trials are compared by the {style.quantity(shown.monitor)} of their best epoch."
    marks = [
        tag("li", tag("i", text(SIGNS[group.name]), kind="pale" if group.name == TRAINED else ""), text(group.name))
        for group in reversed(groups(shown))
    ]
    for figure in (drawn.best_by_trial, drawn.best_by_second, *drawn.slices.values()):
        figure.update_layout(showlegend=False)
    course = "The line is the best so far" + ("; at the right, the winner on further seeds." if shown.winner else ".")
    slices = [figures.add(drawn.slices[axis.path], f"Against {axis.name}") for axis in shown.axes]
    columns = AXIS_WIDTH * (len(shown.axes) + 1)
    part = f" {MOST_LINES} of {len(shown.trials):,}: the best, and an even sample of the others."
    part *= len(shown.trials) > MOST_LINES
    through = "Trials through their settings", f"Darker and higher is better.{part}"
    curves = "The trials' curves", f"On the validation part; the better its best epoch, the darker.{part}"
    return section(
        "The search",
        aside,
        tag("ul", *marks, kind="key") if marks else Html(""),
        tag(
            "div",
            figures.add(drawn.best_by_trial, "Best so far, against trials", course),
            figures.add(drawn.best_by_second, "Best so far, against seconds", course),
            *slices,
            figures.add(drawn.importance, "What mattered", _importance_words(shown, drawn)),
            figures.add(drawn.parallel, *through, wide=True, least=columns),
            figures.add(drawn.curves, *curves, wide=True),
            kind="figures",
        ),
    )  # fmt: skip


def _importance_words(shown: StudyPicture, drawn: plots.StudyFigures) -> str:
    if not drawn.importance.data:  # the figure says why
        return ""
    over = wording.counted(len(shown.completed()), "trial")
    return f"Share in how much the {style.quantity(shown.monitor)} varies over {over}, by a random forest (fANOVA)."


# ── the recipe, and what to do with the model ───────────────────────────────────────────────────


def _recipes(shown: StudyPicture, folder: StudyFolder) -> list[Html]:
    content = []
    won = folder.best / "recipe.toml"
    if won.is_file():
        with suppress(LayerwiseError):  # changed by hand since: the report does not hang on it
            content.append(recipe_text(load(won)))
    searched = recipe_text(shown.recipe)
    content.append(tag("details", tag("summary", text("The recipe that was searched")), searched))
    aside = "The winner's recipe, every value written out." if len(content) > 1 else ""
    return [section("Recipe", aside, *content)]


def _use(shown: StudyPicture, folder: StudyFolder) -> list[Html]:
    if (folder.best / "model.safetensors").is_file():
        return [use_model("best/model.safetensors", "the folder of this page")]
    if shown.outcome is not None:
        return []
    return [section("Go on", "In the folder of this page.", tag("pre", text("layerwise tune --resume .")))]
