// The output: what the network says over the square of both inputs, its boundary, and the points.

import { ofClass, signed, token } from "./color.js";
import { latest } from "./curve.js";
import { $, h, put } from "./dom.js";
import { colorsOf, mark } from "./toys.js";

const NEAR = 14; // pixels around a point in which a click means it

let canvas, pen, small, image, pixels, points, side;
let marked = "";

export function setup(app) {
  canvas = h("canvas", { id: "surface", role: "img", "aria-label": "Output over both inputs" });
  pen = canvas.getContext("2d");
  points = document.createElement("canvas");
  small = document.createElement("canvas");
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
      h("span", { class: "legend", id: "legend" }),
      tick("validation", "val.", "Show the validation points"),
      testTick(app),
      tick("discrete", "discrete", "One color a class, without degrees"),
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
  const scale = window.devicePixelRatio || 1;
  side = Math.round(canvas.clientWidth * scale);
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
}

// ── points ──────────────────────────────────────────────────────────────────────────────────────

function spot({ reach }, x1, x2) {
  return [(0.5 + x1 / (2 * reach)) * side, (0.5 - x2 / (2 * reach)) * side];
}

// A quantity as far from its mean as the colors reach: training has its targets standardized.
export function standard(scene) {
  const values = scene.points.train.map(([, , , y]) => y);
  const mean = values.reduce((a, b) => a + b, 0) / (values.length || 1);
  const spread = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length || 1));
  return { mean, spread: spread || 1 };
}

function shownPoints({ scene, view }) {
  const { train, validation, test } = scene.points;
  return [
    ...train.map((point) => [point, false]),
    ...(view.validation ? validation.map((point) => [point, true]) : []),
    ...test.map((point) => [point, true]),
  ];
}

function drawPoints(state) {
  const { scene } = state;
  Object.assign(points, { width: side, height: side });
  const brush = points.getContext("2d");
  const colors = colorsOf(scene.kind);
  const paper = token("--raised");
  const list = shownPoints(state);
  const unit = side / 320;
  const r = unit * (list.length > 260 ? 3.1 : 4.2);
  const { mean, spread } = scene.kind === "quantities" ? standard(scene) : {};
  for (const [[, x1, x2, y], hollow] of list) {
    const quantity = scene.kind === "quantities";
    const color = quantity ? colors[y < mean ? 0 : 1] : colors[y % colors.length];
    mark(brush, quantity ? 0 : y, ...spot(scene, x1, x2), r);
    brush.lineWidth = hollow ? 1.5 * unit : unit;
    brush.globalAlpha = quantity ? 0.25 + 0.75 * Math.min(1, Math.abs(y - mean) / (2 * spread)) : 1;
    brush.fillStyle = hollow ? paper : color;
    brush.fill();
    brush.globalAlpha = 1;
    brush.strokeStyle = hollow ? color : paper;
    brush.stroke();
  }
}

function click(app, event) {
  const { state } = app;
  if (!state.scene) return;
  const { left, top, width } = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - left, event.clientY - top];
  let found = null;
  let nearest = NEAR;
  for (const [[row, x1, x2]] of shownPoints(state)) {
    const [a, b] = spot(state.scene, x1, x2);
    const far = Math.hypot((a * width) / side - x, (b * width) / side - y);
    if (far < nearest) [nearest, found] = [far, row];
  }
  state.row = found;
  if (found !== null) app.view({ drawer: "numbers" });
  else app.changed();
}

// ── the surface ─────────────────────────────────────────────────────────────────────────────────

// The greatest of a cell's outputs, its number, and how sure softmax is of it beyond chance, from 0 to 1.
function winner(values, at, outputs) {
  let k = 0;
  for (let o = 1; o < outputs; o++) if (values[at + o] > values[at + k]) k = o;
  let sum = 0;
  for (let o = 0; o < outputs; o++) sum += Math.exp(values[at + o] - values[at + k]);
  return [k, (1 / sum - 1 / outputs) / (1 - 1 / outputs)];
}

function colored(scene, values, at, outputs, discrete) {
  if (scene.kind === "classes") {
    const [k, sure] = winner(values, at, outputs);
    return ofClass(k, discrete ? 1 : sure);
  }
  const z = values[at];
  if (discrete) return signed(Math.sign(z));
  return signed(scene.kind === "binary" ? Math.tanh(z / 2) : z / 2); // tanh(z/2) is 2 p - 1
}

