"""`layerwise inspect diagnose`: what is wrong with a network, its training or its data, and what helps."""

from typing import TYPE_CHECKING

from layerwise.cli.inspect.options import Html, Inspected, check, give, look, waiting
from layerwise.cli.training import Changes, Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from layerwise.inspection.rules import Diagnosis, Finding

STYLES = {"grave": "bold red", "warning": "bold yellow", "note": "bold"}


def command(inspected: Inspected, settings: Changes = None, as_json: Json = False, html: Html = None) -> None:
    """What is wrong with a network, its training or its data, in words: with the evidence, and what helps.

    Of a recipe its data, its initial weights and its learning rate are judged; of a run all the rest, too.

    \b
    Examples:
      layerwise inspect diagnose runs/digits-1
      layerwise inspect diagnose prices.toml --json
    """
    if html is not None:
        check(html)
    subject = look(inspected, settings)

    from layerwise.inspection.diagnoses import diagnose

    with waiting("diagnosing"):
        found = diagnose(subject)

    def page() -> bytes:
        from layerwise.report import diagnoses

        return diagnoses.diagnosis(found)

    give(found, as_json, html, lambda: blocks(found), page)


# ── on the terminal ─────────────────────────────────────────────────────────────────────────────


def blocks(found: "Diagnosis") -> "list[RenderableType]":
    """The findings, worst first; then what is healthy in one paragraph; then what was not looked at."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.report import diagnoses as words

    shown: list[RenderableType] = [Text(words.opening(found), style="bold")]
    for finding in found.findings:
        shown += ["", _finding(finding)]
    if found.healthy:
        healthy = ", ".join(verdict.rule for verdict in found.healthy)
        shown += ["", Text.assemble(("Looked at, and healthy: ", "bold green"), f"{healthy}.")]
    if found.unseen:
        table = Table(box=None, pad_edge=False, show_header=False)
        for verdict in found.unseen:
            table.add_row(Text(verdict.rule, style="dim"), Text(verdict.why, style="dim"))
        shown += ["", Text("Not looked at:", style="dim"), table]
    return shown


def _finding(found: "Finding") -> "RenderableType":
    """A rule with its evidence, what helps, and from where on it speaks."""
    from rich.table import Table
    from rich.text import Text

    from layerwise.report.diagnoses import sentence

    block = Table(box=None, pad_edge=False, show_header=False)
    block.add_column(width=8, no_wrap=True)
    block.add_column()
    block.add_row(Text(found.severity, style=STYLES[found.severity]), Text(found.rule, style="bold"))
    block.add_row("", sentence(found.evidence))
    block.add_row("", Text.assemble(("What helps: ", "bold"), sentence(found.remedy)))
    block.add_row("", Text(f"Threshold: {found.threshold}.", style="dim"))
    return block
