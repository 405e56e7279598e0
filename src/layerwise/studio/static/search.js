// A race of searches: a grid, random draws and Bayesian search on one surface, trial by trial, and the best so far.

import { along, levels, names, roomFor } from "./axis.js";
import { token } from "./color.js";
import { $, h, minus, put, short } from "./dom.js";
import { open } from "./games.js";
import { paper, sideOf } from "./paper.js";
import { raster } from "./surface.js";

const NAMES = {
  "train.learning_rate": "learning rate",
  "train.l2": "L2",
  "train.l1": "L1",
  "train.dropout": "dropout",
  "train.batch_size": "batch size",
  "train.optimizer.momentum": "momentum",
};
const DASHES = [[], [6, 4], [2, 3]];
const EDGE = 0.13; // of a panel is left for the marks on both axes
const PAD = 0.032; // and so much on the left, where trials stand on the edge
const FOOT = 0.06; // and below, for the ends of the axis

let panels = []; // { heading, canvas, best }
let against, draw, upwards, chart, box;
let ramp = null;
let rampOf = "";

export function made(app) {
  against = h("select", { "aria-label": "Searched with the learning rate" });
  against.addEventListener("change", () => app.view({ against: against.value }));
  draw = h("span");
  upwards = h("span");
  const next = h("button", { id: "next-draw", onclick: () => app.view({ draw: String(Number(app.state.view.draw) + 1) }) }, "Other draws");
  panels = [0, 1, 2].map((search) => {
    const canvas = h("canvas", { role: "img" });
    canvas.addEventListener("click", (event) => choose(app, search, event));
    return { heading: h("h3"), best: h("span"), canvas };
  });
  chart = h("canvas", { role: "img", "aria-label": "Lowest loss so far of the three searches" });
  box = h(
    "div",
    { class: "race" },
    h("p", { class: "choices" }, "learning rate", h("span", { "aria-hidden": "true" }, "×"), h("span", { class: "menu" }, against), next, draw),
    h("p", { class: "key" }, "→ learning rate, ↑ ", upwards, " · the darker, the lower the loss · ○ a trial, ● the newest, ◎ the best; a click plays with it"),
    h("div", { class: "panels" }, ...panels.map(({ heading, best, canvas }) => h("section", {}, h("header", {}, heading, best), canvas))),
    h("div", { class: "chart" }, chart),
  );
  return box;
}

// ── where things stand on a panel ───────────────────────────────────────────────────────────────

function layout(side) {
  const [edge, pad] = [EDGE * side, PAD * side];
  const inner = side - edge - Math.max(pad, FOOT * side);
  const bottom = edge + inner;
  return { edge, pad, inner, bottom, x: (share) => pad + share * inner, y: (share) => bottom - share * inner };
}

// A click on a trial plays with its settings.
function choose(app, search, event) {
  const { frame, scene } = app.state;
  if (!frame?.trials) return;
  const side = panels[search].canvas.clientWidth;
  const { x, y } = layout(side);
  const made = frame.trials.shape[1];
  let [found, far] = [null, 14];
  for (let trial = 0; trial < made; trial++) {
    const [a, b] = frame.trials.values.subarray(3 * (search * made + trial), 3 * (search * made + trial) + 2);
    const off = Math.hypot(x(a) - event.offsetX, y(b) - event.offsetY);
    if (off < far) [found, far] = [trial, off];
  }
  if (found !== null) open(app, search * scene.trials + found);
}

// From dark, the lowest loss, to paper.
function inks() {
  const [from, to] = [token("--ink2"), token("--fill")];
  if (rampOf !== from + to) {
    rampOf = from + to;
    const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const [a, b] = [channels(from), channels(to)];
    ramp = Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, blue] = a.map((c, k) => Math.round(c + ((b[k] - c) * i) / 255));
      return (255 << 24) | (blue << 16) | (g << 8) | r;
    });
  }
  return ramp;
}

