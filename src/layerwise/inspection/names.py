"""What the parts of a network are called."""

import msgspec


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
