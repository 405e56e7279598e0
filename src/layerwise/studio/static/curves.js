// The curves: validation in thick ink, training thin; named at their ends, the best epoch dotted, what lies
// ahead of the cursor faded, and the branch that was left dotted.

import { along, levels, names, roomFor, rounded, steps } from "./axis.js";
import { best, latest } from "./curve.js";
import { token } from "./color.js";
import { $, alike, count, h, short } from "./dom.js";
import { paper } from "./paper.js";
import { chosen, tabs } from "./tabs.js";

const ERRORS = { mse: "Squared error", mae: "Absolute error" }; // of quantities

let canvas, pen, choices;

export function setup(app) {
  canvas = h("canvas", { role: "img", "aria-label": "Curves of training and validation" });
  const words = { loss: "Loss", accuracy: "Accuracy" };
  choices = tabs({ label: "Curves", name: "figure", words, choose: (figure) => app.view({ figure }) });
  $("curves").append(choices.list, h("div", { class: "chart" }, canvas));
  new ResizeObserver(app.changed).observe(canvas);
}

// Of a curve's rows, the columns drawn: { rows, at(row, column) }.
function read(state) {
  const { curve } = state.frame;
  const shift = state.view.figure === "loss" ? 0 : 1;
  return {
    rows: curve.shape[0],
    step: (row) => curve.values[5 * row],
    train: (row) => curve.values[5 * row + 1 + shift],
    validation: (row) => curve.values[5 * row + 3 + shift],
  };
}

function range(state, lines) {
  if (state.view.figure !== "loss" && state.scene.kind !== "quantities") return [0, 1];
  const found = [];
  for (let row = 0; row < lines.rows; row++) found.push(lines.train(row), lines.validation(row));
  const finite = found.filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return [0, 1];
  // What shoots up does not press the rest flat.
  const [first] = [lines.validation(0), lines.train(0), 1].filter(Number.isFinite);
  return [Math.max(-1, finite[0]), Math.min(finite.at(-1), 5 * Math.abs(first))];
}

function line(lines, part, x, y, from, to) {
  pen.beginPath();
  let drawn = false;
  for (let row = from; row < to; row++) {
    const value = lines[part](row);
    if (!Number.isFinite(value)) continue;
    if (drawn) pen.lineTo(x(lines.step(row)), y(value));
    else pen.moveTo(x(lines.step(row)), y(value));
    drawn = true;
  }
  pen.stroke();
}

function frameOf(state, sheet) {
  const { rem, width, height } = sheet;
  const lines = read(state);
  const scale = rounded(...range(state, lines));
  const [left, right, top, bottom] = [roomFor(sheet, steps(scale), 2.4 * rem), width - 6.9 * rem, 1.5 * rem, height - 1.5 * rem];
  const { ghost, steps_per_epoch: per } = state.scene;
  // The line that was left gives a young branch room to be seen beside it.
  const old = Math.min(ghost.at(-1)?.[0] ?? 0, Math.max(2 * state.end, 20 * per));
  const end = Math.max(state.end, lines.rows ? lines.step(lines.rows - 1) : 0, old, 1);
  const x = (step) => left + ((right - left) * step) / end;
  const y = (value) =>
    bottom -
    ((bottom - top) * (Math.min(scale.to, Math.max(scale.from, value)) - scale.from)) / (scale.to - scale.from);
  return { lines, scale, x, y, end, left, right, top, bottom };
}

function ghost(state, plot) {
  const rows = state.scene.ghost;
  if (!rows.length) return;
  const held = rows.some((row) => Number.isFinite(row[3] ?? NaN));
  const column = (held ? 3 : 1) + (state.view.figure === "loss" ? 0 : 1);
  pen.setLineDash([1.5, 3]);
  pen.lineWidth = 1.2;
  pen.strokeStyle = token("--ink3");
  pen.beginPath();
  const shown = rows.filter((row) => row[0] <= plot.end && Number.isFinite(row[column] ?? NaN));
  shown.forEach((row, i) => pen[i ? "lineTo" : "moveTo"](plot.x(row[0]), plot.y(row[column])));
  pen.stroke();
  pen.setLineDash([]);
}