function ground(pen, side, { surface }) {
  const [rows, columns] = surface.shape;
  const n = Math.max(rows, columns);
  const colors = inks();
  const { edge, pad, inner } = layout(side);
  const color = (at) => {
    const value = surface.values[Math.floor((Math.floor(at / n) * rows) / n) * columns + Math.floor(((at % n) * columns) / n)];
    return Number.isFinite(value) ? colors[Math.round(255 * Math.min(1, Math.max(0, value)))] : 0;
  };
  const canvas = raster(pen, inner, n, color, false);
  pen.drawImage(canvas, pad, edge, inner, inner);
}

// On both edges where the trials stand, and how the mean over the other axis goes: low is good.
function margins(pen, side, frame, search) {
  const { edge, pad, inner, x, y } = layout(side);
  const right = pad + inner;
  const made = frame.trials.shape[1];
  const unit = side / 320;
  pen.strokeStyle = token("--ink");
  pen.lineWidth = Math.max(1, unit);
  for (let trial = 0; trial < made; trial++) {
    const [a, b] = frame.trials.values.subarray(3 * (search * made + trial), 3 * (search * made + trial) + 2);
    pen.beginPath();
    pen.moveTo(x(a), edge - 2 * unit);
    pen.lineTo(x(a), edge - 10 * unit);
    pen.moveTo(right + 2 * unit, y(b));
    pen.lineTo(right + 10 * unit, y(b));
    pen.stroke();
  }
  pen.strokeStyle = token("--ink3");
  const room = edge - 28 * unit;
  const [, levels] = frame.margins.shape;
  [0, 1].forEach((axis) => {
    const values = frame.margins.values.subarray(axis * levels, (axis + 1) * levels).filter(Number.isFinite);
    pen.beginPath();
    values.forEach((value, i) => {
      const [along, off] = [(i + 0.5) / values.length, 12 * unit + room * Math.min(1, Math.max(0, value))];
      const at = axis ? [right + off, y(along)] : [x(along), edge - off];
      pen[i ? "lineTo" : "moveTo"](...at);
    });
    pen.stroke();
  });
}

function trials(pen, side, frame, search) {
  const { x, y } = layout(side);
  const made = frame.trials.shape[1];
  const unit = side / 320;
  const list = Array.from({ length: made }, (_, trial) => frame.trials.values.subarray(3 * (search * made + trial), 3 * (search * made + trial) + 3));
  list.forEach((one, trial) => {
    pen.beginPath();
    pen.arc(x(one[0]), y(one[1]), 3.6 * unit, 0, 2 * Math.PI);
    pen.fillStyle = token(trial === made - 1 ? "--ink" : "--raised");
    pen.fill();
    pen.lineWidth = 1.4 * unit;
    pen.strokeStyle = token(trial === made - 1 ? "--raised" : "--ink");
    pen.stroke();
  });
  const best = list[frame.leaders.values[search]];
  if (!best) return;
  for (const [r, color, width] of [[7.5, "--raised", 4.5], [7.5, "--ink", 2]]) {
    pen.beginPath();
    pen.arc(x(best[0]), y(best[1]), r * unit, 0, 2 * Math.PI);
    pen.lineWidth = width * unit;
    pen.strokeStyle = token(color);
    pen.stroke();
  }
}

// What both axes begin and end with: below the panel, and beside it upwards.
function ends(pen, side, [along, upwards]) {
  const { bottom, inner, pad } = layout(side);
  const { fontFamily, fontSize } = getComputedStyle(document.body);
  const size = 0.786 * parseFloat(fontSize) * (window.devicePixelRatio || 1);
  pen.font = `${size}px ${fontFamily}`;
  pen.fillStyle = token("--ink2");
  const text = (value) => (value && value < 1e-3 ? short(value) : minus(String(Number(value.toPrecision(2)))));
  pen.textBaseline = "bottom";
  pen.textAlign = "left";
  pen.fillText(`→ ${text(along.low)}`, pad, side);
  pen.textAlign = "right";
  pen.fillText(text(along.high), pad + inner, side);
  pen.save();
  pen.translate(side, bottom);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "left";
  pen.fillText(`→ ${text(upwards.low)}`, 0, 0);
  pen.textAlign = "right";
  pen.fillText(text(upwards.high), inner, 0);
  pen.restore();
}

