"""The page of `layerwise inspect diagnose`, and the diagnosis as a section of any page."""

from layerwise.inspection.rules import Diagnosis, Finding
from layerwise.progress import wording
from layerwise.report.page import Figures, Html, section, tag, text, titled

MARKS = {"grave": "\N{BLACK CIRCLE}", "warning": "\N{CIRCLE WITH LEFT HALF BLACK}", "note": "\N{WHITE CIRCLE}"}


def diagnosis(found: Diagnosis) -> bytes:
    """The diagnosis as one page."""
    return titled(f"{found.name}: diagnosis", opening(found), sections(found), Figures())


def sections(found: Diagnosis) -> list[Html]:
    """What was found, worst first; what is healthy; what was not looked at, and why."""
    severities = {finding.severity for finding in found.findings}
    key = [
        tag("li", tag("i", text(MARKS[name])), text(f"{name}: {words}"))
        for name, words in MEANINGS.items()
        if name in severities
    ]
    blocks = tag("div", *map(_finding, found.findings), kind="figures")
    nothing = tag("p", text(opening(found)), kind="lead")
    parts = [section("Findings", "", *([tag("ul", *key, kind="key"), blocks] if found.findings else [nothing]))]
    if found.healthy:
        items = [_item(verdict.rule, verdict.evidence) for verdict in found.healthy]
        parts.append(section("Healthy", "Looked at, and nothing found.", tag("ul", *items)))
    if found.unseen:
        items = [_item(verdict.rule, verdict.why) for verdict in found.unseen]
        parts.append(section("Not looked at", "What a rule lacks to be judged by.", tag("ul", *items)))
    return parts


def folded(found: Diagnosis) -> Html:
    """The diagnosis as one section: what was found in full, the rest behind a fold."""
    content = [tag("div", *map(_finding, found.findings), kind="figures")] if found.findings else []
    folds = {
        "Looked at, and healthy": [_item(verdict.rule, verdict.evidence) for verdict in found.healthy],
        "Not looked at": [_item(verdict.rule, verdict.why) for verdict in found.unseen],
    }
    for heading, items in folds.items():
        if items:
            content.append(tag("details", tag("summary", text(heading)), tag("ul", *items)))
    return section("Diagnosis", opening(found), *content)


def _finding(found: Finding) -> Html:
    return tag(
        "div",
        tag("h3", text(f"{MARKS[found.severity]} {found.rule}")),
        tag("p", text(sentence(found.evidence))),
        tag("p", tag("b", text("What helps: ")), text(sentence(found.remedy))),
        tag("p", text(f"Threshold: {found.threshold}."), kind="small"),
    )


def _item(rule: str, words: str) -> Html:
    return tag("li", tag("b", text(rule)), text(f": {words}"))


# ── in words, for the terminal, too ─────────────────────────────────────────────────────────────

MEANINGS = {
    "grave": "what was learnt, or its score, is not to be relied on",
    "warning": "it could be better, or its score is worth less than it seems",
    "note": "worth knowing",
}


def opening(found: Diagnosis) -> str:
    """How bad it is, in a sentence."""
    if not found.findings:
        return f"Nothing found by {wording.counted(len(found.healthy), 'rule')}."
    counts = {name: sum(finding.severity == name for finding in found.findings) for name in MEANINGS}
    nouns = {"grave": "grave finding", "warning": "warning", "note": "note"}
    said = [wording.counted(count, nouns[name]) for name, count in counts.items() if count]
    return f"{wording.listed(said).capitalize()}; {wording.counted(len(found.healthy), 'rule')} found nothing."


def sentence(words: str) -> str:
    """Words with a capital letter and a full stop; the name of a setting stays as it is.

    >>> sentence("too low: 3e-06"), sentence("train.dropout = 0.3 may help")
    ('Too low: 3e-06.', 'train.dropout = 0.3 may help.')
    """
    setting = "." in words.partition(" ")[0]
    return f"{words if setting else words[:1].upper() + words[1:]}."
