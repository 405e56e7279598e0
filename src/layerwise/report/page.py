"""A page that stands alone: its style, its figures and what draws them are in the one file.

It names no other host, and forbids itself to reach one (Content-Security-Policy).
"""

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, NewType

import numpy as np
from jaxtyping import Num

from layerwise.plots import style

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


Html = NewType("Html", str)  # text that is markup already; all other text is escaped

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
FOOTER = "layerwise. This page needs no network."
SIDE = 96  # pixels of an image of the data


def tag(name: str, *content: str | Html, **attributes: str) -> Html:
    """An element; `content` is markup where `raw` or this function made it. `kind` is written as class.

    >>> tag("p", text("a < b"), kind="small")
    '<p class="small">a &lt; b</p>'
    """
    written = "".join(
        f' {"class" if key == "kind" else key.replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    if name == "img":
        return Html(f"<img{written}>")
    return Html(f"<{name}{written}>{''.join(content)}</{name}>")


def text(words: object) -> Html:
    """Text as markup."""
    return Html(escape(str(words)))


def table(heading: Sequence[str], rows: Iterable[Sequence[Html]], bold: int = -1, name: str = "") -> Html:
    """A table that scrolls sideways where the page is narrow; the first cell of a row names it."""
    head = tag("tr", *(tag("th", text(word), scope="col") for word in heading))
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest), kind="first" * (place == bold))
        for place, (first, *rest) in enumerate(rows)
    ]
    whole = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", whole, kind="scroll", tabindex="0", role="region", aria_label=name or heading[0])


def picture(values: Num[np.ndarray, "height width"], words: str) -> Html:
    """A gray image of the data, dark on light like ink, from its least value to its largest."""
    from PIL import Image

    low, high = float(values.min()), float(values.max())
    shades = 255 - (values.astype(np.float64) - low) / ((high - low) or 1.0) * 255
    content = io.BytesIO()
    Image.fromarray(shades.round().astype(np.uint8)).save(content, "PNG", optimize=True)
    data = base64.b64encode(content.getvalue()).decode()
    return tag("img", src=f"data:image/png;base64,{data}", alt=words, width=str(SIDE), kind="pixels")


def section(heading: str, aside: str, *content: Html) -> Html:
    """A section: what it is at the left, what is in it at the right."""
    said = [tag("p", text(aside))] if aside else []
    return tag("section", tag("aside", tag("h2", text(heading)), *said), tag("div", *content))


class Figures:
    """The figures of a page. `add` gives the place that one is drawn in."""

    def __init__(self) -> None:
        self._specs: dict[str, object] = {}

    def add(self, figure: "Figure", heading: str, caption: str = "", *, wide: bool = False, least: int = 0) -> Html:
        """A place for a figure under its heading; narrower than `least` pixels it scrolls."""
        name = f"figure-{len(self._specs) + 1}"
        style.untitled(figure)
        self._specs[name] = json.loads(figure.to_json())
        words = tag("figcaption", tag("h3", text(heading)), text(caption))
        drawn = tag("div", id=name, role="img", aria_label=f"{heading}. {caption}", style=f"min-width:{least}px")
        return tag("figure", words, tag("div", drawn, kind="scroll"), kind="wide" if wide else "")

    @property
    def scripts(self) -> Html:
        """What draws them, Plotly's own script among it."""
        from plotly.offline import get_plotlyjs

        if not self._specs:
            return Html("")
        draw = files("layerwise.report").joinpath("page.js").read_text("utf-8")
        return Html(
            "".join(
                (
                    f"<script>{get_plotlyjs()}</script>",
                    _data("figures", self._specs),
                    _data("dark", style.DARK),
                    f"<script>{draw}</script>",
                )
            )
        )


def _data(name: str, value: Mapping[str, object]) -> str:
    """Data that a script reads; no text in it can end the script."""
    return f'<script type="application/json" id="{name}">{json.dumps(value).replace("<", chr(92) + "u003c")}</script>'


def page(title: str, content: Iterable[Html], figures: Figures) -> bytes:
    """The whole file."""
    css = files("layerwise.report").joinpath("page.css").read_text("utf-8")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"{tag('main', *content)}\n{figures.scripts}\n</body>\n</html>\n"
    ).encode()


def titled(title: str, lead: str, content: Iterable[Html], figures: Figures) -> bytes:
    """A page under a title, with a sentence on what it shows."""
    header = tag("header", tag("h1", text(title)), tag("p", text(lead), kind="small"))
    return page(title, [header, *content, tag("footer", text(FOOTER))], figures)