// ── the best so far ─────────────────────────────────────────────────────────────────────────────

function drawChart({ frame, scene }) {
  const sheet = paper(chart);
  if (!sheet) return;
  const { width, height, rem } = sheet;
  const made = frame.best.shape[1];
  const known = [...frame.best.values].filter((value) => Number.isFinite(value) && value > 0);
  const [least, most] = known.length ? [Math.min(...known), Math.max(...known)] : [0.01, 1];
  const span = Math.log(most / least) || 1;
  const ticks = known.length ? [most, least].map((value) => [value, short(value)]) : [];
  const [left, right, top, low] = [roomFor(sheet, ticks, 3.2 * rem), width - 9 * rem, 0.8 * rem, height - 1.6 * rem];
  const x = (trial) => left + ((right - left) * trial) / Math.max(1, scene.trials - 1);
  const y = (value) => low - 4 - ((low - 4 - top) * Math.log(value / least)) / span;
  levels(sheet, ticks, y, left, right);
  along(sheet, left, right, low, "1", `${scene.trials} trials`);
  lines(sheet, frame, scene, { made, x, y, right, low });
}

function lines(sheet, frame, scene, { made, x, y, right, low }) {
  const { pen } = sheet;
  const labels = [];
  scene.methods.forEach((name, search) => {
    const values = frame.best.values.subarray(search * made, (search + 1) * made);
    pen.setLineDash(DASHES[search]);
    pen.lineWidth = 1.7;
    pen.strokeStyle = token("--ink");
    pen.beginPath();
    let drawn = false;
    values.forEach((value, trial) => {
      if (!Number.isFinite(value)) return;
      if (drawn) pen.lineTo(x(trial), y(values[trial - 1]));
      pen[drawn ? "lineTo" : "moveTo"](x(trial), y(value));
      drawn = true;
    });
    pen.stroke();
    const last = values.at(-1);
    if (Number.isFinite(last)) labels.push({ at: y(last), parts: [[`${short(last)} ${name}`, "--ink", ""]] });
  });
  pen.setLineDash([]);
  names(sheet, labels, right, low);
}

// ── the part ────────────────────────────────────────────────────────────────────────────────────

export function scene({ state }) {
  const { scene, view } = state;
  if (scene.game !== "race") return;
  against.replaceChildren(...scene.choices.map((path) => h("option", { value: path, selected: path === view.against }, NAMES[path] ?? path)));
  put(upwards, NAMES[scene.against] ?? scene.against);
  put(draw, `draws ${scene.draw}, budget ${scene.trials} trials each`);
  panels.forEach(({ heading }, i) => put(heading, `${scene.methods[i].charAt(0).toUpperCase()}${scene.methods[i].slice(1)}`));
}

export function paint({ state }) {
  const { frame, scene } = state;
  if (!frame.trials || !$("many").clientWidth) return;
  const made = frame.trials.shape[1];
  panels.forEach(({ canvas, best }, search) => {
    const side = sideOf(canvas);
    if (!side) return;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, side, side);
    ground(pen, side, frame);
    margins(pen, side, frame, search);
    trials(pen, side, frame, search);
    if (scene.axes) ends(pen, side, scene.axes);
    const value = made ? frame.best.values[(search + 1) * made - 1] : NaN;
    put(best, Number.isFinite(value) ? short(value) : "");
    const label = `${scene.methods[search]}: ${made} of ${scene.trials} trials, lowest loss ${Number.isFinite(value) ? short(value) : "unknown"}; learning rate along, ${NAMES[scene.against]} upwards`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  });
  drawChart(state);
}
