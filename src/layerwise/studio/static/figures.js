// How well it does on the rows held out: who was taken for whom, or what was said beside the truth, with the interval.

import { token } from "./color.js";
import { $, count, h, put, short, svg } from "./dom.js";
import { colorsOf, mark } from "./toys.js";

const RAMP = [0.04, 0.36]; // of ink in a cell, so that its number stays legible
const MOST = 10; // classes that a matrix is drawn for

let drawn = "";
let cells = []; // [is][said]
let dots = null; // of the fit
let ends = null; // what it reaches from and to

export function setup() {
  const score = h("dl", { class: "score" }, h("dd", { class: "value" }), h("dt"), h("dd", { class: "range" }));
  $("figures").append(
    h("h2", {}, "Validation", h("span", { id: "tested" })),
    h("div", { class: "held-out" }, h("div", { id: "matrix" }), score),
  );
}

// ── what stands still ───────────────────────────────────────────────────────────────────────────

function sign(scene, k) {
  const canvas = h("canvas", { width: 24, height: 24, role: "img", "aria-label": scene.names[k] });
  const pen = canvas.getContext("2d");
  pen.fillStyle = colorsOf(scene.kind)[k % colorsOf(scene.kind).length];
  mark(pen, k, 12, 12, 8.5);
  pen.fill();
  return canvas;
}

// Where names are as short as marks, they stand for themselves.
function named(scene, k) {
  return scene.names.every((name) => name.length <= 2) ? scene.names[k] : sign(scene, k);
}

// Rows are what it is, columns what was said. Without classes, a plot of the truth against what was said.
function matrix(scene) {
  const classes = scene.names.length;
  const head = h(
    "thead",
    {},
    h("tr", {}, h("td"), h("th", { scope: "colgroup", colSpan: classes }, "said")),
    h("tr", {}, h("td"), ...scene.names.map((_, k) => h("th", { scope: "col" }, named(scene, k)))),
  );
  cells = scene.names.map(() => scene.names.map(() => h("td", { class: "cell" })));
  const rows = cells.map((row, k) => h("tr", {}, h("th", { scope: "row" }, named(scene, k)), ...row));
  rows[0].firstChild.dataset.first = "is";
  const caption = h("caption", { class: "unseen" }, "Validation points of each class by what they were taken for");
  return h("table", { class: classes > 4 ? "confusion many" : "confusion" }, caption, head, h("tbody", {}, ...rows));
}

function fitPlot(scene) {
  const words = `${scene.names[0]}: what was said against the truth, over the validation points`;
  const plot = svg("svg", { viewBox: "0 0 100 100", role: "img", "aria-label": words, class: "fit" });
  dots = svg("path", { class: "dots" });
  plot.append(svg("path", { d: "M4 96 96 4", class: "equal" }), dots);
  ends = h("span");
  return h("figure", {}, plot, h("figcaption", {}, "said ↑ over truth →", ends));
}

function build(scene) {
  cells = [];
  dots = null;
  if (scene.kind === "quantities") return [fitPlot(scene)];
  return scene.kind !== "labels" && scene.names.length <= MOST ? [matrix(scene)] : [];
}

// ── what every frame says ───────────────────────────────────────────────────────────────────────

function paintMatrix({ shape, values }) {
  const classes = shape[0];
  if (cells.length !== classes) return;
  for (let is = 0; is < classes; is++) {
    const row = values.subarray(is * classes, (is + 1) * classes);
    const total = row.reduce((a, b) => a + b, 0);
    row.forEach((value, said) => {
      const cell = cells[is][said];
      put(cell, value ? count(value) : "·");
      const share = RAMP[0] + (RAMP[1] - RAMP[0]) * (total ? value / total : 0);
      cell.style.background = `color-mix(in srgb, var(--ink) ${(100 * share).toFixed(1)}%, transparent)`;
      cell.classList.toggle("wrong", is !== said && value > 0);
    });
  }
}

function paintFit({ shape, values }) {
  if (!dots) return;
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < shape[0]; i++) {
    [low, high] = [Math.min(low, values[2 * i]), Math.max(high, values[2 * i])];
  }
  const at = (value) => 4 + 92 * Math.min(1.04, Math.max(-0.04, (value - low) / (high - low || 1)));
  let path = "";
  for (let i = 0; i < shape[0]; i++) {
    const [x, y] = [at(values[2 * i]), 100 - at(values[2 * i + 1])];
    if (Number.isFinite(x + y)) path += `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
  }
  dots.setAttribute("d", path);
  put(ends, shape[0] ? `, ${short(low, 2)} to ${short(high, 2)}` : "");
}

const decimal = (value) => value.toFixed(2).replace("-", "−");
const percent = (value) => `${Math.round(100 * value)} %`;

// 84 – 97 %: the unit once.
function range(low, high, quantity) {
  return quantity ? `${decimal(low)} to ${decimal(high)}` : `${Math.round(100 * low)} – ${percent(high)}`;
}

function paintScore({ scene, frame }) {
  const quantity = scene.kind === "quantities";
  const rows = scene.rows.validation; // those without a place on the square, too
  const [value, low, high] = frame.score.values;
  const known = Number.isFinite(value);
  const [number, words, interval] = $("figures").querySelector(".score").children;
  put(number, known ? (quantity ? decimal(value) : percent(value)) : "–");
  put(words, rows ? (quantity ? `R², of ${rows}` : `right, of ${rows}`) : "nothing held out");
  put(interval, !known ? "" : scene.copied ? "copies of training points" : `95 % interval ${range(low, high, quantity)}`);
}

function paintTested({ scene, frame }) {
  const { rows, times, shown } = scene.tested;
  const box = $("tested");
  const words = times === 1 ? "once" : `${times} times`;
  const figure = shown && frame.score.shape[0] > 1 ? frame.score.values.subarray(3, 6) : null;
  let said = !rows ? "no test set" : times ? `test set looked at ${words}` : "test set untouched";
  if (figure && Number.isFinite(figure[0])) {
    said = `test ${scene.kind === "quantities" ? decimal(figure[0]) : percent(figure[0])}, looked at ${words}`;
  }
  put(box, said);
}

export function scene(app) {
  const { scene } = app.state;
  const wanted = JSON.stringify([scene.kind, scene.names, token("--ink")]);
  if (wanted === drawn) return;
  drawn = wanted;
  document.documentElement.classList.toggle("classes", scene.kind === "classes" && scene.names.length > 4);
  $("matrix").replaceChildren(...build(scene));
}

export function paint({ state }) {
  const { frame } = state;
  if (!frame.score) return;
  if (frame.confusion) paintMatrix(frame.confusion);
  if (frame.fit) paintFit(frame.fit);
  paintScore(state);
  paintTested(state);
}
