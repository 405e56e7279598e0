// The network: a picture in each unit of what it computes, links by sign and size, biases as dots.
// All of it is laid out anew where the shape or the room changes, and only painted with each frame.

import { $, h, put, short, svg } from "./dom.js";
import { signed } from "./color.js";
import { example, isBlock, namesOf, paintPicture, pictureSide, told } from "./crowded.js";
import { editUnit, editWeight, linkName } from "./editing.js";
import { chips, cross, isWide, removable, toggle, unused, written } from "./features.js";
import { heads } from "./heads.js";
import { leftOut, pulling, showActing } from "./regularization.js";
import { biasAt, shapeOf, weightAt } from "./shape.js";

const SIDE = 16; // points a side of a unit's surface
const BOUNDED = new Set(["tanh", "sigmoid", "step"]);
const CHIP = 1.9; // rem that the chip of an unused input takes
const AILMENTS = ["", "dead", "saturated"]; // as the server numbers them

let built = "";
let columns = []; // of units: { x, y, box, canvas, pen, pixels, dot, tag, numbers, button, layer, unit }
let whole = []; // units of each column, drawn or not
let links = []; // { path, hit, layer, unit, source }
let thickness = 1; // of links

// ── laying out ──────────────────────────────────────────────────────────────────────────────────

function geometry(board, counts, { inputs, waiting }) {
  const { clientWidth: width, clientHeight: height } = board;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const narrow = width < 34 * rem;
  const top = (narrow ? 4.2 : 5.2) * rem;
  const tallest = Math.max(...counts);
  const room = height - top - 0.6 * rem;
  const numbers = document.documentElement.classList.contains("opened") ? 1.3 * rem : 0;
  const left = (narrow ? 1.4 : inputs.some(isWide) ? 4 : 3.2) * rem;
  const right = (narrow ? 1.4 : 2.2) * rem;
  const gap = (width - left - right) / (counts.length - 0.5);
  const size = Math.max(1.4 * rem, Math.min((narrow ? 3.2 : 4.6) * rem, 0.5 * gap, (room / tallest - numbers) * 0.74));
  const pitch = Math.min(room / tallest, 1.5 * size + numbers);
  const across = (width - left - right - size) / (counts.length - 1);
  // Inputs that are not used wait below the others, which move up or together where that takes room.
  // Where they find no room beside pictures of that size they are left out: the head above opens all inputs.
  const chipped = !narrow && waiting > 0 && (room - waiting * CHIP * rem) / counts[0] >= 1.06 * size;
  const below = chipped ? waiting * CHIP * rem : 0;
  const inputPitch = Math.min(pitch, (room - below) / counts[0]);
  const used = counts[0] * inputPitch;
  const middle = Math.min(room / 2, room - below - used / 2);
  const at = (column, row) => ({
    x: left + size / 2 + column * across,
    y: column
      ? top + room / 2 + (row - (counts[column] - 1) / 2) * pitch - numbers / 2
      : top + middle + (row - (counts[0] - 1) / 2) * inputPitch - numbers / 2,
  });
  // Where there is little room between two layers, links are thinner, and a word under a unit has no place.
  thickness = Math.max(0.35, Math.min(1, (across - size) / (8 * rem)));
  const chipsAt = { x: left + size / 2, y: top + middle + used / 2 };
  return { width, height, rem, size, at, narrow, chipsAt, chipped, tight: pitch - size < 1.2 * rem };
}

