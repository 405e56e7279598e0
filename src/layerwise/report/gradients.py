"""The gradient check in words and rows, for the terminal and for its page."""

from layerwise.inspection.gradients import GradientCheck
from layerwise.report.page import Figures, section, table, text, titled

HEADING = ("", "layer", "parameters", "largest difference", "at a kink", "worst parameter")


def rows(found: GradientCheck) -> list[tuple[str, ...]]:
    """Each layer: whether it passed, how many parameters, how far apart, and where most."""
    return [
        (
            "passed" if layer.passed else f"{layer.failed:,} wrong",
            f"{layer.name} ({layer.activation.replace('_', ' ')})" if layer.activation else layer.name,
            f"{layer.parameters:,}",
            f"{layer.difference:.1e}",
            f"{layer.kinks:,}",
            layer.worst,
        )
        for layer in found.layers
    ]


def verdict(found: GradientCheck) -> str:
    """What was done and what came of it."""
    widths = "-".join(f"{width:,}" for width in found.widths)
    done = (
        f"Of a {widths} copy all {found.parameters:,} gradients were compared with central differences "
        f"(steps of {found.step:g}, float64). "
    )
    if found.kinks:
        done += f"{found.kinks:,} of them stand at a kink, where the loss has no slope to compare with. "
    if found.passed:
        return f"{done}They agree to {max(layer.difference for layer in found.layers):.1e}, relative."
    wrong = "; ".join(
        f"{layer.name}, e.g. the {layer.worst}: {layer.automatic:.6g}, by differences {layer.finite:.6g}"
        for layer in found.layers
        if not layer.passed
    )
    return f"{done}WRONG by more than {found.tolerance:g}, relative: {wrong}."


def gradients(name: str, found: GradientCheck) -> bytes:
    """The check as one page."""
    aside = "A gradient is right if the loss, a small step to either side, changes as it says."
    cells = [[text(cell) for cell in row] for row in rows(found)]
    return titled(
        f"{name}: gradient check", verdict(found), [section("Layers", aside, table(HEADING, cells, name="layers"))],
        Figures(),
    )  # fmt: skip
