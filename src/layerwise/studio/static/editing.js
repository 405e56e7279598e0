// Typing a weight or a bias: at a link or a dot, or all of a unit's at once from the keyboard.

import { close, h, plainNumber, popover, typed } from "./dom.js";
import { biasAt, shapeOf, weightAt } from "./shape.js";

function unitName(scene, layer, unit) {
  const { inputs, hidden, outputs } = shapeOf(scene);
  if (layer < 0) return inputs[unit];
  if (layer < hidden.length) return `layer ${layer + 1}, unit ${unit + 1}`;
  return outputs > 1 ? `output ${scene.names[unit]}` : "output";
}

export function linkName(scene, layer, unit, source) {
  return `${unitName(scene, layer - 1, source)} → ${unitName(scene, layer, unit)}`;
}

function now(state, layer, unit, source) {
  return source === null ? biasAt(state, layer, unit) : weightAt(state, layer, unit, source);
}

function field(app, words, layer, unit, source, after) {
  const input = h("input", {
    autocomplete: "off",
    inputmode: "decimal",
    value: plainNumber(now(app.state, layer, unit, source)),
  });
  let sent = input.value;
  const send = async () => {
    const value = typed(input.value);
    if (input.value === sent) return;
    sent = input.value;
    if (Number.isFinite(value)) await app.weight(layer, unit, source, value);
    else input.value = sent = plainNumber(now(app.state, layer, unit, source));
  };
  input.addEventListener("change", send);
  input.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    await send();
    after();
  });
  return h("label", {}, h("span", {}, words), input);
}

// One weight, or with `source` null the bias, beside where it was clicked.
export function editWeight(app, layer, unit, source, element, event) {
  if (!app.state.frame) return;
  const words =
    source === null
      ? `bias of ${unitName(app.state.scene, layer, unit)}`
      : linkName(app.state.scene, layer, unit, source);
  const box = element?.getBoundingClientRect();
  const [x, y] = event ? [event.clientX, event.clientY] : [box.left + box.width / 2, box.bottom];
  popover(x, y, words, [field(app, words, layer, unit, source, close)], element);
}

// The bias and all incoming weights of a unit.
export function editUnit(app, layer, unit, element) {
  const { scene, frame } = app.state;
  if (!frame) return;
  const { inputs, hidden } = shapeOf(scene);
  const sources = layer === 0 ? inputs.length : hidden[layer - 1];
  const box = element.getBoundingClientRect();
  const weights = Array.from({ length: sources }, (_, source) =>
    field(app, `from ${unitName(scene, layer - 1, source)}`, layer, unit, source, close),
  );
  popover(
    box.left + box.width / 2,
    box.bottom,
    unitName(scene, layer, unit),
    [h("strong", {}, unitName(scene, layer, unit)), field(app, "bias", layer, unit, null, close), ...weights],
    element,
  );
}
