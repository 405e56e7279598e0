// What stands above each layer: its activation, its units with − and +, and between two layers a + for another.

import { close, h, popover } from "./dom.js";
import { counter as inputs, hasFeatures } from "./features.js";

const LAYERS = 6;
const UNITS = 64;
export const ACTIVATIONS = {
  tanh: "tanh",
  sigmoid: "sigmoid",
  relu: "ReLU",
  leaky_relu: "leaky ReLU",
  noisy_relu: "noisy ReLU",
  elu: "ELU",
  gelu: "GELU",
  silu: "SiLU",
  softplus: "softplus",
  linear: "linear",
  step: "step",
};
const LINKS = { binary: "sigmoid", classes: "softmax", quantities: "linear" };

// Layers as they are to be; the server says whether it can be.
function rebuild(app, hidden, activations, words) {
  const { network } = app.state.scene.recipe;
  const same = activations.every((one) => JSON.stringify(one) === JSON.stringify(activations[0]));
  const activation = same ? (activations[0] ?? { kind: "tanh" }) : activations;
  const kept = network.kind === "mlp" ? network : {};
  // Weights written in the recipe are those of its shape.
  const weights = hidden.join() === (network.hidden ?? []).join() ? (kept.weights ?? []) : [];
  app.set("network", { ...kept, kind: "mlp", hidden, activation, weights }, words);
}

function units(app, shape, layer, by) {
  const hidden = [...shape.hidden];
  const activations = [...shape.activations];
  hidden[layer] += by;
  if (hidden[layer] > 0) {
    rebuild(app, hidden, activations, by > 0 ? "unit added" : "unit removed");
    return;
  }
  hidden.splice(layer, 1);
  activations.splice(layer, 1);
  rebuild(app, hidden, activations, "layer removed");
}

function insert(app, shape, at) {
  const hidden = [...shape.hidden];
  const activations = [...shape.activations];
  hidden.splice(at, 0, 2);
  activations.splice(at, 0, activations[Math.max(0, at - 1)] ?? { kind: "tanh" });
  rebuild(app, hidden, activations, "layer added");
}

// A step has no slope to learn by, so it is shown where a recipe has it, and not offered.
function option(value, said, now) {
  const off = value === "step" && now !== "step";
  return h("option", { value, selected: value === now, disabled: off }, off ? "step: no slope" : said);
}

function menu(app, shape, layer) {
  const now = shape.activations[layer].kind;
  const list = h(
    "select",
    { "aria-label": `Activation of layer ${layer + 1}`, "data-activation": String(layer) },
    ...Object.entries(ACTIVATIONS).map(([value, said]) => option(value, said, now)),
  );
  list.addEventListener("change", () => {
    const activations = [...shape.activations];
    activations[layer] = { kind: list.value };
    rebuild(app, shape.hidden, activations, `activation of layer ${layer + 1}`);
  });
  return h("span", { class: "menu" }, list);
}

function counter(app, shape, layer, after = () => {}) {
  const n = shape.hidden[layer];
  const button = (words, sign, by, off) =>
    h(
      "button",
      {
        class: "round",
        "aria-label": words,
        title: words,
        disabled: off,
        onclick: () => (units(app, shape, layer, by), after()),
      },
      sign,
    );
  return h(
    "span",
    { class: "counter" },
    button(n > 1 ? `One unit fewer in layer ${layer + 1}` : `Remove layer ${layer + 1}`, "−", -1, false),
    h("span", {}, n === 1 ? "1 unit" : `${n} units`),
    button(`One unit more in layer ${layer + 1}`, "+", 1, n >= UNITS),
  );
}

// On a phone the controls of a layer open as a sheet.
function sheet(app, shape, layer, element) {
  const full = shape.hidden.length >= LAYERS;
  const box = element.getBoundingClientRect();
  const add = (words, at) => h("button", { disabled: full, onclick: () => (insert(app, shape, at), close()) }, words);
  const rows =
    layer === null
      ? [add("Add a layer", 0)]
      : [
          menu(app, shape, layer),
          counter(app, shape, layer, close),
          add("Add a layer before", layer),
          add("Add a layer after", layer + 1),
        ];
  popover(box.left + box.width / 2, box.bottom, layer === null ? "Layers" : `Layer ${layer + 1}`, rows, element);
}

// What cannot be changed: the inputs, and the link at the end.
function still(spot, narrow, name, number) {
  const content = [h("b", {}, name), h("span", {}, number)];
  return narrow ? head(spot, "", h("div", { class: "touch" }, ...content)) : head(spot, "", ...content);
}

function head(spot, kind, ...content) {
  const made = h("div", { class: `head ${kind}` }, ...content);
  made.style.left = `${spot}px`;
  return made;
}

export function heads(app, shape, spots, narrow) {
  const { kind, names } = app.state.scene;
  const n = shape.inputs.length;
  const features = hasFeatures(app.state.scene);
  const found = [features ? head(spots[0], "", inputs(app)) : still(spots[0], narrow, "inputs", String(n))];
  shape.hidden.forEach((count, layer) => {
    if (narrow) {
      const button = h(
        "button",
        { class: "touch", "aria-label": `Layer ${layer + 1}: change` },
        h("b", {}, ACTIVATIONS[shape.activations[layer].kind]),
        h("span", {}, `${count} unit${count > 1 ? "s" : ""}`),
      );
      button.addEventListener("click", () => sheet(app, shape, layer, button));
      found.push(head(spots[layer + 1], "", button));
    } else {
      found.push(head(spots[layer + 1], "", menu(app, shape, layer), counter(app, shape, layer)));
    }
  });
  const outputs = shape.outputs === 1 ? "1 output" : `${names.length} outputs`;
  found.push(still(spots.at(-1), narrow, LINKS[kind] ?? kind, outputs));
  if (narrow && shape.hidden.length) return h("div", { class: "heads narrow" }, ...found);
  for (let at = 0; at <= shape.hidden.length; at++) {
    const words = `Insert a layer ${at ? `after layer ${at}` : "at the front"}`;
    const button = h(
      "button",
      {
        class: "round dashed",
        "aria-label": words,
        title: words,
        disabled: shape.hidden.length >= LAYERS,
        onclick: () => insert(app, shape, at),
      },
      "+",
    );
    const acting = h("span", { class: "acting", "data-acting": String(at) });
    found.push(head((spots[at] + spots[at + 1]) / 2, "plus", button, acting));
  }
  return h("div", { class: narrow ? "heads narrow" : "heads" }, ...found);
}
