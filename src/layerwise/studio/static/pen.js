// Drawing points by hand, over the output. They are kept here as they are drawn, and sent as the recipe's data when
// a gesture ends; what the network has not seen yet is veiled.

import { tell } from "./caption.js";
import { token } from "./color.js";
import { $, count, h, plainNumber, put } from "./dom.js";
import { draft, kindOf } from "./draft.js";
import { palette, showPalette } from "./palette.js";
import { colorsOf, mark } from "./toys.js";

const NEAR = 14; // pixels around a point in which the pointer means it
const FINGER = 22;
const ONWARD = ["play-pause", "batch-on", "epoch-on"]; // what trains
const LEAST = 4; // points of a recipe, and most
const MOST = 1024;
const BARE = 2; // how far a sheet reaches on which nothing is drawn yet
const HELD = 550; // ms after which a finger that stays removes a point
const SPRAY = 0.1; // of the reach: the brush's radius, and half the way between two puffs
const PUFF = 3; // points of one
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

let canvas, pen, side;
let known = ""; // the points as the server said them last
let sending = 0;
let gesture = null; // { kind, index, last, changed, timer }
let cursor = null; // of the keyboard: [x1, x2]
let told = false; // that training began anew, since the pen was taken

// ── in and out ──────────────────────────────────────────────────────────────────────────────────

// The ways to data of one's own, below the figures.
export function ways(app) {
  const draw = h("button", { id: "draw", "aria-pressed": String(app.state.drawing) }, "Draw");
  draw.addEventListener("click", () => (app.state.drawing ? stop(app) : start(app)));
  const own = h("button", { id: "own-file", hidden: !app.openFile, onclick: () => app.openFile() }, "Own file");
  return h("div", { class: "ways" }, draw, own);
}

async function start(app) {
  const { kind } = app.state.scene.recipe.data;
  told = false;
  if (kind === "toy" && !(await changed(app, "draw"))) return;
  if (kind !== "toy" && kind !== "points") Object.assign(draft, { points: [], classes: ["A", "B"], target: 0 });
  app.state.drawing = true;
  app.redraw();
  canvas.focus({ preventScroll: true });
  canvas.scrollIntoView({ block: "nearest" }); // where settings stand under the page
}

// Draw no more; what was not learned is dropped.
export function leave(app) {
  app.state.drawing = false;
  if (lacking() && app.state.scene.recipe.data.kind === "points") known = "";
  gesture = cursor = null;
  hold(app);
}

export function stop(app) {
  leave(app);
  app.redraw();
  $("draw")?.focus({ preventScroll: true });
}

// Change the data, and say once where that cost what was trained so far.
async function changed(app, what, more) {
  const trained = app.state.step > 0;
  const answer = await app.change(what, more);
  if (answer && trained && !told) {
    told = true;
    tell(app, "Training began anew.", "Other points are other data: it begins with the first weights again, here and with every change.");
  }
  return answer;
}

// Go over to what the server has, unless something drawn here is on its way, or being drawn.
function adopt({ scene }) {
  const { data } = scene.recipe;
  const said = JSON.stringify([data.points, data.classes]);
  if (sending || gesture || said === known) return;
  known = said;
  if (data.kind !== "points") return;
  const before = draft.classes.length;
  draft.points = data.points.map((point) => [...point]);
  draft.classes = [...data.classes];
  const classes = draft.classes.length;
  if (!classes !== !before) draft.target = classes ? 0 : 1;
  else if (classes) draft.target = Math.min(draft.target, classes - 1);
}

// What keeps the points from being learned, in words; "" where nothing does.
export function lacking() {
  const more = LEAST - draft.points.length;
  if (more > 0) return `${more} more point${more > 1 ? "s are" : " is"} missing`;
  const kinds = new Set(draft.points.map(([, , target]) => target));
  return draft.classes.length && kinds.size < 2 ? "Points of a second class are missing" : "";
}

// While points are missing what was learned before is no answer to what is shown: it is veiled, and nothing trains.
function hold(app) {
  const words = app.state.drawing ? lacking() : "";
  if (app.state.lacking === words) return;
  app.state.lacking = words;
  document.documentElement.classList.toggle("lacking", words !== "");
  for (const id of ONWARD) $(id).setAttribute("aria-disabled", words !== "");
  if (words && app.state.scene.playing) app.command("pause");
}

// A click on what would train goes nowhere then; the keys click here, too.
function refuse(app, event) {
  if (app.state.lacking && ONWARD.includes(event.target.closest("button")?.id)) event.stopPropagation();
}

// Whether points are drawn now, and take class number `k` for the next ones, if there is one.
export const drawsNow = () => Boolean(canvas?.clientWidth);

export function take(app, k) {
  if (k < draft.classes.length) draft.target = k;
  app.changed();
}

