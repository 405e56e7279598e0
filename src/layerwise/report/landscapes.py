"""The page of `layerwise inspect landscape`: the surface around the solution, its curvature, and many starts."""

from collections.abc import Sequence

from layerwise.inspection.basins import Minima
from layerwise.inspection.curvatures import Curvature
from layerwise.inspection.landscapes import Landscape
from layerwise.inspection.surroundings import Surroundings
from layerwise.plots import landscapes as plots
from layerwise.progress import wording
from layerwise.report.page import Figures, Html, section, table, tag, text, titled

MOST_BASINS = 12  # in a table


def landscape(name: str, around: Surroundings, found: Minima | None) -> bytes:
    """The page; `found` where many starts were trained."""
    figures, seen, curved = Figures(), around.landscape, around.curvature
    content = [_solution(seen, curved, around.notes), _surface(seen, figures), _curvature(curved, figures)]
    if found is not None:
        content.append(_starts(found, figures))
    lead = f"The loss around the solution of {seen.parameters:,} parameters, on {seen.examples:,} training rows."
    return titled(f"{name}: loss surface", lead, content, figures)


def _solution(seen: Landscape, curved: Curvature, remarks: Sequence[str]) -> Html:
    facts = [
        (f"{seen.loss:.4g}", "loss, without penalties and in the deterministic pass"),
        (f"{curved.largest:.4g}", "largest eigenvalue of the Hessian" + ("" if curved.converged else ", at least")),
        (f"{curved.gradient:.2g}", "norm of the gradient, zero at a critical point"),
    ]
    shown = tag(
        "div", *(tag("div", tag("b", text(n)), tag("span", text(s)), kind="fact") for n, s in facts), kind="facts"
    )
    said = [tag("ul", *(tag("li", text(remark)) for remark in remarks))] if remarks else []
    return section("Solution", "", shown, *said)


def _surface(seen: Landscape, figures: Figures) -> Html:
    drawn = plots.landscape(seen)
    if seen.directions == "random":
        aside = (
            "Two random directions. Each row of weights in them is as long as the network's own, so that networks "
            "with large and with small weights compare; biases stay (Li et al. 2018)."
        )
        caption = "Bluer is lower."
    else:
        aside = (
            "The plane of the first two principal components of the weights that training went through (Li et al. "
            "2018). Off the plane the loss may be another: each snapshot tells its own."
        )
        caption = (
            f"Bluer is lower. The line is the path of training, from the large dot over {seen.epochs[-1]:,} epochs to "
            f"the diamond; the plane holds {sum(seen.shares):.1%} of its variance."
        )
    place = figures.add(drawn, "The loss over a plane through the solution", caption, wide=True)
    return section("Surface", aside, place)


def _curvature(curved: Curvature, figures: Figures) -> Html:
    aside = (
        "Along the eigenvector of the Hessian's largest eigenvalue the loss bends the most. How much depends on how "
        "the network is written down: a ReLU network can be rescaled to any curvature (Dinh et al. 2017)."
    )
    caption = f"The parabola has the curvature {curved.largest:.4g}, the largest eigenvalue."
    place = figures.add(plots.curvature(curved), "The cut along the sharpest direction", caption)
    return section("Curvature", aside, place)


def _starts(found: Minima, figures: Figures) -> Html:
    caption = "A dot each, by its final training loss; those that end far off the best one are rings."
    place = figures.add(plots.minima(found), f"Where {found.losses.size:,} starts ended", caption, wide=True)
    heading, rows = basins(found)
    shown = table(heading, [[_cell(cell) for cell in row] for row in rows], name="basins")
    aside = (
        "The same network from other random weights. Starts are in one basin where the networks compute the same on "
        "the training rows: order and signs of hidden units do not count."
    )
    return section("Starts", aside, tag("p", text(stuck(found)), kind="lead"), place, shown)


def _cell(words: str) -> Html:
    """A range as its lower end and, small, its upper one."""
    first, to, rest = words.partition(" to ")
    return Html(f"{text(first)} {tag('small', text(f'to {rest}'))}") if to else text(words)


# ── in words, for the terminal, too ─────────────────────────────────────────────────────────────


def stuck(found: Minima) -> str:
    """How many starts get stuck, in a sentence or two.

    >>> import numpy as np
    >>> zeros = np.zeros(4)
    >>> stuck(Minima("accuracy", zeros, zeros, zeros, zeros.astype(int), zeros > 1, constant=0.69, bound=0.07))
    'None of 4 starts gets stuck (95% interval 0% to 60.2%): each has nine tenths of what the best start gained.'
    """
    share, starts = found.share, wording.counted(found.losses.size, "start")
    count = int(found.stuck.sum())
    around = f"95% interval {_percent(share.low)} to {_percent(share.high)}"
    if found.bound >= found.constant:
        return f"None of {starts} came below {found.constant:.3g}, the loss of the best constant output."
    if not count:
        return f"None of {starts} gets stuck ({around}): each has nine tenths of what the best start gained."
    return (
        f"{count:,} of {starts} {'ends' if count == 1 else 'end'} far off, stuck or not done "
        f"({_percent(share.value)}; {around}): a loss above {found.bound:.3g} misses over a tenth of what the best "
        "start gained."
    )


def _percent(share: float) -> str:
    """A share in percent, without decimals that say nothing."""
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def basins(found: Minima) -> tuple[list[str], list[list[str]]]:
    """The table of basins: its heading, and a row each; the many last ones are put into one."""
    heading = ["basin", "starts", "training loss", "validation loss", wording.label(found.score), ""]
    rows = []
    for number, basin in enumerate(found.basins[:MOST_BASINS], start=1):
        losses = wording.loss(basin.loss)
        if wording.loss(basin.highest) != losses:
            losses += f" to {wording.loss(basin.highest)}"
        held_out = wording.loss(basin.validation) if basin.validation == basin.validation else "-"
        cells = [str(number), f"{basin.starts:,}", losses, held_out, f"{basin.score:.3f}"]
        rows.append([*cells, "far off" if basin.stuck else ""])
    if rest := found.basins[MOST_BASINS:]:
        rows.append([f"{len(rest):,} more", f"{sum(basin.starts for basin in rest):,}", *[""] * 4])
    return heading, rows