function curve(a, b, half) {
  const [x1, x2] = [a.x + half, b.x - half];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${a.y}C${x1 + bend} ${a.y} ${x2 - bend} ${b.y} ${x2} ${b.y}`;
}

// Many inputs are one block: the picture of an example, or their names.
function inputBlock(app, spot, size, rem) {
  const { inputs } = app.state.scene;
  const canvas = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  const side = pictureSide(inputs);
  const button = h("button", { class: side ? "unit block" : "unit block names", tabindex: "-1" });
  button.append(side ? canvas : namesOf(inputs));
  const box = h("div", { class: "place" }, button);
  const [width, height] = side ? [1.6 * size, 1.6 * size] : [Math.max(1.6 * size, 6.5 * rem), 14 * rem];
  const left = Math.max(spot.x - width / 2, 0.4 * rem);
  Object.assign(box.style, {
    left: `${left}px`,
    top: `${spot.y - height / 2}px`,
    width: `${width}px`,
    height: `${height}px`,
  });
  return { ...spot, box, canvas, button, layer: -1, unit: 0, row: 0, size, block: side || 1, right: left + width, numbers: h("i") };
}

function unitBox(app, layer, unit, spot, size) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  const button = h("button", { class: "unit", tabindex: "-1" }, canvas);
  const box = h("div", { class: "place" }, button);
  const item = { ...spot, box, canvas, button, layer, unit, size };
  Object.assign(box.style, {
    left: `${spot.x - size / 2}px`,
    top: `${spot.y - size / 2}px`,
    width: `${size}px`,
    height: `${size}px`,
  });
  item.pen = canvas.getContext("2d");
  item.image = item.pen.createImageData(SIDE, SIDE);
  item.pixels = new Uint32Array(item.image.data.buffer);
  item.numbers = h("span", { class: "numbers" });
  box.append(item.numbers);
  if (layer >= 0) {
    item.dot = h("button", { class: "dot", tabindex: "-1", "data-bias": `${layer} ${unit}` });
    item.dot.addEventListener("click", () => editWeight(app, layer, unit, null, item.dot));
    item.tag = h("span", { class: "tag" });
    box.append(item.dot, item.tag);
    button.addEventListener("click", () => choose(app, layer, unit));
    button.addEventListener(
      "keydown",
      (event) => event.key === "Enter" && (event.preventDefault(), editUnit(app, layer, unit, button)),
    );
  } else {
    const words = app.state.scene.inputs[unit];
    const byHand = written(words);
    const kind = byHand ? (isWide(words) ? "input-name wide" : "input-name") : "input-name long";
    box.append(h("span", { class: kind, "aria-hidden": "true" }, ...(byHand ?? shortened(words))));
    const remove = byHand && cross(app, words);
    if (remove) box.append(remove);
    button.addEventListener("keydown", (event) => {
      if (!["Delete", "Backspace"].includes(event.key) || !byHand || !removable(app.state)) return;
      event.preventDefault();
      toggle(app, words);
    });
  }
  return item;
}

function shortened(name) {
  return [name.length > 14 ? `${name.slice(0, 13)}…` : name];
}

function choose(app, layer, unit) {
  const { selected } = app.state;
  const same = selected && selected.layer === layer && selected.unit === unit;
  app.state.selected = same ? null : { layer, unit };
  app.changed();
}

function link(app, layer, unit, source, d) {
  const path = svg("path", { d, class: "link" });
  const hit = svg("path", { d, class: "hit", "data-link": `${layer} ${unit} ${source}` });
  const item = { path, hit, layer, unit, source };
  hit.addEventListener("click", (event) => editWeight(app, layer, unit, source, null, event));
  hit.addEventListener("pointerenter", (event) => hint(app, item, event));
  hit.addEventListener("pointerleave", () => hint(app, null));
  return item;
}

function hint(app, item, event) {
  const box = $("hint");
  for (const one of links) one.path.classList.toggle("over", one === item);
  box.hidden = !item;
  if (!item || !app.state.frame) return;
  const { layer, unit, source } = item;
  const pulled = pulling(app.state.scene);
  const now = short(weightAt(app.state, layer, unit, source));
  put(box, `${linkName(app.state.scene, layer, unit, source)}: ${now}${pulled && `, ${pulled}`}`);
  const { left, top } = $("board").getBoundingClientRect();
  const half = box.offsetWidth / 2 + 4;
  box.style.left = `${Math.max(half, Math.min($("board").clientWidth - half, event.clientX - left))}px`;
  box.style.top = `${event.clientY - top}px`;
}

function build(app) {
  const board = $("board");
  const held = board.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
  const { inputs, hidden, activations, outputs } = shapeOf(app.state.scene);
  const counts = [inputs.length, ...hidden, outputs];
  const waiting = unused(app.state.scene).length;
  const { units: picked, links: strongest, of } = app.state.scene.drawn;
  const seen = picked.map((units) => units.length);
  const { width, height, size, at, rem, narrow, chipsAt, chipped, tight } = geometry(board, seen, { inputs, waiting });
  const drawing = svg("svg", { class: "links", width, height, "aria-hidden": "true" });
  const [lines, hits] = [svg("g"), svg("g")];
  const block = isBlock(app.state.scene);
  columns = picked.map((units, column) =>
    units.map((unit, row) =>
      block && !column
        ? inputBlock(app, at(0, 0), size, rem)
        : Object.assign(unitBox(app, column - 1, unit, at(column, row), size), { row }),
    ),
  );
  for (const { box } of columns.at(-1)) box.classList.add("last");
  whole = counts;
  const rows = picked.map((units) => new Map(units.map((unit, row) => [unit, row])));
  links = strongest.map(([layer, unit, source]) => {
    const ends = [at(layer, rows[layer].get(source)), at(layer + 1, rows[layer + 1].get(unit))];
    return link(app, layer, unit, source, curve(...ends, size / 2 + 0.2 * rem));
  });
  if (block) {
    // All links from a block are one for each unit, and have no sign.
    const from = columns[0][0];
    const start = { x: from.right - size / 2 - 0.2 * rem, y: from.y };
    lines.append(
      ...picked[1].map((_, row) =>
        svg("path", { d: curve(start, at(1, row), size / 2 + 0.2 * rem), class: "link many" }),
      ),
    );
  }
  const words = told(counts, picked, of, links.length);
  lines.append(...links.map((item) => item.path));
  hits.append(...links.map((item) => item.hit));
  drawing.append(lines, hits);
  const spots = counts.map((_, column) => at(column, 0).x);
  const group = h(
    "div",
    { class: tight ? "units tight" : "units", role: "group", "aria-label": "Units: arrows walk, Enter types values" },
    ...columns.flat().map((item) => item.box),
  );
  board.replaceChildren(
    drawing,
    heads(app, { inputs, hidden, activations, outputs }, spots, narrow),
    ...[...words.layers, words.links].map((said, column) =>
      said ? leftOutWords(said, column < spots.length ? spots[column] : null) : "",
    ),
    group,
    ...(chipped ? [chips(app, chipsAt.x, chipsAt.y)] : []),
    h("div", { id: "hint", hidden: true }),
  );
  walk(group);
  paintInputs(app.state);
  if (held) [...board.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === held)?.focus();
}

// What is not drawn, under a layer's head, or with `x` null at the foot.
function leftOutWords(said, x) {
  const made = h("p", { class: x === null ? "more foot" : "more" }, said);
  if (x !== null) made.style.left = `${x}px`;
  return made;
}

// One stop of the Tab key for all units; arrows go to the neighbors.
function walk(group) {
  const stop = columns[1][0].button;
  for (const item of columns.flat()) item.button.tabIndex = item.button === stop ? 0 : -1;
  group.addEventListener("keydown", (event) => {
    const at = columns.flat().find((item) => item.button === event.target);
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!at || !way) return;
    event.preventDefault();
    const column = columns[Math.min(columns.length - 1, Math.max(0, at.layer + 1 + way[0]))];
    const next = column[Math.min(column.length - 1, Math.max(0, at.row + way[1]))];
    at.button.tabIndex = -1;
    next.button.tabIndex = 0;
    next.button.focus();
  });
}

// ── painting ────────────────────────────────────────────────────────────────────────────────────

function fill(item, value) {
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      item.pixels[(SIDE - 1 - row) * SIDE + column] = signed(value(row, column));
    }
  }
  item.pen.putImageData(item.image, 0, 0);
}

function paintInputs(state) {
  const { pictures } = state.scene;
  const [first] = columns[0];
  if (first.block) {
    if (first.block > 1) paintPicture(first.canvas, first.block, example(state));
    return;
  }
  columns[0].forEach((item, i) => fill(item, (row, column) => pictures[i]?.[row * SIDE + column] ?? 0));
}

function paintHidden(state, item, kind) {
  const { units } = state.frame;
  const [, width] = units.shape;
  const from = (item.layer * width + item.unit) * SIDE * SIDE;
  const values = units.values.subarray(from, from + SIDE * SIDE);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = BOUNDED.has(kind) ? 1 : Math.max(0.3, Math.abs(low), Math.abs(high));
  fill(item, (row, column) => values[row * SIDE + column] / scale);
  const { health } = state.frame;
  return AILMENTS[health.values[item.layer * health.shape[1] + item.unit]];
}

function paintOutput(state, item) {
  const { values } = state.frame.outs;
  const from = item.unit * SIDE * SIDE;
  fill(item, (row, column) => values[from + row * SIDE + column]);
}

function paintLink(state, { path, layer, unit, source }) {
  const weight = weightAt(state, layer, unit, source);
  const size = Math.min(1, Math.abs(weight) / 4);
  const { selected } = state;
  const apart =
    selected &&
    !(
      (selected.layer === layer && selected.unit === unit) ||
      (selected.layer === layer - 1 && selected.unit === source)
    );
  const state_ = `${weight === 0 ? "zero" : weight < 0 ? "negative" : "positive"}${apart ? " apart" : ""}`;
  if (path.dataset.state !== state_) path.dataset.state = state_;
  path.style.strokeWidth =
    weight === 0 ? "1" : `${(0.6 + 5.4 * thickness * Math.sqrt(size) * Math.min(1, 0.35 + size)).toFixed(2)}px`;
  path.style.opacity = apart ? "" : String(0.45 + 0.55 * Math.min(1, 2 * size));
}

function paintDot(state, item) {
  const bias = biasAt(state, item.layer, item.unit);
  const size = 0.36 + 0.4 * Math.min(1, Math.abs(bias));
  item.dot.style.setProperty("--size", `${size.toFixed(2)}rem`);
  item.dot.dataset.sign = bias < 0 ? "negative" : "positive";
  return bias;
}

function name(state, item, bias, ailing) {
  const last = columns.length - 2;
  if (item.block) return `${state.scene.inputs.length} inputs`;
  if (item.layer < 0) return `input ${state.scene.inputs[item.unit]}${removable(state) ? ", Delete removes it" : ""}`;
  const said = item.layer === last ? `output ${item.unit + 1}` : `layer ${item.layer + 1}, unit ${item.unit + 1}`;
  return `${said}, bias ${short(bias, 2)}${ailing ? `, ${ailing}` : ""}`;
}

// Under each unit its value for the example in the drawer, and the error that came back to it.
function numbersOf(state, item) {
  const { sheet, view, asked } = state;
  const tight = item.box.parentElement.classList.contains("tight") && view.drawer === "";
  if (asked && tight) return "";
  if (asked && item.layer >= 0) return asked.layers[item.layer] ? short(asked.layers[item.layer][item.unit], 2) : "";
  if (!sheet || view.drawer !== "numbers") return "";
  if (item.layer < 0) return sheet.x[0][item.unit] === undefined ? "" : short(sheet.x[0][item.unit], 2);
  const layer = sheet.layers[item.layer];
  if (!layer || layer.g.worked[0][item.unit] === undefined) return "";
  const delta = `δ ${short(layer.error.worked[0][item.unit], 2)}`;
  if (item.layer < sheet.layers.length - 1) return `g ${short(layer.g.worked[0][item.unit], 2)} ${delta}`;
  // Of an output both: the sum, and what it says, which the loss is of.
  const said = sheet.predicted[0][item.unit];
  const sum = `z ${short(layer.z.worked[0][item.unit], 2)}`;
  return said === undefined ? `${sum} ${delta}` : `${sum} ${state.scene.kind === "quantities" ? "ŷ" : "p"} ${short(said, 2)} ${delta}`;
}

export function setup() {}

export function scene(app) {
  const { scene, view } = app.state;
  const { inputs, hidden, activations, outputs } = shapeOf(scene);
  const { clientWidth, clientHeight } = $("board");
  const wanted = JSON.stringify([
    scene.kind,
    inputs,
    hidden,
    activations,
    outputs,
    clientWidth,
    clientHeight,
    view.present,
    view.drawer !== "",
  ]);
  const { selected } = app.state;
  if (selected && selected.unit >= (hidden[selected.layer] ?? outputs)) app.state.selected = null;
  if (selected && selected.layer > hidden.length) app.state.selected = null;
  if (wanted !== built && clientWidth && clientHeight) {
    built = wanted;
    build(app);
  } else {
    paintInputs(app.state);
  }
  showActing(app);
}

export function paint(app) {
  const { state } = app;
  const { inputs, hidden, activations, outputs } = shapeOf(state.scene);
  if (whole.join() !== [inputs.length, ...hidden, outputs].join()) return;
  if (columns[0][0].block) paintInputs(state);
  for (const item of links) paintLink(state, item);
  for (const item of columns.flat()) {
    put(item.numbers, numbersOf(state, item));
    if (item.layer < 0) {
      item.button.setAttribute("aria-label", name(state, item));
      continue;
    }
    const hiddenUnit = item.layer < hidden.length;
    const ailing = hiddenUnit ? paintHidden(state, item, activations[item.layer].kind) : (paintOutput(state, item), "");
    const bias = paintDot(state, item);
    put(item.tag, ailing);
    item.box.dataset.ailing = ailing;
    const out = hiddenUnit ? leftOut(state, item) : 0;
    item.box.style.setProperty("--left-out", out.toFixed(3));
    const { selected } = state;
    item.box.classList.toggle(
      "selected",
      Boolean(selected && selected.layer === item.layer && selected.unit === item.unit),
    );
    const label = name(state, item, bias, ailing) + (out ? `, left out for ${Math.round(100 * out)} % of the batch` : "");
    if (!state.scene.playing || document.activeElement === item.button) {
      item.button.setAttribute("aria-label", label);
      item.dot.setAttribute("aria-label", `bias of ${label}`);
    }
  }
}
