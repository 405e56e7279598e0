"""The page of `layerwise inspect summary`: the network drawn, its layers, and what it costs."""

from layerwise.inspection.summaries import Summary
from layerwise.plots.architecture import architecture
from layerwise.report.page import Figures, Html, section, table, tag, text, titled


def summary(found: Summary) -> bytes:
    """The summary of a network as one page."""
    lead = f"{found.parameters:,} parameters: {found.weights:,} weights and {found.biases:,} biases."
    return titled("Network", lead, layers(found), Figures())


def layers(found: Summary) -> list[Html]:
    """The drawing of a network, its layers, and what it costs."""
    from layerwise.progress.wording import size

    heading = ("layer", "activation", "inputs", "outputs", "weights", "biases", "operations")
    rows = [
        [text(word) for word in (layer.name, layer.activation.replace("_", " "))]
        + [text(f"{number:,}") for number in (layer.inputs, layer.units, layer.weights, layer.biases, layer.forward)]
        for layer in found.layers
    ]
    rows.append(
        [text(word) for word in ("all", "", "", "", f"{found.weights:,}", f"{found.biases:,}", f"{found.forward:,}")]
    )
    drawing = tag("div", Html(architecture(found)), kind="scroll", tabindex="0", role="region", aria_label="drawing")
    batch = f"a batch of {found.batch_size:,}"
    costs = [
        ("parameters", f"{found.parameters:,}, {size(found.parameter_bytes)}"),
        (f"operations of a training step on {batch}", f"{found.training:,}"),
        (f"activations of {batch}", size(found.activation_bytes)),
        (f"state of the optimizer ({found.optimizer})", size(found.optimizer_bytes)),
    ]
    aside = "Operations are those of one example's forward pass; a multiplication and an addition are two."
    return [
        section("Architecture", "", drawing),
        section("Layers", aside, table(heading, rows, len(rows) - 1, "layers")),
        section("Cost", "", table(("what", "how much"), [[text(a), text(b)] for a, b in costs], name="cost")),
    ]