function peak(state, plot, rem) {
  const found = best(state);
  if (!Number.isFinite(found?.validation)) return;
  const x = plot.x(found.step);
  pen.setLineDash([2, 2]);
  pen.lineWidth = 1;
  pen.strokeStyle = token("--ink");
  pen.beginPath();
  pen.moveTo(x, plot.top);
  pen.lineTo(x, plot.bottom);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = token("--ink");
  const words = `best, epoch ${count(Math.floor(found.step / state.scene.steps_per_epoch))}`;
  const half = pen.measureText(words).width / 2;
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  pen.fillText(
    words,
    Math.min(plot.right + 0.5 * rem - half, Math.max(plot.left + half + 0.3 * rem, x)),
    plot.top - 0.2 * rem,
  );
}

// Where training stands on the validation's line.
function point(state, plot, rem, now) {
  const value = state.view.figure === "loss" ? now?.validation : now?.figure;
  if (!Number.isFinite(value)) return;
  pen.beginPath();
  pen.arc(plot.x(now.step), plot.y(value), 0.25 * rem, 0, 2 * Math.PI);
  pen.fillStyle = token("--ink");
  pen.fill();
}

// A value at a line's end with its name.
function ends(state, plot, sheet, now) {
  if (!now) return;
  const accuracy = state.view.figure !== "loss";
  const lines = [
    [accuracy ? now.figure : now.validation, " val.", "--ink", "600"],
    [accuracy ? now.trainFigure : now.train, " train", "--ink2", ""],
  ].filter(([value]) => Number.isFinite(value));
  const digits = alike(lines.map(([value]) => value));
  const said = (value) =>
    accuracy && state.scene.kind !== "quantities" ? `${(100 * value).toFixed(0)} %` : short(value, digits);
  const found = lines
    .map(([value, name, color, weight]) => ({
      at: plot.y(value),
      parts: [
        [said(value), color, weight],
        [name, color, ""],
      ],
    }));
  names(sheet, found, plot.right, plot.bottom);
}

export function scene({ state }) {
  const { loss } = state.scene.recipe.task;
  choices.tabs[0].textContent = (state.scene.kind === "quantities" && ERRORS[loss ?? "mse"]) || "Loss";
  choices.tabs[1].textContent = state.scene.kind === "quantities" ? "R²" : "Accuracy";
  chosen(choices.tabs, (tab) => tab.dataset.figure === state.view.figure);
}

export function paint({ state }) {
  const sheet = paper(canvas);
  if (!sheet) return;
  const { rem } = sheet;
  pen = sheet.pen;
  const plot = frameOf(state, sheet);
  const epochs = Math.floor(state.end / state.scene.steps_per_epoch);
  levels(sheet, steps(plot.scale), plot.y, plot.left, plot.right);
  along(sheet, plot.left, plot.right, plot.bottom, "0", `${count(epochs)} epoch${epochs === 1 ? "" : "s"}`);
  ghost(state, plot);
  const now = latest(state);
  let cursor = 0;
  while (cursor < plot.lines.rows && plot.lines.step(cursor) <= state.step) cursor++;
  pen.lineJoin = "round";
  for (const [from, to, alpha] of [
    [Math.max(0, cursor - 1), plot.lines.rows, 0.3],
    [0, cursor, 1],
  ]) {
    pen.globalAlpha = alpha;
    pen.strokeStyle = token("--ink3");
    pen.lineWidth = 1.2;
    line(plot.lines, "train", plot.x, plot.y, from, to);
    pen.strokeStyle = token("--ink");
    pen.lineWidth = 1.8;
    line(plot.lines, "validation", plot.x, plot.y, from, to);
  }
  pen.globalAlpha = 1;
  point(state, plot, rem, now);
  peak(state, plot, rem);
  ends(state, plot, sheet, now);
}