async function send(app) {
  hold(app);
  app.changed();
  if (lacking()) return;
  const { data, task } = app.state.scene.recipe;
  const value = { kind: "points", points: draft.points, classes: draft.classes };
  if (data.features) Object.assign(value, { features: data.features, split: data.split });
  else value.split = { kind: "random", validation: 0.3, test: 0.2 };
  sending++;
  if (task.kind !== "auto" && data.kind !== "points") await app.command("set", { path: "task", value: "auto" });
  const sent = JSON.stringify([value.points, value.classes]);
  if (await changed(app, "set", { path: "data", value })) known = sent;
  sending--;
  adopt(app.state);
  app.changed();
}

// ── what is drawn ───────────────────────────────────────────────────────────────────────────────

function reach({ scene }) {
  return ["toy", "points"].includes(scene.recipe.data.kind) ? scene.reach : BARE;
}

function rounded(app, [x1, x2]) {
  const far = reach(app.state);
  return [x1, x2].map((x) => Number(Math.min(far, Math.max(-far, x)).toFixed(3)));
}

function add(app, spot) {
  if (draft.points.length >= MOST) return -1;
  return draft.points.push([...rounded(app, spot), draft.target]) - 1;
}

function nearest(app, spot, within) {
  const pixels = canvas.clientWidth / (2 * reach(app.state));
  let [found, far] = [-1, within];
  draft.points.forEach(([x1, x2], i) => {
    const off = pixels * Math.hypot(x1 - spot[0], x2 - spot[1]);
    if (off <= far) [found, far] = [i, off];
  });
  return found;
}

function remove(app, spot, within) {
  const at = nearest(app, spot, within);
  if (at >= 0) draft.points.splice(at, 1);
  return at >= 0;
}

// Some points around a spot, evenly over the brush's disk.
function puff(app, spot) {
  const radius = SPRAY * reach(app.state);
  for (let i = 0; i < PUFF; i++) {
    const [far, angle] = [radius * Math.sqrt(Math.random()), 2 * Math.PI * Math.random()];
    add(app, [spot[0] + far * Math.cos(angle), spot[1] + far * Math.sin(angle)]);
  }
}

function clear(app) {
  draft.points = [];
  hold(app);
  app.changed();
}

// What was drawn and not sent yet is dropped; else the last change is taken back.
function takeBack(app) {
  const { points, classes } = app.state.scene.recipe.data;
  const here = JSON.stringify([draft.points, draft.classes]);
  if (sending || here === JSON.stringify([points, classes])) {
    app.undo();
    return;
  }
  known = "";
  adopt(app.state);
  hold(app);
  app.changed();
}

// ── the pointer ─────────────────────────────────────────────────────────────────────────────────

function spotOf(app, event) {
  const { left, top, width } = canvas.getBoundingClientRect();
  const far = reach(app.state);
  return [(2 * (event.clientX - left)) / width - 1, 1 - (2 * (event.clientY - top)) / width].map((x) => x * far);
}

function down(app, event) {
  if (event.button !== 0 && event.button !== 2) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  cursor = null;
  canvas.setPointerCapture(event.pointerId);
  const within = event.pointerType === "touch" ? FINGER : NEAR;
  const last = spotOf(app, event);
  const kind = event.button === 2 ? "erase" : draft.tool;
  gesture = { kind, last, within, index: -1, changed: false };
  if (kind === "erase") gesture.changed = remove(app, last, within);
  if (kind === "spray") {
    puff(app, last);
    gesture.changed = true;
  }
  if (kind === "point") {
    gesture.index = nearest(app, last, within);
    if (gesture.index < 0) {
      gesture.index = add(app, last);
      gesture.changed = gesture.index >= 0;
    } else if (event.pointerType === "touch") {
      gesture.timer = setTimeout(() => heldOn(app), HELD);
    }
  }
  app.changed();
}

// A finger that stayed on a point takes it away.
function heldOn(app) {
  draft.points.splice(gesture.index, 1);
  gesture = { ...gesture, kind: "none", changed: true };
  app.changed();
}

function move(app, event) {
  if (!gesture) return;
  const spot = spotOf(app, event);
  const { kind, last, index, within } = gesture;
  const pixels = canvas.clientWidth / (2 * reach(app.state));
  const way = pixels * Math.hypot(spot[0] - last[0], spot[1] - last[1]);
  if (kind === "point" && index >= 0 && (gesture.moved || way > 3)) {
    clearTimeout(gesture.timer);
    draft.points[index].splice(0, 2, ...rounded(app, spot));
    gesture.moved = gesture.changed = true;
  }
  if (kind === "erase") gesture.changed = remove(app, spot, within) || gesture.changed;
  if (kind === "spray" && way > 2 * SPRAY * reach(app.state) * pixels) {
    puff(app, spot);
    gesture.last = spot;
  }
  app.changed();
}

