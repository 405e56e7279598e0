// The output: what the network says over the square of both inputs, its boundary, and the points.

import { token } from "./color.js";
import { latest } from "./curve.js";
import { $, count, h, put, short } from "./dom.js";
import { sideOf } from "./paper.js";
import { boundary, scatter, spot, surface } from "./surface.js";
import { colorsOf, mark } from "./toys.js";

const NEAR = 14; // pixels around a point in which a click means it

let canvas, pen, points, side;
let marked = "";

export function setup(app) {
  canvas = h("canvas", { id: "surface", role: "img", "aria-label": "Output over both inputs" });
  pen = canvas.getContext("2d");
  points = document.createElement("canvas");
  const tick = (key, words, title) => {
    const box = h("input", { type: "checkbox", "data-view": key, "aria-label": title });
    box.addEventListener("change", () => app.view({ [key]: box.checked }));
    return h("label", { class: "check", title }, box, words);
  };
  $("output").append(
    h("h2", {}, "Output", h("span", { id: "architecture" })),
    h("div", { class: "picture" }, canvas),
    h(
      "div",
      { class: "under" },
      h("div", { class: "axes", id: "axes" }),
      h("span", { class: "legend", id: "legend" }),
      h(
        "span",
        { class: "ticks-of-output" },
        tick("validation", "val.", "Show the validation points"),
        testTick(app),
        tick("discrete", "discrete", "One color a class, without degrees"),
      ),
    ),
    h("div", { id: "curves" }),
    h("div", { class: "figures", id: "figures" }),
  );
  canvas.addEventListener("click", (event) => click(app, event));
  new ResizeObserver(() => app.state.scene && (resize(), (marked = ""), app.changed())).observe(canvas);
}

// The test part is a last judge: looking at it is asked for, and counted by the server.
function testTick(app) {
  const box = h("input", { type: "checkbox", id: "show-test" });
  box.addEventListener("change", () => app.command("test", { show: box.checked }));
  return h("label", { class: "check", title: "Looking at the test set is counted" }, box, "test");
}

function resize() {
  side = sideOf(canvas);
}

// ── points ──────────────────────────────────────────────────────────────────────────────────────

function shownPoints({ scene, view }) {
  const { train, validation, test } = scene.points;
  return [
    ...train.map((point) => [point, false]),
    ...(view.validation ? validation.map((point) => [point, true]) : []),
    ...test.map((point) => [point, true]),
  ];
}

function drawPoints(state) {
  Object.assign(points, { width: side, height: side });
  scatter(points.getContext("2d"), side, state.scene, shownPoints(state));
}

function click(app, event) {
  const { state } = app;
  if (!state.scene) return;
  const { left, top, width } = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - left, event.clientY - top];
  let found = null;
  let nearest = NEAR;
  for (const [[row, x1, x2]] of shownPoints(state)) {
    const [a, b] = spot(side, state.scene, x1, x2);
    const far = Math.hypot((a * width) / side - x, (b * width) / side - y);
    if (far < nearest) [nearest, found] = [far, row];
  }
  state.row = found;
  if (found !== null) app.view({ drawer: "numbers" });
  else app.changed();
}

function drawChosen({ scene, row }) {
  const { train, validation, test } = scene.points;
  const found = [...train, ...validation, ...test].find(([number]) => number === row);
  if (!found) return;
  pen.beginPath();
  pen.arc(...spot(side, scene, found[1], found[2]), side / 34, 0, 2 * Math.PI);
  pen.lineWidth = side / 130;
  pen.strokeStyle = token("--ink");
  pen.stroke();
}

// ── words ───────────────────────────────────────────────────────────────────────────────────────

function legend({ scene }) {
  const quantity = scene.kind === "quantities";
  const [mean, spread] = scene.spread ?? [0, 0];
  const [low, high] = quantity ? [mean - 2 * spread, mean + 2 * spread].map((value) => short(value, 2)) : scene.names;
  const entry = (k, words) => {
    const sign = h("canvas", { width: 24, height: 24, "aria-hidden": "true" });
    const brush = sign.getContext("2d");
    const colors = colorsOf(scene.kind);
    brush.fillStyle = colors[k % colors.length];
    mark(brush, scene.kind === "quantities" ? 0 : k, 12, 12, 8.5);
    brush.fill();
    return h("span", {}, sign, words);
  };
  if (scene.kind === "classes") return scene.names.map((name, k) => entry(k, name));
  if (!quantity) return [entry(0, low), entry(1, high)];
  return [h("span", {}, scene.names[0] ?? ""), entry(0, low), h("i", { class: "ramp" }), entry(1, high)];
}

