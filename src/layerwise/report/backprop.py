"""The back-propagation sheet in words and rows, for the terminal and for its page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from layerwise.data.dataset import Classes, Rows
from layerwise.inspection.sheets import (
    BACKWARD,
    FORWARD,
    GRADIENT,
    BackpropSheet,
    LayerSheet,
    TableSheet,
)
from layerwise.plots.backprop import backprop_picture, number
from layerwise.report.page import Figures, Html, section, table, tag, text, titled

if TYPE_CHECKING:
    from layerwise.inspection.subjects import Subject

MOST_COLUMNS = 6  # of a row of the data, and of the classes, that are told


class Most(NamedTuple):
    """How many rows of a layer are shown: its units, its weights, and inputs of a unit where those are too many."""

    units: int
    weights: int
    inputs: int


TERMINAL, PAGE = Most(10, 24, 3), Most(32, 96, 7)


class Block(NamedTuple):
    """A table: its caption, an equation or two of its own, headings, rows, and what was left out."""

    caption: str
    equations: tuple[str, ...]
    heading: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left_out: str = ""


class Part(NamedTuple):
    """A stage of back-propagation: its equations and its tables."""

    title: str
    equations: tuple[str, ...]
    blocks: list[Block]


def parts(sheet: BackpropSheet, most: Most) -> list[Part]:
    """The stages in their order: forward, the loss, the errors back, and only then the gradients and the step."""
    return [
        Part("Forward", (FORWARD,), [_forward(sheet, layer, most) for layer in sheet.layers]),
        Part("Loss", tuple(sheet.loss_equation), [_loss(sheet, most), *_own_unit(sheet, most)]),
        Part("Backward", (BACKWARD,), [_backward(sheet, layer, most) for layer in reversed(sheet.layers)]),
        Part(
            "Gradients, and the step once all of them are known",
            (GRADIENT + _over(sheet), *sheet.updates),
            [*(_table_step(one, most) for one in sheet.tables), *(_step(sheet, layer, most) for layer in sheet.layers)],
        ),
    ]


def agreement(sheet: BackpropSheet) -> str:
    """How far the formulas and automatic differentiation are apart, in a sentence."""
    apart = f"differ by {sheet.difference:.1e} (relative) at most" if sheet.difference else "agree exactly"
    return f"The formulas and automatic differentiation, both in float64, {apart}."


def facts(subject: "Subject", rows: Rows, sheet: BackpropSheet) -> dict[str, str]:
    """What is looked at, in the user's own terms."""
    told = {}
    if rows.size == 1:
        row = int(rows[0])
        part = next((name for name in ("train", "validation", "test") if row in subject.dataset.part(name)), "no")
        told["example"] = f"{row + 1:,} of {subject.dataset.x.shape[0]:,}, in the {_PARTS.get(part, part)} part"
        told["row"] = _row(subject, rows)
    else:
        told["batch"] = f"the first {rows.size:,} training rows; values are means over them, errors their sum"
    told |= _answer(subject, rows, sheet)
    penalty = f", {number(sheet.penalty, 6)} of it penalties" if sheet.penalty else ""
    if sheet.own_unit is not None:
        ways = ", ".join(sheet.own_unit.equations[:MOST_COLUMNS])
        told["units"] = f"y, outputs, errors and E are in units of the target's standard deviation: {ways}"
    told["loss"] = f"E = {number(sheet.loss, 6)}{penalty}"
    trained = "trained" if subject.trained else "initial, not trained"
    trained = "as the recipe gives them" if subject.recipe.train == "none" else trained
    told["weights"] = f"{trained}; the optimizer's step is its first, from an empty memory"
    told["check"] = agreement(sheet)
    for count, note in enumerate(sheet.notes):
        told["note" if not count else f"note {count + 1}"] = note
    return told


_PARTS = {"train": "training"}


