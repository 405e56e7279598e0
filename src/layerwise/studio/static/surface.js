// A square of both inputs: what a network says over it, its boundary, and the points. The same on every view, in
// any size. A field is { n, outputs, values, shades }: n by n points from low to high x2, so many outputs each, and
// the class that each point is taken for with a degree.

import { ofClass, signed, token } from "./color.js";
import { colorsOf, mark } from "./toys.js";

const FLAT = 1e-4; // of its size: a field that varies less is the same everywhere but for rounding

const scratch = new Map(); // by points a side: { canvas, image, pixels }

function paper(n) {
  if (!scratch.has(n)) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: n, height: n });
    const image = canvas.getContext("2d").createImageData(n, n);
    scratch.set(n, { canvas, image, pixels: new Uint32Array(image.data.buffer) });
  }
  return scratch.get(n);
}

// The class that a point is taken for, and how sure that is, as a color; degree 0 is neither.
function colored(scene, shades, at, discrete) {
  const [taken, degree] = [shades[2 * at], shades[2 * at + 1]];
  const size = discrete && degree ? 1 : degree / 255;
  return scene.kind === "classes" ? ofClass(taken, size) : signed(taken ? size : -size);
}

// Of a section that holds several of one size, the values of one.
export function part({ shape, values }, which) {
  const size = values.length / shape[0];
  return values.subarray(which * size, (which + 1) * size);
}

// Any n by n field as pixels, over a square of `side` pixels; `color(at)` is the pixel of a point.
export function raster(pen, side, n, color, smooth = true) {
  const { canvas, image, pixels } = paper(n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) pixels[(n - 1 - row) * n + column] = color(row * n + column);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = smooth;
  pen.imageSmoothingQuality = "high";
  return canvas;
}

export function surface(pen, side, scene, { n, shades }, discrete) {
  const color = (at) => colored(scene, shades, at, discrete);
  const canvas = raster(pen, side, n, color, !discrete);
  // The outermost samples lie on the square's edge, so half a cell hangs over.
  const cell = side / (n - 1);
  pen.drawImage(canvas, -cell / 2, -cell / 2, side + cell, side + cell);
}

// What is zero on the boundary: the log-odds, or how far a class is above all others.
function heights(scene, { n, outputs, values }) {
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
function contour(pen, side, values, n) {
  const cell = side / (n - 1);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(high - low > FLAT * Math.max(1, Math.abs(low), Math.abs(high)))) return; // flat, or no numbers: no boundary
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

export function boundary(pen, side, scene, field) {
  pen.beginPath();
  for (const values of heights(scene, field)) contour(pen, side, values, field.n);
  pen.lineWidth = Math.max(side / 320, 0.75);
  pen.strokeStyle = token("--ink2");
  pen.stroke();
}

// ── points ──────────────────────────────────────────────────────────────────────────────────────

export function spot(side, { reach }, x1, x2) {
  return [(0.5 + x1 / (2 * reach)) * side, (0.5 - x2 / (2 * reach)) * side];
}

// Points [row, x1, x2, y], each with whether it is hollow.
export function scatter(pen, side, scene, list, size = 1) {
  const colors = colorsOf(scene.kind);
  const ground = token("--raised");
  const unit = (size * side) / 320;
  const r = unit * (list.length > 260 ? 3.1 : 4.2);
  const [mean, spread] = scene.spread ?? [];
  for (const [[, x1, x2, y], hollow] of list) {
    const quantity = scene.kind === "quantities";
    const color = quantity ? colors[y < mean ? 0 : 1] : colors[y % colors.length];
    mark(pen, quantity ? 0 : y, ...spot(side, scene, x1, x2), r);
    pen.lineWidth = hollow ? 1.5 * unit : unit;
    pen.globalAlpha = quantity ? 0.25 + 0.75 * Math.min(1, Math.abs(y - mean) / (2 * spread)) : 1;
    pen.fillStyle = hollow ? ground : color;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = hollow ? color : ground;
    pen.stroke();
  }
}
