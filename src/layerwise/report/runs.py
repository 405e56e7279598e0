"""The report of a run: what it learned, how sure that is, where it errs, and how to get it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise import files
from layerwise.data.dataset import Classes, Labels, Quantities
from layerwise.errors import RunError
from layerwise.inspection import evaluations
from layerwise.inspection.diagnoses import diagnose
from layerwise.inspection.evaluations import Decisions, Mistake
from layerwise.inspection.subjects import Subject, subject
from layerwise.inspection.summaries import summary_of
from layerwise.plots import courses
from layerwise.plots import runs as plots
from layerwise.plots.architecture import architecture
from layerwise.progress import wording
from layerwise.recipe import records as r
from layerwise.report import diagnoses
from layerwise.report.page import Figures, Html, page, picture, section, table, tag, text
from layerwise.report.parts import fact, recipe_text, remark, rivals_on, scores, use_model
from layerwise.training.events import Epoch, Finished, RolledBack, Started, TestTouched
from layerwise.training.wording import counted, rounded

if TYPE_CHECKING:
    from layerwise.training.run import Run

MISTAKES = 12  # that are shown
COLUMNS = 6  # of a row that are shown
MOST_CLASSES = 30  # whose rows are counted one by one


def run(source: "Run | Path | str") -> Path:
    """Write the report of a run that is over, or of its folder, into the folder; returns the file.

    It opens without a network. Raises `RunError` where the folder is not a run's, and what
    `layerwise.inspection.subject` raises where its data are gone.
    """
    folder = Path(source) if isinstance(source, str | Path) else source.folder
    found = subject(folder)
    if found.folder is None:
        raise RunError(
            "the report of a run is written from its folder",
            received=str(folder),
            remedy="train first, or name the folder: layerwise runs list",
        )
    files.write(found.folder.report, written(found))
    return found.folder.report


def written(found: Subject) -> bytes:
    """The report as one page."""
    figures = Figures()
    finished = found.finished
    metrics = finished.metrics if finished is not None else {}
    content = [
        *_header(found, finished),
        *_result(found, finished),
        *_compared(found, finished, figures),
        diagnoses.folded(diagnose(found)),
        *_course(found, figures),
        *_errors(found, wording.scored_part(metrics), figures),
        *_mistakes(found),
        _data(found),
        _network(found),
        section("Recipe", "Every value written out.", recipe_text(found.recipe)),
        *([use_model("model.safetensors", "the folder of this page")] if found.folder is not None else []),
        _again(found),
        tag("footer", text("layerwise. This page needs no network; its numbers are in metrics.json beside it.")),
    ]
    return page(_title(found), content, figures)


def _title(found: Subject) -> str:
    """What is predicted, and from what."""
    match found.dataset.target:
        case Classes(column=column, names=names):
            what = f"{column} ({len(names)} classes)"
        case Labels(columns=columns):
            what = f"{len(columns)} labels"
        case Quantities(columns=columns):
            what = wording.listed(columns)
    return f"{found.name}: {what} from {wording.counted(len(found.dataset.encoder.names), 'column')}"


# ── what came of it ─────────────────────────────────────────────────────────────────────────────


def _header(found: Subject, finished: Finished | None) -> list[Html]:
    parts = [f"{part} {found.dataset.part(part).size:,}" for part in ("train", "validation", "test")]
    seconds = f"{wording.duration(finished.seconds)}; " if finished is not None else ""
    facts = f"{seconds}rows: {', '.join(parts)}"
    return [tag("header", tag("h1", text(_title(found))), tag("p", text(facts), kind="small"))]


def _result(found: Subject, finished: Finished | None) -> list[Html]:
    if finished is None:
        words = "The run is going on, or was ended from outside: it has not been scored."
        return [section("Result", "", tag("p", text(words), kind="lead"))]
    ending = wording.ended(finished.status, finished.epochs, finished.seconds, finished.best_epoch)
    facts = []
    part = wording.scored_part(finished.metrics)
    known = finished.metrics.get(part, {})
    for name in dict.fromkeys([*list(known)[:1], *(name for name in ("roc_auc", "r2") if name in known)]):
        interval = known[name]
        facts.append(fact(interval.value, interval, f"{wording.label(name)} on the {part} part", name))
    content = [tag("p", text(ending), kind="lead"), *([tag("div", *facts, kind="facts")] if facts else [])]
    said = [*finished.remarks, *_rollbacks(found)]
    if said:
        content.append(tag("ul", *(remark(sentence, finished.baselines) for sentence in said)))
    return [section("Result", "", *content)]


def _rollbacks(found: Subject) -> list[str]:
    times = sum(isinstance(event, RolledBack) for event in found.events)
    again = "went on from the last good weights with half the learning rate"
    return [f"the loss was not finite {wording.counted(times, 'time')}: training {again}"] if times else []


def _compared(found: Subject, finished: Finished | None, figures: Figures) -> list[Html]:
    if finished is None or not (part := wording.scored_part(finished.metrics)):
        return []
    metric = next(iter(finished.metrics[part]))
    others = rivals_on(part, finished.metrics, finished.baselines)
    drawn = []
    if others:
        known = {name: figures_of[metric] for name, figures_of in others.items()}
        figure = plots.rivals(finished.metrics[part][metric], known, metric)
        drawn.append(figures.add(figure, "Beside classical models", "The best on top; 95% intervals.", wide=True))
    touches = sum(isinstance(event, TestTouched) for event in found.events)
    return scores(finished.metrics, finished.baselines, touches, *drawn)


def _course(found: Subject, figures: Figures) -> list[Html]:
    epochs = [event for event in found.events if isinstance(event, Epoch)]
    if not epochs:
        return []
    monitor = found.recipe.train.monitor if isinstance(found.recipe.train, r.Train) else "loss"
    other = monitor if monitor != "loss" else next((name for name in epochs[-1].validation if name != "loss"), "")
    kept = "The dashed line is the epoch whose weights were kept."
    drawn = [figures.add(courses.course(found.events, "loss"), "Loss", kept)]
    if other in epochs[-1].validation:
        label = wording.label(other)
        heading = f"{label[0].upper()}{label[1:]} on the validation part"
        drawn.append(figures.add(courses.course(found.events, other), heading))
    aside = "The training loss is the mean over an epoch, while the weights change; the validation loss is after it."
    return [section("Training", aside, tag("div", *drawn, kind="figures"))]


# ── where it errs ───────────────────────────────────────────────────────────────────────────────


def _errors(found: Subject, part: str, figures: Figures) -> list[Html]:
    evaluated = evaluations.evaluation(found, part or "train")
    if isinstance(evaluated, Decisions):
        drawn = _decisions(evaluated, figures)
    else:
        drawn = [
            figures.add(plots.predicted(values), f"{values.name}: predicted against true", "Right on the diagonal.")
            for values in evaluated
        ]
    same, early = "the same predictions that were scored above", "the others are not looked at before the run is scored"
    aside = f"On the {part or 'train'} part: {same if part else early}."
    return [section("Where it errs", aside, tag("div", *drawn, kind="figures pairs"))]


def _decisions(evaluated: Decisions, figures: Figures) -> list[Html]:
    drawn = []
    if evaluated.confusion.size:
        caption = "Rows by their true and their predicted class; darker is a larger share of the true class."
        drawn.append(figures.add(plots.confusion(evaluated), "Confusion", caption))
    if evaluated.curves:
        against = "" if len(evaluated.curves) == 1 else "Each class against the rest. "
        of = f" of {evaluated.curves[0].name}" if len(evaluated.curves) == 1 else ""
        drawn.append(figures.add(plots.roc(evaluated.curves), f"ROC{of}", f"{against}The diagonal is chance."))
        guessing = "The level line is the prevalence" if of else "The level lines are the prevalences"
        caption = f"{against}{guessing}: the precision of guessing."
        drawn.append(figures.add(plots.precision_recall(evaluated.curves), f"Precision and recall{of}", caption))
    if evaluated.calibration is not None:
        caption = "On the diagonal it is as sure as it may be, below it is too sure. Larger dots, more rows."
        drawn.append(figures.add(plots.calibration(evaluated.calibration), "Calibration", caption))
    return drawn


def _mistakes(found: Subject) -> list[Html]:
    part = "validation" if found.dataset.validation.size else "train"
    worst = evaluations.mistakes(found, part, MISTAKES)
    words = f"On the {part} part, the worst first."
    if part == "validation" and found.dataset.test.size:
        words += " Rows of the test part are not shown: whoever learns from them has chosen by them."
    if not worst:
        return [section("Worst mistakes", words, tag("p", text("There are none.")))]
    shape = tuple(getattr(found.dataset.encoder.spec, "shape", ()))
    shown = _images(found, worst, shape) if len(shape) == 2 else _rows(found, worst)
    return [section("Worst mistakes", words, shown)]


def _images(found: Subject, worst: Sequence[Mistake], shape: tuple[int, ...]) -> Html:
    """Pictures with what is true and what was said below them."""
    cells = [
        tag(
            "figure",
            picture(np.asarray(mistake.raw).reshape(shape), f"row {mistake.row}"),
            tag("figcaption", tag("b", text(mistake.true)), text(f" taken for {mistake.said}; row {mistake.row:,}")),
        )
        for mistake in worst
    ]
    return tag("div", *cells, kind="pictures")


def _rows(found: Subject, worst: Sequence[Mistake]) -> Html:
    names = list(found.dataset.encoder.names)
    shown = names[:COLUMNS]
    more = [f"and {counted(len(names) - COLUMNS, 'more column')}"] if len(names) > COLUMNS else []
    rows = [
        [text(f"{mistake.row:,}"), text(mistake.true), text(mistake.said), *_cells(mistake.raw, names, shown)]
        + [text("") for _ in more]
        for mistake in worst
    ]
    return table(["row", "true", "predicted", *shown, *more], rows, name="worst mistakes")


def _cells(raw: Any, names: list[str], shown: list[str]) -> list[Html]:
    values = raw if isinstance(raw, Mapping) else dict(zip(names, np.asarray(raw).ravel().tolist(), strict=False))
    return [text(_value(values.get(name))) for name in shown]


def _value(value: object) -> str:
    if value is None:
        return "missing"
    return rounded(value, 6) if isinstance(value, float) else str(value)


# ── what it was made from ───────────────────────────────────────────────────────────────────────


def _data(found: Subject) -> Html:
    dataset = found.dataset
    parts = [part for part in ("train", "validation", "test") if dataset.part(part).size]
    heading = ["", *parts]
    rows = [[text("rows"), *(text(f"{dataset.part(part).size:,}") for part in parts)]]
    match dataset.target:
        case Classes(names=names) if len(names) <= MOST_CLASSES:
            for number, name in enumerate(names):
                counts = [(dataset.y[dataset.part(part)] == number).sum() for part in parts]
                rows.append(
                    [
                        text(name),
                        *(text(_share(int(n), dataset.part(p).size)) for n, p in zip(counts, parts, strict=True)),
                    ]
                )
        case Labels(columns=columns):
            for number, name in enumerate(columns):
                counts = [(dataset.y[dataset.part(part), number] > 0.5).sum() for part in parts]
                rows.append(
                    [
                        text(name),
                        *(text(_share(int(n), dataset.part(p).size)) for n, p in zip(counts, parts, strict=True)),
                    ]
                )
        case Quantities(columns=columns) as target:
            values = [target.in_units(dataset.y[dataset.part(part)]) for part in parts]
            for number, name in enumerate(columns):
                own = [each[:, number] for each in values]
                rows.append([text(name), *(text(f"{v.mean():.4g}, ±{v.std():.3g}") for v in own)])
        case _:
            pass
    read = wording.counted(len(dataset.encoder.names), "column")
    split = f"split: {dataset.split}" if dataset.split != "none" else "not split"
    facts = f"{read}, {dataset.x.shape[1]:,} numbers a row once encoded; {split}."
    started = next((event for event in found.events if isinstance(event, Started)), None)
    notes = started.notes if started is not None else tuple(dataset.notes)
    said = [tag("ul", *(remark(note, {}) for note in notes))] if notes else []
    return section("Data", facts, table(heading, rows, name="data"), *said)


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / max(of, 1):.0%})"


def _network(found: Subject) -> Html:
    told = summary_of(found.recipe, found.objective, found.dataset.encoder)
    facts = (
        f"{told.parameters:,} parameters: {told.weights:,} weights and {told.biases:,} biases; "
        f"{told.forward:,} operations for a prediction."
    )
    drawing = tag("div", Html(architecture(told)), kind="scroll", tabindex="0", role="region", aria_label="network")
    return section("Network", facts, drawing)


def _again(found: Subject) -> Html:
    """How to get the same once more, and what it was made with."""
    known = found.folder.read_metrics().get("environment", {}) if found.folder is not None else {}
    versions = known.get("versions", {})
    rows = [
        [text(name), text(str(known[name]))]
        for name in ("python", "platform", "machine", "cores", "device")
        if name in known
    ]
    rows += [[text(name), text(str(version))] for name, version in versions.items()]
    finished = found.finished
    whole = finished is not None and finished.status in ("finished", "stopped_early", "diverged")
    same = "On the same machine with the same versions it comes out the same, bit by bit."
    ended = "It was ended before its time, so another run goes on for as long as it is let."
    aside = f"Seed {found.recipe.seed}. {same if whole else ended}"
    command = tag("pre", text("layerwise train recipe.toml --out again"))
    made = tag("details", tag("summary", text("Made with")), table(("what", "which"), rows, name="environment"))
    return section("Again", f"{aside} In the folder of this page:", command, *([made] if rows else []))