// Under the square what its axes are, where they are not x1 and x2; both can be chosen.
function axes(app) {
  const { plane, recipe } = app.state.scene;
  const box = $("axes");
  box.hidden = !plane || ["toy", "points"].includes(recipe.data.kind) || plane.columns.length < 2;
  if (box.hidden) return;
  const ends = ({ low, high, levels }) =>
    levels.length ? levels.join(", ") : `${Number(low.toPrecision(3))} to ${Number(high.toPrecision(3))}`.replaceAll("-", "−");
  const chosen = Array.isArray(plane.over) ? plane.over : null;
  const lists = plane.axes.map((axis, which) => {
    const list = h("select", { "aria-label": which ? "Vertical axis" : "Horizontal axis", "data-axis": String(which) });
    const two = plane.columns.length === 2 && !chosen;
    list.append(h("option", { value: "" }, `component ${which + 1}`));
    list.append(...plane.columns.map((name) => h("option", { value: name }, name)));
    list.value = chosen ? chosen[which] : two && plane.over === "auto" ? plane.columns[which] : "";
    list.title = `${axis.name}, ${ends(axis)}`;
    list.addEventListener("change", () => over(app, which, list.value));
    return h("label", {}, which ? "↑" : "→", h("span", { class: "menu" }, list));
  });
  box.replaceChildren(...lists, ...missing(app.state.scene));
}

// What the square leaves out: rows that have no place on it, and columns that do not vary over it.
function missing({ plane, points, rows }) {
  const some = Object.entries(plane.held);
  const placed = rows.train + rows.validation - plane.placeless;
  const drawn = points.train.length + points.validation.length;
  const notes = [];
  if (some.length) {
    const held = h("span", {}, some.length > 1 ? `${some.length} other columns are held at their usual values` : `${some[0].join(" is held at ")}`);
    held.title = some.slice(0, 40).map(([name, value]) => `${name} ${value}`).join(", ");
    notes.push(held);
  }
  if (plane.placeless) notes.push(h("span", {}, `${count(plane.placeless)} ${plane.placeless > 1 ? "rows have" : "row has"} no value for an axis, and no place here`));
  if (drawn < placed) notes.push(h("span", {}, `${count(drawn)} of ${count(placed)} rows are drawn`));
  return notes.length ? [h("p", {}, ...notes.flatMap((one, i) => (i ? ["; ", one] : [one])))] : [];
}

// Another column on an axis; the other axis keeps its own, or takes the first that is left.
function over(app, which, name) {
  const { plane } = app.state.scene;
  if (!name) return app.command("plane", { over: "pca" });
  const now = Array.isArray(plane.over) ? plane.over : [];
  const other = now[1 - which] && now[1 - which] !== name ? now[1 - which] : plane.columns.find((one) => one !== name);
  return app.command("plane", { over: which ? [other, name] : [name, other] });
}

function percentOf(value) {
  return Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–";
}

export function scene(app) {
  const { state } = app;
  const { scene, view } = state;
  resize();
  marked = "";
  axes(app);
  $("show-test").checked = scene.tested.shown;
  for (const box of $("output").querySelectorAll("[data-view]")) box.checked = view[box.dataset.view];
  $("legend").replaceChildren(...legend(state));
  const { widths, parameters } = scene.architecture;
  put($("architecture"), `${widths.join(widths.length > 5 ? "–" : " – ")}, ${count(parameters)} parameters`);
}

export function paint({ state }) {
  if (!side) resize();
  if (!side) return;
  const { scene, view } = state;
  const { shape, values } = state.frame.surface;
  const field = { n: shape[0], outputs: shape[2], values, shades: state.frame.shades.values };
  surface(pen, side, scene, field, view.discrete);
  if (scene.kind !== "quantities") boundary(pen, side, scene, field);
  const wanted = `${scene.revision} ${view.validation} ${side} ${token("--ink")}`;
  if (wanted !== marked) {
    marked = wanted;
    drawPoints(state);
  }
  if (!state.drawing) pen.drawImage(points, 0, 0);
  if (state.row !== null && !state.drawing) drawChosen(state);
  const now = latest(state);
  const shown = scene.playing
    ? "training"
    : now
      ? `${scene.kind === "quantities" ? "" : `${percentOf(now.figure)} of the validation points right`}`
      : "initial weights";
  const label = `Output over both inputs; ${shown}`;
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}
