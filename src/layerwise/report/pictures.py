"""Images of data on a page, inside it."""

import base64
import io

import numpy as np
from jaxtyping import Num

from layerwise.report.page import Html, tag

SIDE = 96  # pixels on the page


def picture(values: Num[np.ndarray, "height width"], words: str) -> Html:
    """A gray image, dark on light like ink, from its least value to its largest."""
    from PIL import Image

    low, high = float(values.min()), float(values.max())
    shades = 255 - (values.astype(np.float64) - low) / ((high - low) or 1.0) * 255
    content = io.BytesIO()
    Image.fromarray(shades.round().astype(np.uint8)).save(content, "PNG", optimize=True)
    data = base64.b64encode(content.getvalue()).decode()
    return tag("img", src=f"data:image/png;base64,{data}", alt=words, width=str(SIDE), kind="pixels")
