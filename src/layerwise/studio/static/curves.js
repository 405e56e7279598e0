// The curves: validation in thick ink, training thin; named at their ends, the best epoch dotted, what lies
// ahead of the cursor faded, and the branch that was left dotted.

import { best, latest } from "./curve.js";
import { token } from "./color.js";
import { $, count, h, short } from "./dom.js";

let canvas, pen, tabs;

export function setup(app) {
  canvas = h("canvas", { role: "img", "aria-label": "Curves of training and validation" });
  pen = canvas.getContext("2d");
  tabs = ["loss", "accuracy"].map((figure) =>
    h(
      "button",
      { role: "tab", "data-figure": figure, onclick: () => app.view({ figure }) },
      figure === "loss" ? "Loss" : "Accuracy",
    ),
  );
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Curves" }, ...tabs);
  list.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    const next = tabs.find((tab) => tab !== document.activeElement);
    next.click();
    next.focus();
  });
  $("curves").append(list, h("div", { class: "chart" }, canvas));
  new ResizeObserver(app.changed).observe(canvas);
}

// Round values from zero, or just below the lowest, to beyond the highest.
function axis(low, high) {
  const span = high - Math.min(0, low) || 1;
  const raw = span / 2;
  const power = 10 ** Math.floor(Math.log10(raw));
  const by = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((k) => k * power).find((step) => step >= 0.97 * raw);
  const from = low < 0 ? -by : 0;
  return { by, from, to: from + by * Math.ceil((high - from) / by - 0.03) };
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

function frameOf(state, rem, width, height) {
  const lines = read(state);
  const scale = axis(...range(state, lines));
  const [left, right, top, bottom] = [2.4 * rem, width - 6 * rem, 1.5 * rem, height - 1.5 * rem];
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

function grid({ scale, y, left, right, bottom }, rem, epochs) {
  pen.lineWidth = 1;
  pen.strokeStyle = token("--line");
  pen.fillStyle = token("--ink3");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const digits = Math.max(
    1,
    Math.min(
      4,
      -Math.floor(Math.log10(scale.by) + 1e-9) + ((scale.by / 10 ** Math.floor(Math.log10(scale.by))) % 1 > 0.01),
    ),
  );
  for (let value = scale.from; value <= scale.to + 1e-9; value += scale.by) {
    pen.beginPath();
    pen.moveTo(left, Math.round(y(value)) + 0.5);
    pen.lineTo(right, Math.round(y(value)) + 0.5);
    pen.stroke();
    pen.fillText(value.toFixed(digits).replace("-", "−"), left - 0.5 * rem, y(value));
  }
  pen.textBaseline = "top";
  pen.textAlign = "left";
  pen.fillText("0", left, bottom + 0.4 * rem);
  pen.textAlign = "right";
  pen.fillText(epochs, right, bottom + 0.4 * rem);
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
    Math.min(plot.right + 4 * rem - half, Math.max(plot.left + half - 0.5 * rem, x)),
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

// A value at a line's end with its name; the two keep apart.
function ends(state, plot, rem, now) {
  if (!now) return;
  const accuracy = state.view.figure !== "loss";
  const said = (value) =>
    accuracy && state.scene.kind !== "quantities" ? `${(100 * value).toFixed(0)} %` : short(value);
  const labels = [
    [accuracy ? now.figure : now.validation, "val.", "--ink", "600 "],
    [accuracy ? now.trainFigure : now.train, "train", "--ink2", ""],
  ]
    .filter(([value]) => Number.isFinite(value))
    .map(([value, ...rest]) => [plot.y(value), value, ...rest]);
  if (labels.length === 2 && Math.abs(labels[0][0] - labels[1][0]) < 1.2 * rem) {
    const middle = Math.min(plot.bottom - 0.6 * rem, (labels[0][0] + labels[1][0]) / 2);
    const lower = labels[0][0] > labels[1][0] ? 0 : 1;
    labels[lower][0] = middle + 0.6 * rem;
    labels[1 - lower][0] = middle - 0.6 * rem;
  }
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const family = getComputedStyle(document.body).fontFamily;
  for (const [at, value, name, color, weight] of labels) {
    pen.fillStyle = token(color);
    pen.font = `${weight}${0.857 * rem}px ${family}`;
    pen.fillText(said(value), plot.right + 0.7 * rem, at);
    const width = pen.measureText(said(value)).width;
    pen.font = `${0.857 * rem}px ${family}`;
    pen.fillText(` ${name}`, plot.right + 0.7 * rem + width, at);
  }
}

export function scene({ state }) {
  tabs[1].textContent = state.scene.kind === "quantities" ? "R²" : "Accuracy";
  for (const tab of tabs) {
    const on = tab.dataset.figure === state.view.figure;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
}

export function paint({ state }) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  pen.font = `${0.857 * rem}px ${getComputedStyle(document.body).fontFamily}`;
  const plot = frameOf(state, rem, width, height);
  const epochs = Math.floor(state.end / state.scene.steps_per_epoch);
  grid(plot, rem, `${count(epochs)} epoch${epochs === 1 ? "" : "s"}`);
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
  ends(state, plot, rem, now);
}
