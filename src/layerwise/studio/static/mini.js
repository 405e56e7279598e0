// A network drawn small: a picture in each unit, links by sign and size. Many of them stand on one page, so it only
// shows; nothing in it is edited.

import { signed } from "./color.js";
import { h, svg } from "./dom.js";
import { shapeOf } from "./shape.js";

const SIDE = 16; // points a side of a unit's surface
const BOUNDED = new Set(["tanh", "sigmoid", "step"]);

export class Mini {
  constructor(name) {
    this.box = h("div", { class: "mini", role: "img", "aria-label": name });
    this.built = "";
  }

  // Lay out anew where the shape or the room changes. `recipe` is of the network that is drawn.
  shape(scene, recipe) {
    const { inputs, hidden, activations, outputs } = shapeOf({ ...scene, recipe });
    const { clientWidth: width, clientHeight: height } = this.box;
    const said = JSON.stringify([inputs, hidden, activations, outputs, width, height]);
    this.kinds = activations.map((one) => one.kind);
    this.scene = scene;
    if (said === this.built || !width || !height) return;
    this.built = said;
    this.layers = hidden.length + 1;
    this.build([inputs.length, ...hidden, outputs], width, height);
  }

  build(counts, width, height) {
    const gap = width / (counts.length - 0.4);
    const tallest = Math.max(...counts);
    const size = Math.max(10, Math.min(0.52 * gap, (0.78 * height) / tallest, 54));
    const pitch = Math.min(height / tallest, 1.75 * size);
    const across = (width - size - 2) / Math.max(1, counts.length - 1);
    const at = (column, row) => [
      size / 2 + 1 + column * across,
      height / 2 + (row - (counts[column] - 1) / 2) * pitch,
    ];
    this.thick = Math.max(0.4, Math.min(1, size / 40));
    this.links = [];
    this.units = [];
    const drawing = svg("svg", { class: "links", width, height, "aria-hidden": "true" });
    for (let column = 1; column < counts.length; column++) {
      for (let unit = 0; unit < counts[column]; unit++) {
        for (let source = 0; source < counts[column - 1]; source++) {
          this.links.push(this.link(drawing, column - 1, unit, source, at(column - 1, source), at(column, unit), size));
        }
      }
    }
    this.marks = svg("g", { class: "marks" });
    drawing.append(this.marks);
    counts.forEach((count, column) => {
      for (let row = 0; row < count; row++) this.units.push(unitAt(column - 1, row, at(column, row), size));
    });
    this.box.replaceChildren(drawing, ...this.units.map((item) => item.canvas));
  }

  link(drawing, layer, unit, source, from, to, size) {
    const [x1, x2] = [from[0] + size / 2 + 2, to[0] - size / 2 - 2];
    const bend = (x2 - x1) / 2;
    const d = `M${x1} ${from[1]}C${x1 + bend} ${from[1]} ${x2 - bend} ${to[1]} ${x2} ${to[1]}`;
    const path = svg("path", { d, class: "link" });
    drawing.append(path);
    return { path, layer, unit, source, middle: [(x1 + x2) / 2, (from[1] + to[1]) / 2] };
  }

  // Paint network number `which` of a frame whose sections hold several.
  paint(frame, which) {
    if (!this.links) return;
    for (const { path, layer, unit, source } of this.links) {
      const weight = frame.weights.values[index(frame.weights, which, this.place(frame, layer), unit, source)];
      const size = Math.min(1, Math.abs(weight) / 4);
      path.dataset.state = weight === 0 ? "zero" : weight < 0 ? "negative" : "positive";
      path.style.strokeWidth = weight === 0 ? "1" : `${(0.5 + 4 * this.thick * Math.sqrt(size) * Math.min(1, 0.35 + size)).toFixed(2)}px`;
      path.style.opacity = String(0.45 + 0.55 * Math.min(1, 2 * size));
    }
    for (const item of this.units) this.picture(frame, which, item);
  }

  picture(frame, which, item) {
    if (item.layer < 0) {
      const values = this.scene.pictures?.[item.unit];
      fill(item, (at) => values?.[at] ?? 0);
      return;
    }
    if (item.layer === this.layers - 1) {
      const { shape, values } = frame.outs;
      const from = (which * shape[1] + item.unit) * SIDE * SIDE;
      fill(item, (at) => values[from + at]);
      return;
    }
    const values = frame.units.values;
    const from = ((which * frame.units.shape[1] + item.layer) * frame.units.shape[2] + item.unit) * SIDE * SIDE;
    let most = BOUNDED.has(this.kinds[item.layer]) ? 1 : 0.3;
    if (most < 1) for (let i = 0; i < SIDE * SIDE; i++) most = Math.max(most, Math.abs(values[from + i]));
    fill(item, (at) => values[from + at] / most);
  }

  // Where a layer stands in the padded arrays: the output's is the last.
  place(frame, layer) {
    return layer === this.layers - 1 ? frame.weights.shape[1] - 1 : layer;
  }

  // Ink dots on some links, and one of them brought forward; biases (no source) are not drawn.
  mark(list, over) {
    if (!this.links) return;
    const same = (a, b) => a && b && a.layer === b.layer && a.unit === b.unit && a.source === b.source;
    const dots = this.links.filter((item) => list.some((one) => same(one, item)));
    this.marks.replaceChildren(
      ...dots.map(({ middle: [x, y] }) => svg("circle", { cx: x, cy: y, r: 2.6 })),
    );
    for (const item of this.links) item.path.classList.toggle("over", Boolean(same(over, item)));
    for (const item of this.units) {
      item.canvas.classList.toggle("over", Boolean(over && over.source === null && over.layer === item.layer && over.unit === item.unit));
    }
  }
}

export function index({ shape }, which, layer, unit, source) {
  return ((which * shape[1] + layer) * shape[2] + unit) * shape[3] + source;
}

function unitAt(layer, unit, [x, y], size) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  Object.assign(canvas.style, { left: `${x - size / 2}px`, top: `${y - size / 2}px`, width: `${size}px`, height: `${size}px` });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(SIDE, SIDE);
  return { layer, unit, canvas, pen, image, pixels: new Uint32Array(image.data.buffer) };
}

function fill({ pen, image, pixels }, value) {
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      pixels[(SIDE - 1 - row) * SIDE + column] = signed(value(row * SIDE + column));
    }
  }
  pen.putImageData(image, 0, 0);
}
