// What is drawn with: the classes, or a value; point, spray and eraser.

import { h } from "./dom.js";
import { draft, kindOf } from "./draft.js";
import { arrows, chosen } from "./tabs.js";
import { colorsOf, mark } from "./toys.js";

const TOOLS = { point: "Point", spray: "Spray", erase: "Erase" };
const CLASSES = 8;
const VALUES = 20; // steps of a value on either side of zero

let box, targets, tools, back;
let shown = "";

// `acts` are what its buttons do: stop, clear, takeBack.
export function palette(app, { stop, clear, takeBack }) {
  targets = h("div", { class: "targets" });
  tools = h(
    "div",
    { class: "tools", role: "radiogroup", "aria-label": "Tool" },
    ...Object.entries(TOOLS).map(([tool, words]) =>
      h("button", { role: "radio", "data-tool": tool, onclick: () => choose(app, { tool }) }, words),
    ),
  );
  arrows(tools, "radio");
  back = h("button", { class: "quiet", id: "pen-undo", onclick: () => takeBack(app) }, "undo");
  const empty = h("button", { class: "quiet", id: "pen-clear", onclick: () => clear(app) }, "clear");
  const done = h("button", { id: "pen-done", onclick: () => stop(app) }, "Done");
  box = h(
    "div",
    { class: "palette", role: "group", "aria-label": "Drawing", hidden: true },
    h("div", { class: "row" }, targets, h("p", { id: "pen-hint", role: "status" })),
    h("div", { class: "row" }, tools, back, empty, done),
  );
  return box;
}

function choose(app, what) {
  Object.assign(draft, what);
  app.changed();
}

function sign(k) {
  const canvas = h("canvas", { width: 32, height: 32, "aria-hidden": "true" });
  const pen = canvas.getContext("2d");
  const colors = colorsOf(kindOf());
  pen.fillStyle = colors[k % colors.length];
  mark(pen, k, 16, 16, 11);
  pen.fill();
  return canvas;
}

function classes(app) {
  const buttons = draft.classes.map((name, k) =>
    h(
      "button",
      { role: "radio", "aria-label": name, title: name, onclick: () => choose(app, { target: k, tool: tool() }) },
      sign(k),
    ),
  );
  const group = h("div", { class: "tools", role: "radiogroup", "aria-label": "Class" }, ...buttons);
  arrows(group, "radio");
  const more = h(
    "button",
    { class: "round dashed", "aria-label": "Another class", title: "Another class", onclick: () => another(app) },
    "+",
  );
  more.disabled = draft.classes.length >= CLASSES;
  return [group, more];
}

// Whoever chooses a class wants to draw it.
function tool() {
  return draft.tool === "erase" ? "point" : draft.tool;
}

function another(app) {
  let number = draft.classes.length + 1;
  while (draft.classes.includes(`class ${number}`)) number++;
  draft.classes = [...draft.classes, `class ${number}`];
  choose(app, { target: draft.classes.length - 1, tool: tool() });
}

// A value from minus to plus the largest there is.
function value(app) {
  const size = Math.max(1, ...draft.points.map(([, , target]) => Math.abs(target)));
  const track = h("input", {
    type: "range",
    min: String(-VALUES),
    max: String(VALUES),
    value: String(Math.round((VALUES * draft.target) / size)),
    "aria-label": "Value of the next points",
  });
  track.addEventListener("input", () =>
    choose(app, { target: Number(((size * track.value) / VALUES).toPrecision(3)), tool: tool() }),
  );
  return [h("span", { class: "soft" }, "value"), track];
}

export function showPalette(app) {
  box.hidden = !app.state.drawing;
  if (box.hidden) return;
  const wanted = [kindOf(), ...draft.classes, document.documentElement.dataset.theme, colorsOf(kindOf())].join();
  if (wanted !== shown) {
    shown = wanted;
    targets.replaceChildren(...(draft.classes.length ? classes(app) : value(app)));
  }
  const all = [...targets.querySelectorAll("[role=radio]")];
  chosen(all, (button) => all.indexOf(button) === draft.target);
  chosen([...tools.children], (button) => button.dataset.tool === draft.tool);
  back.disabled = !app.state.undo.length;
}
