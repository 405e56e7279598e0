// Networks too large to be drawn in full: the strongest units and links stand for all, and many inputs are one block.
// Which they are, the server says; they are taken when the network is laid out, so that nothing moves while it trains.

import { h } from "./dom.js";
import { signed } from "./color.js";

const NAMED = 9; // inputs whose names a block tells

// Whether the inputs are one block, instead of one by one.
export function isBlock({ drawn, inputs }) {
  return drawn.units[0].length < inputs.length;
}

// What is left out, in words for under the heads.
export function told(counts, picked, links, drawn) {
  const layers = picked.map((units, column) =>
    column && units.length < counts[column] ? `${units.length} of ${counts[column]} shown` : "",
  );
  return { layers, links: links > drawn ? `${drawn} of ${links} links shown` : "" };
}

// ── many inputs ─────────────────────────────────────────────────────────────────────────────────

// How many pixels a side the inputs are a picture of; 0 where they are none.
export function pictureSide(inputs) {
  const side = Math.round(Math.sqrt(inputs.length));
  return side * side === inputs.length && inputs[0].startsWith("pixel") ? side : 0;
}

export function namesOf(inputs) {
  const more = inputs.length - NAMED;
  return h(
    "span",
    { class: "input-names", "aria-hidden": "true" },
    ...inputs.slice(0, NAMED).map((name) => h("i", {}, name)),
    h("i", {}, `… ${more} more`),
  );
}

// The example that is looked at: the one drawn by hand, the point that was clicked, else the mean of all.
export function example({ asked, sheet, row, scene }) {
  if (asked) return asked.inputs;
  return row !== null && sheet ? sheet.x[0] : (scene.typical ?? []);
}

export function paintPicture(canvas, side, values) {
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  values.forEach((value, i) => (pixels[i] = signed(value / scale)));
  pen.putImageData(image, 0, 0);
}
