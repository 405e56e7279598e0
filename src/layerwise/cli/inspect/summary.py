"""`layerwise inspect summary`: layers, parameters, operations and memory."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.inspect.options import Html, Inspected, give, look, trained_model
from layerwise.cli.training import Changes, Json
from layerwise.errors import LayerwiseError

if TYPE_CHECKING:
    from rich.table import Table

    from layerwise.inspection.summaries import Summary


def command(
    inspected: Inspected,
    settings: Changes = None,
    inputs: Annotated[
        str | None,
        typer.Option("--input", metavar="SIZE", show_default=False, help="Inputs, e.g. 64 or 100x100; needs no data."),
    ] = None,
    outputs: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default=False, help="Outputs; together with --input.")
    ] = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Layers, parameters, operations and memory of a network; nothing is trained.

    \b
    Examples:
      layerwise inspect summary digits
      layerwise inspect summary digits --input 100x100 --outputs 10 --set network.hidden=[1000,1000,1000]
    """
    found = _bare(inspected, settings or [], inputs, outputs) if inputs or outputs else _of(inspected, settings)

    def page() -> bytes:
        from layerwise.report import summaries

        return summaries.summary(found)

    give(found, as_json, html, lambda: tables(found), page)


def _of(inspected: str, settings: list[str] | None) -> "Summary":
    """Of a trained network its model file tells all; a recipe's depends on its data."""
    from layerwise.cli import console

    model = trained_model(inspected, settings)
    with console.importing():
        from layerwise.inspection.summaries import summary_of
        from layerwise.training.model import load
    if model is not None and model.is_file():
        loaded = load(model)
        recipe, objective, encoder = loaded.recipe, loaded.objective, loaded.encoder
    else:
        found = look(inspected, settings)
        recipe, objective, encoder = found.recipe, found.objective, found.dataset.encoder
    return summary_of(recipe, objective, encoder)


def _bare(recipe: str, settings: list[str], inputs: str | None, outputs: int | None) -> "Summary":
    """From the recipe's network alone, without data."""
    from layerwise.cli import console

    if inputs is None or outputs is None:
        raise LayerwiseError(
            "without data a network's shape follows from its inputs and outputs together",
            received=f"--input {inputs}" if inputs else f"--outputs {outputs}",
            remedy="give both, e.g. --input 100x100 --outputs 10",
        )
    size = _size(inputs)
    with console.importing():
        from layerwise.inspection.summaries import summary
        from layerwise.nets.build import layout
        from layerwise.recipe import load
        from layerwise.recipe import records as r
    loaded = load(recipe, settings)
    train = loaded.train if isinstance(loaded.train, r.Train) else None
    return summary(layout(loaded.network, inputs=size, outputs=outputs), size, train)


def _size(text: str) -> int:
    """How many numbers `100x100` are."""
    if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8}){0,3}", text):
        raise LayerwiseError(
            "inputs are counted by a whole number, or by an image's sides",
            received=f"--input {text}",
            remedy="e.g. --input 64 or --input 100x100",
        )
    product = 1
    for side in text.split("x"):
        product *= int(side)
    return product


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def tables(found: "Summary") -> "list[Table]":
    """The layers, and the totals below them."""
    from rich.table import Table

    layers = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("layer", "activation", "inputs", "outputs", "weights", "biases", "operations"):
        layers.add_column(heading, justify="left" if heading in ("layer", "activation") else "right")
    for layer in found.layers:
        activation = "" if layer.kind == "embedding" else layer.activation.replace("_", " ")
        numbers = (layer.inputs, layer.units, layer.weights, layer.biases, layer.forward)
        layers.add_row(layer.name, activation, *(f"{number:,}" for number in numbers))
    layers.add_row("all", "", "", "", f"{found.weights:,}", f"{found.biases:,}", f"{found.forward:,}", style="bold")
    totals = Table(box=None, pad_edge=False, show_header=False)
    for label, value in facts(found).items():
        totals.add_row(label, value)
    return [layers, Table(box=None, show_header=False), totals]


def facts(found: "Summary") -> dict[str, str]:
    """The totals in words."""
    from layerwise.progress.wording import size

    batch = f"a batch of {found.batch_size:,}"
    return {
        "parameters": f"{found.parameters:,}, {size(found.parameter_bytes)} in float32",
        "operations of one example, forward": f"{found.forward:,}",
        f"operations of a training step on {batch}": f"{found.training:,}",
        f"activations of {batch}": size(found.activation_bytes),
        f"state of the optimizer ({found.optimizer})": size(found.optimizer_bytes),
    }
