"""How inspections are written: as JSON, where named records of arrays become objects of lists, and by what names."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import numpy as np


def plain(value: Any) -> Any:
    """What JSON can hold of a record: dataclasses by field and property, named tuples by field, arrays as lists.

    A number that is not finite becomes None, since JSON has no word for it.

    >>> from typing import NamedTuple
    >>> class Pair(NamedTuple):
    ...     name: str
    ...     values: np.ndarray
    >>> plain(Pair("loss", np.array([1.0, np.nan])))
    {'name': 'loss', 'values': [1.0, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        names += [name for name, part in vars(type(value)).items() if isinstance(part, property)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(part) for name, part in zip(value._fields, value, strict=True)}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


# ── names ─────────────────────────────────────────────────────────────────────────────────────────


def name(kind: msgspec.Struct | type[msgspec.Struct]) -> str:
    """What a recipe calls a record, such as an activation function or an optimizer.

    >>> from layerwise.recipe import records as r
    >>> name(r.LeakyRelu()), name(r.Adam)
    ('leaky_relu', 'adam')
    """
    return str(kind.__struct_config__.tag)


def layer_name(number: int, last: int) -> str:
    """What the layer of a number from 1 on is called, `last` being that of the output.

    >>> layer_name(1, 3), layer_name(3, 3)
    ('hidden 1', 'output')
    """
    return "output" if number == last else f"hidden {number}"
