// What each layer's units do on the training rows, and the gradients that reach it, as bars of ink.

import { count, h, put, short, svg } from "./dom.js";

const AGAIN = 400; // ms between two that are asked for while training goes on

let asked = "";
let busy = false;
let next = 0;
let boxes = []; // of the layers, as they were built

function ask(app) {
  const { state } = app;
  const wanted = `${state.scene.revision} ${state.step}`;
  if (busy || wanted === asked) return;
  const wait = next - performance.now();
  if (wait > 0) {
    setTimeout(app.changed, wait);
    return;
  }
  busy = true;
  asked = wanted;
  app.command("distributions").then((answer) => {
    busy = false;
    next = performance.now() + AGAIN;
    if (answer?.distributions) app.state.distributions = answer.distributions;
    app.changed();
  });
}

// Counts as bars over their range; the tallest fills the height.
function bars() {
  const plot = svg("svg", { viewBox: "0 0 120 40", preserveAspectRatio: "none", class: "bars", role: "img" });
  plot.append(svg("path", { class: "zero" }), svg("path", { class: "solid" }));
  return h("div", { class: "histogram" }, plot, h("span"), h("span"));
}

function paintBars(box, { edges, counts }, words) {
  const [plot, low, high] = box.children;
  const [zero, filled] = plot.children;
  const most = Math.max(1, ...counts);
  const width = 120 / counts.length;
  filled.setAttribute(
    "d",
    counts.map((n, i) => (n ? `M${i * width} 40v${(-40 * n) / most}h${width - 0.4}V40Z` : "")).join(""),
  );
  const [from, to] = [edges[0], edges.at(-1)];
  const at = (120 * -from) / (to - from);
  zero.setAttribute("d", at > 0 && at < 120 ? `M${at} 0V40` : "");
  put(low, short(from, 2));
  put(high, short(to, 2));
  plot.setAttribute("aria-label", `${words}, from ${short(from, 2)} to ${short(to, 2)}`);
}

function build(layers) {
  boxes = layers.map(({ name, activation }) => {
    const notes = h("p", { class: "soft" });
    const [values, gradients] = [bars(), bars()];
    const head = h("h3", {}, name, h("span", {}, ` ${activation}`));
    const box = h("div", { class: "layer-bars" }, head, h("h4", {}, "activations"), values, h("h4", {}, "gradients"), gradients, notes);
    return { box, values, gradients, notes };
  });
  return boxes.map(({ box }) => box);
}

function said({ units, saturated, dead, gradient_norm }) {
  const parts = [`‖gradient‖ ${short(gradient_norm, 4)}`];
  if (saturated > 0.005) parts.push(`${Math.round(100 * saturated)} % saturated`);
  if (dead.length) parts.push(`${dead.length} of ${units} dead`);
  return parts.join(", ");
}

// Draws into the drawer's body; asks for newer ones as training goes on.
export function paint(app, body) {
  ask(app);
  const found = app.state.distributions;
  if (!found) {
    if (!body.childElementCount) body.append(h("p", { class: "soft" }, "Working them out."));
    return;
  }
  const { layers } = found;
  const shape = layers.map(({ name, activation }) => `${name} ${activation}`).join();
  if (body.dataset.layers !== shape || !boxes[0]?.box.isConnected) {
    body.dataset.layers = shape;
    body.replaceChildren(...build(layers));
  }
  layers.forEach((layer, i) => {
    paintBars(boxes[i].values, layer.values, `activations of ${layer.name}`);
    paintBars(boxes[i].gradients, layer.gradients, `gradients of ${layer.name}`);
    put(boxes[i].notes, said(layer));
  });
}

export function rowsOf(state) {
  return state.distributions ? `over ${count(state.distributions.rows)} training points` : "";
}
