// Networks too large to be drawn in full: the strongest units and links stand for all, and many inputs are one block.

import { h } from "./dom.js";
import { signed } from "./color.js";
import { weightAt } from "./shape.js";

const INPUTS = 12; // drawn one by one
const UNITS = 12; // of a layer that are drawn, where there are more
const LINKS = 200;
const NAMED = 9; // inputs whose names a block tells

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

export function isBlock(inputs) {
  return inputs.length > INPUTS;
}

// How much a unit does: what it sends on, in sum.
function strength(state, column, unit, next) {
  return numbers(next).reduce((sum, target) => sum + Math.abs(weightAt(state, column, target, unit)), 0);
}

// The numbers of the units to draw in each column; outputs are drawn all. They are chosen when the network is laid
// out, so that nothing moves while it trains.
export function shown(state, counts, inputs) {
  return counts.map((count, column) => {
    if (column === 0) return isBlock(inputs) ? [0] : numbers(count);
    if (count <= UNITS || column === counts.length - 1) return numbers(count);
    const all = numbers(count);
    if (!state.frame || state.frame.revision !== state.scene.revision) return all.slice(0, UNITS);
    const sizes = all.map((unit) => strength(state, column, unit, counts[column + 1]));
    const strongest = all.toSorted((a, b) => sizes[b] - sizes[a]).slice(0, UNITS);
    return strongest.sort((a, b) => a - b);
  });
}

// The strongest of the pairs [layer, unit, source] that might be drawn as links.
export function strongest(state, pairs) {
  if (pairs.length <= LINKS || !state.frame || state.frame.revision !== state.scene.revision)
    return pairs.slice(0, LINKS);
  const size = new Map(pairs.map((pair) => [pair, Math.abs(weightAt(state, ...pair))]));
  return pairs.toSorted((a, b) => size.get(b) - size.get(a)).slice(0, LINKS);
}

// What is left out, in words for under the heads.
export function told(counts, picked, links, drawn) {
  const layers = picked.map((units, column) =>
    column && units.length < counts[column] ? `${units.length} of ${counts[column]} shown` : "",
  );
  const hidden = links - drawn;
  return { layers, links: hidden > 0 ? `${drawn} of ${links} links shown` : "" };
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