def _row(subject: "Subject", rows: Rows) -> str:
    """The row's inputs as the user wrote them."""
    raw, names = subject.dataset.raw(rows), subject.dataset.encoder.names
    if isinstance(raw, list):
        pairs = [(name, raw[0].get(name)) for name in names]
    else:
        pairs = list(zip(names, raw[0].ravel().tolist(), strict=False))
    shown = [f"{name} {'missing' if value is None else _plainly(value)}" for name, value in pairs]
    more = f", and {len(shown) - MOST_COLUMNS:,} more columns" if len(shown) > MOST_COLUMNS else ""
    return ", ".join(shown[:MOST_COLUMNS]) + more


def _plainly(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _answer(subject: "Subject", rows: Rows, sheet: BackpropSheet) -> dict[str, str]:
    """Of one example, what it is and what the network says, as classes or in the target's own units."""
    if rows.size > 1:
        return {}
    target, said, y = subject.dataset.target, sheet.predicted[0], sheet.y[0]
    if isinstance(target, Classes):
        if subject.objective.kind == "perceptron":
            told = [f"score {number(value)}" for value in said[:MOST_COLUMNS].tolist()]
            return {"target": f"{target.column} {target.names[int(y)]}", "predicted": ", ".join(told)}
        shares = said if said.size > 1 else np.array([1 - said[0], said[0]])
        order = np.argsort(-shares, kind="stable")[:3]
        told = [f"{target.names[at]} {number(shares[at])}" for at in order.tolist()]
        return {"target": f"{target.column} {target.names[int(y)]}", "predicted": ", ".join(told)}
    columns, own = target.columns[:MOST_COLUMNS], sheet.own_unit

    def told_of(values: Any, standardized: Any) -> str:
        beside = ["" if own is None else f" (standardized {number(float(value))})" for value in standardized]
        told = zip(columns, values, beside, strict=False)
        return ", ".join(f"{name} {value:.6g}{more}" for name, value, more in told)

    wanted, answered = (y, said) if own is None else (own.y[0], own.predicted[0])
    return {"target": told_of(wanted, y), "predicted": told_of(answered, said)}


# ── tables ──────────────────────────────────────────────────────────────────────────────────────


def _over(sheet: BackpropSheet) -> str:
    return ",   summed over the examples" if len(sheet.y) > 1 else ""


def _caption(layer: LayerSheet) -> str:
    units, inputs = layer.weight.shape
    kind = layer.activation.replace("_", " ")
    return f"{layer.name}: {units:,} {kind} unit{'s' * (units != 1)} of {inputs:,} input{'s' * (inputs != 1)}"


def _chosen(sizes: Any, most: int) -> list[int]:
    """The places of the largest numbers, in their order; all where they are few."""
    count = sizes.size
    return list(range(count)) if count <= most else sorted(np.argsort(-sizes, kind="stable")[:most].tolist())


def _units(layer: LayerSheet, most: int) -> tuple[list[int], str]:
    """The units with the largest errors (activations, where no error comes back), and what is left out."""
    sizes = np.abs(layer.error.worked).sum(axis=0)
    if not sizes.any():
        sizes = np.abs(layer.g.worked).sum(axis=0)
    units = _chosen(np.nan_to_num(sizes), most)
    left = sizes.size - len(units)
    return units, f"... and {left:,} units with smaller errors" if left else ""


def _forward(sheet: BackpropSheet, layer: LayerSheet, most: Most) -> Block:
    units, left_out = _units(layer, most.units)
    mean = "mean " if len(sheet.y) > 1 else ""
    columns = [layer.z, layer.g, layer.slope]
    rows = []
    for unit in units:
        worked = [number(pair.worked[:, unit].mean(), 6) for pair in columns]
        automatic = [number(pair.automatic[:, unit].mean(), 6) for pair in columns]
        rows.append((str(unit + 1), *(cell for pair in zip(worked, automatic, strict=True) for cell in pair)))
    heading = ("unit", f"{mean}z", "by JAX", f"{mean}g(z)", "by JAX", f"{mean}g'(z)", "by JAX")
    return Block(_caption(layer), tuple(layer.equation), heading, rows, left_out)


def _loss(sheet: BackpropSheet, most: Most) -> Block:
    """The outputs, what they should have been, and the error at each."""
    last = sheet.layers[-1]
    outputs, left_out = _units(last, most.units)
    mean = "mean " if len(sheet.y) > 1 else ""
    y = np.asarray(sheet.y, np.float64)
    if y.ndim == 1 and last.bias.size > 1:
        y = (np.arange(last.bias.size) == y[:, None]).astype(np.float64)
    y = y.reshape(len(sheet.y), last.bias.size)
    rows: list[tuple[str, ...]] = [
        (
            str(unit + 1),
            number(y[:, unit].mean(), 6),
            number(sheet.predicted[:, unit].mean(), 6),
            number(last.arriving[:, unit].sum(), 6),
        )
        for unit in outputs
    ]
    heading = ("output", f"{mean}y", f"{mean}predicted", f"∂E/∂g{_summed(sheet)}")
    caption = f"E = {number(sheet.loss, 6)}"
    return Block(caption, (), heading, rows, left_out)


def _own_unit(sheet: BackpropSheet, most: Most) -> list[Block]:
    """A regression's target beside what the network says, in the target's own unit."""
    own = sheet.own_unit
    if own is None:
        return []
    outputs, left_out = _units(sheet.layers[-1], most.units)
    mean = "mean " if len(sheet.y) > 1 else ""
    rows = []
    for unit in outputs:
        wanted, said = (float(values[:, unit].mean()) for values in (own.y, own.predicted))
        rows.append((f"{unit + 1}, {own.columns[unit]}", *(f"{value:.6g}" for value in (wanted, said, said - wanted))))
    heading = ("output", f"{mean}target", f"{mean}predicted", f"{mean}error")
    equations = tuple(own.equations[unit] for unit in outputs[:MOST_COLUMNS])
    return [Block("The same in the target's own unit", equations, heading, rows, left_out)]


def _summed(sheet: BackpropSheet) -> str:
    return ", summed" if len(sheet.y) > 1 else ""


def _backward(sheet: BackpropSheet, layer: LayerSheet, most: Most) -> Block:
    units, left_out = _units(layer, most.units)
    one = len(sheet.y) == 1
    rows = []
    for unit in units:
        arriving, slope = number(layer.arriving[:, unit].sum(), 6), number(layer.slope.worked[:, unit].mean(), 6)
        error = [number(array[:, unit].sum(), 6) for array in (layer.error.worked, layer.error.automatic)]
        rows.append((str(unit + 1), arriving, *([slope] if one else []), *error))
    summed = _summed(sheet)
    heading = ("unit", f"∂E/∂g{summed}", *(["g'(z)"] if one else []), f"∂E/∂z{summed}", "by JAX")
    return Block(_caption(layer), (), heading, rows, left_out)


def _step(sheet: BackpropSheet, layer: LayerSheet, most: Most) -> Block:
    """A row for each weight, the bias first; of large layers those between the largest errors and inputs."""
    units, inputs = layer.weight.shape
    one = len(sheet.y) == 1
    few = units * (inputs + 1) <= most.weights
    columns = _chosen(np.nan_to_num(np.abs(layer.inputs).sum(axis=0)), inputs if few else most.inputs)
    chosen, _ = _units(layer, units if few else max(1, most.weights // (len(columns) + 1)))
    rows = []
    for unit in chosen:
        numbers = (layer.bias, layer.bias_gradient.worked, layer.bias_gradient.automatic, layer.new_bias)
        rows.append((f"{unit + 1}, bias", *(["1"] if one else []), *(number(float(part[unit]), 6) for part in numbers)))
        for k in columns:
            gradient = layer.weight_gradient
            cells = [part[unit, k] for part in (layer.weight, gradient.worked, gradient.automatic, layer.new_weight)]
            came_in = [number(layer.inputs[0, k], 6)] if one else []
            rows.append((f"{unit + 1}, {k + 1}", *came_in, *(number(float(cell), 6) for cell in cells)))
    left = units * (inputs + 1) - len(rows)
    heading = ("weight j, k", *(["f_k"] if one else []), "u", "∂E/∂u", "by JAX", "u after the step")
    left_out = f"... and {left:,} weights and biases of smaller errors or inputs" if left else ""
    return Block(_caption(layer), (), heading, rows, left_out)


def _table_step(one: TableSheet, most: Most) -> Block:
    """The rows of a table that were looked up."""
    categories, width = one.table.shape
    used = sorted({int(code) for code in one.codes})
    rows = []
    for code in used[: max(1, most.weights // width)]:
        for column in range(min(width, most.weights)):
            cells = (one.table, one.gradient.worked, one.gradient.automatic, one.new_table)
            rows.append((f"{code + 1}, {column + 1}", *(number(float(part[code, column]), 6) for part in cells)))
    left = categories * width - len(rows)
    heading = ("category, number", "u", "∂E/∂u", "by JAX", "u after the step")
    caption = f"{one.name}: {categories:,} categories of {width:,} numbers, {len(used):,} of them looked up"
    return Block(caption, (), heading, rows, f"... and {left:,} more" if left else "")


# ── as a page ───────────────────────────────────────────────────────────────────────────────────


def backprop(name: str, told: dict[str, str], sheet: BackpropSheet) -> bytes:
    """The sheet as one page: the facts, both passes in a picture, and every stage with its equations."""
    drawing = Html(backprop_picture(sheet))
    picture = tag("div", drawing, kind="scroll", tabindex="0", role="region", aria_label="picture")
    aside = (
        "What each unit computes on the way forward, and what comes back to it: how the loss changes with its weighted "
        "sum. All of that is known before the first weight moves."
    )
    aside += " A cell is fuller the larger its number is in size." if "<title>" in drawing else ""
    content = [
        section("Example" if "example" in told else "Batch", "", _table(("", ""), list(told.items()), "facts")),
        section("Both passes", aside, picture),
        *(_section(part) for part in parts(sheet, PAGE)),
        section("Check", agreement(sheet), _table(*_check(sheet), "check")),
    ]
    return titled(f"{name}: back-propagation", "One step of training, number by number.", content, Figures())


def _section(part: Part) -> Html:
    blocks = []
    for block in part.blocks:
        blocks.append(tag("h3", text(block.caption), style="margin-top:1.5rem"))
        blocks += [tag("p", tag("code", text(",   ".join(block.equations))), kind="small")] if block.equations else []
        blocks.append(_table(block.heading, block.rows, block.caption))
        blocks += [tag("p", text(block.left_out), kind="small")] if block.left_out else []
    return section(part.title, "", _equations(part.equations), *blocks)


def _equations(lines: Sequence[str]) -> Html:
    return tag("pre", text("\n".join(lines)), tabindex="0")


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> Html:
    return table(heading, [[text(cell) for cell in row] for row in rows], name=name)


def _check(sheet: BackpropSheet) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Each layer's largest relative difference by array."""
    heading = ("layer", "z", "g(z)", "g'(z)", "∂E/∂z", "∂E/∂u", "∂E/∂bias")
    rows = [
        (layer.name, *(f"{pair.difference:.1e}" for pair in (
            layer.z, layer.g, layer.slope, layer.error, layer.weight_gradient, layer.bias_gradient)))
        for layer in sheet.layers
    ]  # fmt: skip
    rows += [(one.name, "", "", "", "", f"{one.difference:.1e}", "") for one in sheet.tables]
    return heading, rows