function up(app) {
  if (!gesture) return;
  clearTimeout(gesture.timer);
  const { changed } = gesture;
  gesture = null;
  if (changed) send(app);
}

// ── the keyboard ────────────────────────────────────────────────────────────────────────────────

function key(app, event) {
  const far = reach(app.state);
  const { key: name, ctrlKey, metaKey, shiftKey, altKey } = event;
  if ((ctrlKey || metaKey) && name.toLowerCase() === "z") takeBack(app);
  else if (ctrlKey || metaKey || altKey) return;
  else if (KEYS[name]) {
    const by = far / (shiftKey ? 100 : 20);
    cursor = rounded(app, KEYS[name].map((way, i) => (cursor?.[i] ?? 0) + by * way));
  } else if (name === "Enter") {
    cursor ??= [0, 0];
    if (add(app, cursor) >= 0) send(app);
  } else if (name === "Delete" || name === "Backspace") {
    if (cursor && remove(app, cursor, NEAR)) send(app);
  } else if (name === "Escape") stop(app);
  else return;
  event.preventDefault();
  event.stopPropagation();
  app.changed();
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

export function setup(app) {
  canvas = h("canvas", {
    id: "pen",
    hidden: true,
    role: "application",
    tabindex: "0",
    "aria-label": "Drawing area: arrows move, Enter puts a point, Delete removes one",
    "aria-describedby": "pen-hint",
  });
  pen = canvas.getContext("2d");
  $("surface").after(canvas);
  $("play-pause").parentElement.addEventListener("click", (event) => refuse(app, event), true);
  document.querySelector(".output .under").after(palette(app, { stop, clear, takeBack }));
  canvas.addEventListener("pointerdown", (event) => down(app, event));
  canvas.addEventListener("pointermove", (event) => move(app, event));
  canvas.addEventListener("pointerup", () => up(app));
  canvas.addEventListener("pointercancel", () => up(app));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("keydown", (event) => key(app, event));
  canvas.addEventListener("blur", () => {
    cursor = null;
    app.changed();
  });
}

export function scene(app) {
  const { state } = app;
  adopt(state);
  if (state.scene.recipe.data.kind === "toy" && !sending) state.drawing = false; // the change was taken back
  document.documentElement.classList.toggle("drawing", state.drawing);
  canvas.hidden = !state.drawing;
  hold(app);
  $("draw")?.setAttribute("aria-pressed", state.drawing);
  showPalette(app);
}

function spot(far, [x1, x2]) {
  return [(0.5 + x1 / (2 * far)) * side, (0.5 - x2 / (2 * far)) * side];
}

function drawPoints(far) {
  const colors = colorsOf(kindOf());
  const quantity = !draft.classes.length;
  const unit = side / 320;
  const size = quantity ? Math.max(1e-9, ...draft.points.map(([, , target]) => Math.abs(target))) : 1;
  pen.lineWidth = unit;
  pen.strokeStyle = token("--raised");
  for (const point of draft.points) {
    const target = point[2];
    mark(pen, quantity ? 0 : target, ...spot(far, point), unit * (draft.points.length > 260 ? 3.4 : 4.6));
    pen.globalAlpha = quantity ? 0.25 + 0.75 * Math.abs(target / size) : 1;
    pen.fillStyle = quantity ? colors[target < 0 ? 0 : 1] : colors[target % colors.length];
    pen.fill();
    pen.globalAlpha = 1;
    pen.stroke();
  }
}

function drawCursor(far) {
  const [x, y] = spot(far, cursor);
  const arm = side / 26;
  pen.beginPath();
  for (const [a, b] of [[arm, 0], [0, arm]]) {
    pen.moveTo(x - a, y - b);
    pen.lineTo(x + a, y + b);
  }
  pen.lineWidth = side / 160;
  pen.strokeStyle = token("--ink");
  pen.stroke();
}

function words() {
  const lack = lacking();
  if (lack) return lack;
  const many = draft.points.length >= MOST ? ", all that there is room for" : "";
  const at = cursor ? ` at ${cursor.map((x) => plainNumber(Number(x.toFixed(2)))).join(", ")}` : "";
  const next = draft.classes.length ? draft.classes[draft.target] : plainNumber(draft.target);
  return `${next} · ${count(draft.points.length)} points${many}${at}`;
}

export function paint(app) {
  const { state } = app;
  if (!state.drawing) return;
  side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (!side) return;
  Object.assign(canvas, { width: side, height: side });
  if (lacking()) {
    pen.globalAlpha = 0.85;
    pen.fillStyle = token("--zero");
    pen.fillRect(0, 0, side, side);
    pen.globalAlpha = 1;
  }
  const far = reach(state);
  drawPoints(far);
  if (cursor) drawCursor(far);
  put($("pen-hint"), words());
  showPalette(app);
}