function drawSurface({ scene, frame, view }) {
  const { shape, values } = frame.surface;
  const [n, , outputs] = shape;
  if (small.width !== n || !image) {
    Object.assign(small, { width: n, height: n });
    image = small.getContext("2d").createImageData(n, n);
    pixels = new Uint32Array(image.data.buffer);
  }
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      pixels[(n - 1 - row) * n + column] = colored(scene, values, (row * n + column) * outputs, outputs, view.discrete);
    }
  }
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = !view.discrete;
  pen.imageSmoothingQuality = "high";
  // The outermost samples lie on the square's edge, so half a cell hangs over.
  const cell = side / (n - 1);
  pen.drawImage(small, -cell / 2, -cell / 2, side + cell, side + cell);
}

// What is zero on the boundary: the log-odds, or how far a class is above all others.
function heights({ scene, frame }) {
  const { shape, values } = frame.surface;
  const [n, , outputs] = shape;
  if (scene.kind !== "classes") return [values];
  return Array.from({ length: outputs }, (_, k) => {
    const found = new Float32Array(n * n);
    for (let i = 0; i < n * n; i++) {
      let other = -Infinity;
      for (let o = 0; o < outputs; o++) if (o !== k) other = Math.max(other, values[i * outputs + o]);
      found[i] = values[i * outputs + k] - other;
    }
    return found;
  });
}

// Where a field crosses zero, cell by cell (marching squares).
function contour(values, n) {
  const cell = side / (n - 1);
  for (let row = 0; row + 1 < n; row++) {
    for (let column = 0; column + 1 < n; column++) {
      const at = row * n + column;
      const corners = [values[at], values[at + 1], values[at + n + 1], values[at + n]];
      const ends = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 4]];
        if (a < 0 === b < 0) continue;
        const t = a / (a - b);
        const [x, y] = [
          [t, 0],
          [1, t],
          [1 - t, 1],
          [0, 1 - t],
        ][k];
        ends.push([(column + x) * cell, side - (row + y) * cell]);
      }
      for (let k = 0; k + 1 < ends.length; k += 2) {
        pen.moveTo(...ends[k]);
        pen.lineTo(...ends[k + 1]);
      }
    }
  }
}

function drawBoundary(state) {
  const n = state.frame.surface.shape[0];
  pen.beginPath();
  for (const field of heights(state)) contour(field, n);
  pen.lineWidth = side / 320;
  pen.strokeStyle = token("--ink2");
  pen.stroke();
}

function drawChosen({ scene, row }) {
  const { train, validation, test } = scene.points;
  const found = [...train, ...validation, ...test].find(([number]) => number === row);
  if (!found) return;
  pen.beginPath();
  pen.arc(...spot(scene, found[1], found[2]), side / 34, 0, 2 * Math.PI);
  pen.lineWidth = side / 130;
  pen.strokeStyle = token("--ink");
  pen.stroke();
}

// ── words ───────────────────────────────────────────────────────────────────────────────────────

function legend({ scene }) {
  const [low, high] = scene.kind === "quantities" ? ["low", "high"] : scene.names;
  const entry = (k, words, last) => {
    const sign = h("canvas", { width: 24, height: 24, "aria-hidden": "true" });
    const brush = sign.getContext("2d");
    brush.fillStyle = colorsOf(scene.kind)[k];
    mark(brush, scene.kind === "quantities" ? 0 : k, 12, 12, 8.5);
    brush.fill();
    return h("span", { class: last ? "last" : "" }, sign, words);
  };
  if (scene.kind === "classes") return scene.names.map((name, k) => entry(k, name));
  return [entry(0, low), scene.kind === "quantities" ? h("i", { class: "ramp" }) : null, entry(1, high, true)].filter(
    Boolean,
  );
}

function percentOf(value) {
  return Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–";
}

export function scene(app) {
  const { state } = app;
  const { scene, view } = state;
  resize();
  marked = "";
  $("show-test").checked = scene.tested.shown;
  for (const box of $("output").querySelectorAll("[data-view]")) box.checked = view[box.dataset.view];
  $("legend").replaceChildren(...legend(state));
  const hidden = scene.recipe.network.hidden ?? [];
  const widths = [scene.inputs.length, ...hidden, scene.kind === "binary" ? 1 : scene.names.length];
  const parameters = widths.slice(1).reduce((sum, width, i) => sum + width * (widths[i] + 1), 0);
  put($("architecture"), `${widths.join(widths.length > 5 ? "–" : " – ")}, ${parameters} parameters`);
}

export function paint({ state }) {
  if (!side) resize();
  if (!side) return;
  const { scene, view } = state;
  drawSurface(state);
  if (scene.kind !== "quantities") drawBoundary(state);
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
