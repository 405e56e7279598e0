"""Back-propagation in numbers as the page shows it: the sheet of one example, and what is worked out of it."""

from typing import Any

import numpy as np

from layerwise.inspection import BackpropSheet
from layerwise.inspection.plain import plain


def numbers(sheet: BackpropSheet) -> dict[str, Any]:
    """The sheet of a batch of one, and of each layer four more arrays.

    forward       units x inputs      u f, what each input gives to a weighted sum
    backward      units x next units  v δ, what each unit of the next layer sends back; nothing at the output
    step, bias_step                   what the optimizer adds to the weights and biases
    off, bias_off                     how far each gradient is from the one of automatic differentiation
    """
    found: dict[str, Any] = plain(sheet)
    for number, layer in enumerate(sheet.layers):
        after = sheet.layers[number + 1] if number + 1 < len(sheet.layers) else None
        back = np.zeros((len(layer.bias), 0)) if after is None else (after.weight * after.error.worked[0][:, None]).T
        gradients = (layer.weight_gradient, layer.bias_gradient)
        off, bias_off = (np.abs(each.worked - each.automatic) for each in gradients)
        more = {
            "forward": layer.weight.astype(np.float64) * layer.inputs[0],
            "backward": back,
            "step": layer.new_weight.astype(np.float64) - layer.weight,
            "bias_step": layer.new_bias.astype(np.float64) - layer.bias,
            "off": off,
            "bias_off": bias_off,
        }
        found["layers"][number] |= plain(more)
    return found
