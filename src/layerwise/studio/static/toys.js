// Small pictures of the toy data, to choose by. They only hint at the figures; the server makes the points.

import { classColors, token } from "./color.js";

export const TOYS = {
  circle: "Circle",
  xor: "XOR",
  gaussians: "Two clouds",
  spiral: "Spirals",
  moons: "Moons",
  arms: "Three arms",
  clouds: "Four clouds",
  rings: "Rings",
  and: "AND",
  or: "OR",
  plane: "Plane",
  "multi-gaussian": "Hills",
};

// Numbers between 0 and 1 that look random and are the same every time.
function scatter(i, salt) {
  const x = Math.sin(12.9898 * i + 78.233 * salt) * 43758.5453;
  return x - Math.floor(x);
}

const round = (radius, angle) => [radius * Math.cos(angle), radius * Math.sin(angle)];

function gate(i, high) {
  const corner = i % 4;
  const [a, b] = [corner >> 1, corner & 1];
  const jitter = (salt) => 0.5 * (scatter(i, salt) - 0.5);
  return [1.1 * a - 0.55 + jitter(1), 1.1 * b - 0.55 + jitter(2), high[corner] ? 1 : -1];
}

// Point number i of a figure on the square from -1 to 1, and its value from -1 to 1, or of several classes its number.
const SEVERAL = new Set(["arms", "clouds", "rings"]);
const FIGURES = {
  circle: (i) => {
    const inside = i % 2;
    const radius = inside ? 0.42 * Math.sqrt(scatter(i, 1)) : 0.68 + 0.24 * scatter(i, 1);
    return [...round(radius, 6.283 * scatter(i, 2)), inside ? 1 : -1];
  },
  gaussians: (i) => {
    const side = i % 2 ? 1 : -1;
    const spread = (salt) => 0.5 * (scatter(i, salt) + scatter(i, salt + 5) - 1);
    return [0.45 * side + spread(1), 0.45 * side + spread(2), side];
  },
  spiral: (i) => {
    const along = (i >> 1) / 24;
    return [...round(0.12 + 0.82 * along, 7 * along + (i % 2 ? Math.PI : 0)), i % 2 ? 1 : -1];
  },
  moons: (i) => {
    const angle = (Math.PI * (i >> 1)) / 23;
    const [x, y] = round(0.56 + 0.14 * scatter(i, 1), angle);
    return i % 2 ? [0.3 - x, 0.18 - y, 1] : [x - 0.3, y - 0.18, -1];
  },
  arms: (i) => {
    const along = Math.floor(i / 3) / 16;
    return [...round(0.1 + 0.84 * along, 2.83 * along + 2.094 * (i % 3)), i % 3];
  },
  clouds: (i) => {
    const spread = (salt) => 0.5 * (scatter(i, salt) + scatter(i, salt + 5) - 1);
    return [(i & 1 ? 0.52 : -0.52) + spread(1), (i & 2 ? 0.52 : -0.52) + spread(2), i % 4];
  },
  rings: (i) => [...round([0.12, 0.5, 0.88][i % 3] + 0.12 * (scatter(i, 1) - 0.5), 6.283 * scatter(i, 2)), i % 3],
  xor: (i) => gate(i, [0, 1, 1, 0]),
  and: (i) => gate(i, [0, 0, 0, 1]),
  or: (i) => gate(i, [0, 1, 1, 1]),
  plane: (i) => {
    const [x, y] = [1.8 * scatter(i, 1) - 0.9, 1.8 * scatter(i, 2) - 0.9];
    return [x, y, (x + y) / 1.8];
  },
  "multi-gaussian": (i) => {
    const [column, row] = [(i % 3) - 1, i % 2 ? 1 : -1];
    const [x, y] = round(0.33 * Math.sqrt(scatter(i, 1)), 6.283 * scatter(i, 2));
    return [0.6 * column + x, 0.45 * row + y, row * (column ? -1 : 1) * (1 - 0.7 * scatter(i, 1))];
  },
};

export function drawToy(canvas, name) {
  const side = 40 * Math.min(2, window.devicePixelRatio || 1);
  Object.assign(canvas, { width: side, height: side });
  const pen = canvas.getContext("2d");
  const [negative, positive, classes] = [token("--negative"), token("--positive"), classColors()];
  for (let i = 0; i < 50; i++) {
    const [x, y, value] = FIGURES[name](i);
    const several = SEVERAL.has(name);
    pen.globalAlpha = several ? 1 : 0.25 + 0.75 * Math.min(1, Math.abs(value));
    pen.fillStyle = several ? classes[value] : value < 0 ? negative : positive;
    pen.beginPath();
    pen.arc((0.5 + 0.43 * x) * side, (0.5 - 0.43 * y) * side, 0.034 * side, 0, 2 * Math.PI);
    pen.fill();
  }
}

// ── the marks of points ─────────────────────────────────────────────────────────────────────────

const A = 0.38; // half the width of a cross's arms
const CROSS = [[-A, -1.15], [A, -1.15], [A, -A], [1.15, -A], [1.15, A], [A, A], [A, 1.15], [-A, 1.15], [-A, A], [-1.15, A], [-1.15, -A], [-A, -A]];
const STAR = Array.from({ length: 10 }, (_, k) => {
  const [far, angle] = [k % 2 ? 0.42 : 1, (Math.PI * k) / 5];
  return [far * Math.sin(angle), -far * Math.cos(angle)];
});
const MARKS = [
  (pen, x, y, r) => pen.arc(x, y, r, 0, 2 * Math.PI),
  (pen, x, y, r) => pen.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r),
  (pen, x, y, r) =>
    polygon(pen, x, y, 1.25 * r, [
      [0, -1],
      [0.87, 0.6],
      [-0.87, 0.6],
    ]),
  (pen, x, y, r) =>
    polygon(pen, x, y, 1.25 * r, [
      [0, -1],
      [1, 0],
      [0, 1],
      [-1, 0],
    ]),
  (pen, x, y, r) =>
    polygon(pen, x, y, 1.25 * r, [
      [0, 1],
      [0.87, -0.6],
      [-0.87, -0.6],
    ]),
  (pen, x, y, r) => polygon(pen, x, y, r, CROSS),
  (pen, x, y, r) => polygon(pen, x, y, 1.35 * r, STAR),
  (pen, x, y, r) => polygon(pen, x, y, r, CROSS.map(([a, b]) => [(a - b) * Math.SQRT1_2, (a + b) * Math.SQRT1_2])),
  (pen, x, y, r) =>
    polygon(pen, x, y, 1.1 * r, [
      [-0.9, -1],
      [0.9, -1],
      [-0.9, 1],
      [0.9, 1],
    ]),
  (pen, x, y, r) => {
    pen.arc(x, y - 0.45 * r, 1.2 * r, 0, Math.PI);
    pen.closePath();
  },
];

function polygon(pen, x, y, r, corners) {
  corners.forEach(([a, b], k) => (k ? pen.lineTo(x + a * r, y + b * r) : pen.moveTo(x + a * r, y + b * r)));
  pen.closePath();
}

// A path of class k's shape. Each of ten classes has a color and a shape of its own, so that neither is needed alone.
export function mark(pen, k, x, y, r) {
  pen.beginPath();
  MARKS[k % MARKS.length](pen, x, y, r);
}

export function colorsOf(kind) {
  return kind === "classes" ? classColors() : [token("--negative"), token("--positive")];
}
