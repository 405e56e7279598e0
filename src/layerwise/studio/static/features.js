// What the network gets of a point: up to seven functions of x1 and x2. Unused ones wait as chips under the inputs.

import { close, h, popover } from "./dom.js";

const FEATURES = {
  x1: ["x", "₁"],
  x2: ["x", "₂"],
  "x1^2": ["x", "₁", "²"],
  "x2^2": ["x", "₂", "²"],
  "x1*x2": ["x", "₁", "x", "₂"],
  "sin(3*x1)": ["sin 3x", "₁"],
  "sin(3*x2)": ["sin 3x", "₂"],
};
const NAMES = Object.keys(FEATURES);
const LOWERED = { "₁": "1", "₂": "2" };

// A feature as it is written by hand, x with a small 1; null for any other name.
export function written(name) {
  return (
    FEATURES[name]?.map((part) =>
      LOWERED[part] ? h("sub", {}, LOWERED[part]) : part === "²" ? h("sup", {}, "2") : part,
    ) ?? null
  );
}

export function isWide(name) {
  return name.startsWith("sin");
}

// The features of the data, or null where its rows are no points.
function chosen({ recipe }) {
  return recipe.data.features ?? null;
}

export function unused(scene) {
  const now = chosen(scene);
  return now ? NAMES.filter((name) => !now.includes(name)) : [];
}

// Add a feature, or take it away; the last one stays.
export function toggle(app, name) {
  const now = chosen(app.state.scene);
  const next = NAMES.filter((one) => now.includes(one) !== (one === name));
  if (next.length) app.set("data.features", next, "inputs");
}

export function removable({ scene }) {
  return (chosen(scene)?.length ?? 0) > 1;
}

function chip(app, name) {
  const words = `Add the input ${name}`;
  const button = h("button", { class: "chip", "aria-label": words, title: words }, h("span", {}, ...written(name)));
  button.addEventListener("click", () => toggle(app, name));
  return button;
}

// The unused inputs below the used ones.
export function chips(app, left, top) {
  const names = unused(app.state.scene);
  if (!names.length) return null;
  const group = h("div", { class: "chips", role: "group", "aria-label": "Unused inputs" });
  Object.assign(group.style, { left: `${left}px`, top: `${top}px` });
  group.append(...names.map((name) => chip(app, name)));
  return group;
}

// × at an input, which takes it away.
export function cross(app, name) {
  if (!removable(app.state)) return null;
  const words = `Remove the input ${name}`;
  const button = h("button", { class: "cross", tabindex: "-1", "aria-label": words, title: words }, "×");
  button.addEventListener("click", () => toggle(app, name));
  return button;
}

// All seven with ticks, as a sheet under the head.
function sheet(app, element) {
  const now = chosen(app.state.scene);
  const box = element.getBoundingClientRect();
  const ticks = NAMES.map((name) => h("input", { type: "checkbox", "aria-label": name, checked: now.includes(name) }));
  const show = () => {
    const on = ticks.filter((tick) => tick.checked);
    for (const tick of ticks) tick.disabled = on.length === 1 && tick.checked;
  };
  const rows = ticks.map((tick, i) => {
    tick.addEventListener("change", () => {
      show();
      app.set("data.features", NAMES.filter((_, k) => ticks[k].checked), "inputs");
    });
    return h("label", { class: "check" }, tick, h("span", {}, ...written(NAMES[i])));
  });
  show();
  const done = h("button", { onclick: close }, "Done");
  popover(box.left + box.width / 2, box.bottom, "Inputs", [...rows, done], element);
}

// What stands above the inputs: how many of the seven are used; all of them are a click away.
export function counter(app) {
  const now = chosen(app.state.scene);
  const button = h(
    "button",
    { class: "touch inputs", "aria-label": `Inputs: ${now.length} of ${NAMES.length}, change`, "aria-haspopup": "dialog" },
    h("b", {}, "inputs"),
    h("span", {}, `${now.length} of ${NAMES.length}`),
  );
  button.addEventListener("click", () => sheet(app, button));
  return button;
}

export function hasFeatures(scene) {
  return chosen(scene) !== null;
}
