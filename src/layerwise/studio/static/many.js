// Many networks that learn at once: a dot for each on the axis of losses, and what each says over both inputs,
// the best first. While they learn every one keeps its place; at rest they are sorted.

import { logarithmic } from "./axis.js";
import { token } from "./color.js";
import { $, h, put, short } from "./dom.js";
import { open } from "./games.js";
import { paper, sideOf } from "./paper.js";
import * as search from "./search.js";
import { boundary, part, scatter, surface } from "./surface.js";
import { chosen, tabs } from "./tabs.js";

const MODES = { start: "initial weights", rate: "learning rate", search: "search" };
const STATES = ["in a good minimum", "stuck", "halted", "still learning"];

let choices, title, key, dots, grid;
let lanes = []; // { button, canvas, loss, name }
let order = []; // of the lanes, as they stand
let places = []; // of the dots: [x, y]
let over = null;
let points = null;
let pointsOf = "";

export function setup(app) {
  title = h("h2", {}, h("span", { class: "what" }), h("span"));
  choices = tabs({ label: "What is varied", name: "vary", words: MODES, choose: (vary) => app.view({ vary }) });
  dots = h("canvas", { role: "img", "aria-label": "Losses of all" });
  grid = h("div", { class: "lanes", role: "group", "aria-label": "Networks, the best first: arrows walk, Enter opens one" });
  key = h("p", { class: "key" });
  $("many").append(
    h("header", {}, title, key, choices.list),
    h("div", { class: "crowd" }, h("div", { class: "dots" }, dots), grid),
    search.made(app),
  );
  grid.addEventListener("keydown", (event) => walk(event));
  dots.addEventListener("pointermove", (event) => hover(app, nearest(event)));
  dots.addEventListener("pointerleave", () => hover(app, null));
  dots.addEventListener("click", () => over !== null && open(app, over));
  new ResizeObserver(() => app.state.scene && app.changed()).observe($("many"));
}

function build(app, count) {
  lanes = Array.from({ length: count }, (_, lane) => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const [loss, name] = [h("b"), h("span")];
    const button = h("button", { class: "lane", "data-lane": String(lane), onclick: () => open(app, lane) }, canvas, h("span", { class: "said" }, loss, name));
    button.addEventListener("pointerenter", () => hover(app, lane));
    button.addEventListener("pointerleave", () => hover(app, null));
    button.addEventListener("focus", () => stop(button));
    return { button, canvas, loss, name };
  });
  order = lanes.map((_, lane) => lane);
  grid.replaceChildren(...lanes.map((lane) => lane.button));
  stop(lanes[0].button);
}

// One stop of the Tab key for all; arrows walk.
function stop(button) {
  for (const lane of lanes) lane.button.tabIndex = lane.button === button ? 0 : -1;
}

function walk(event) {
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const at = order.findIndex((lane) => lanes[lane].button === document.activeElement);
  if (!by || at < 0) return;
  event.preventDefault();
  const next = order[at + by];
  if (next !== undefined) lanes[next].button.focus();
}

function hover(app, lane) {
  if (over === lane) return;
  over = lane;
  lanes.forEach(({ button }, i) => button.classList.toggle("over", i === lane));
  app.changed();
}

function nearest({ offsetX, offsetY }) {
  let [found, far] = [null, 16];
  places.forEach((place, lane) => {
    const off = place ? Math.hypot(place[0] - offsetX, place[1] - offsetY) : Infinity;
    if (off < far) [found, far] = [lane, off];
  });
  return found;
}

// ── what they came to ───────────────────────────────────────────────────────────────────────────

// The loss that they are told apart by: the validation part's, where there is one.
function lossesOf({ frame, scene }) {
  const column = scene.points.validation.length ? 2 : 0;
  return lanes.map((_, lane) => frame.losses.values[4 * lane + column]);
}

function sort(state) {
  if (state.scene.playing) return;
  const wanted = [...state.frame.order.values];
  if (wanted.join() === order.join()) return;
  order = wanted;
  const held = document.activeElement;
  grid.append(...order.map((lane) => lanes[lane].button));
  if (grid.contains(held)) held.focus({ preventScroll: true });
}

function nameOf(scene, lane) {
  return scene.vary === "rate" ? `rate ${scene.values[lane]}` : `seed ${scene.values[lane]}`;
}

// How many there are of each kind; those whose loss is bold come first.
function counted({ frame }, losses) {
  const kinds = lanes.map((_, lane) => (Number.isFinite(losses[lane]) ? frame.basins.values[2 * lane + 1] : -1));
  const many = STATES.map((words, kind) => [kinds.filter((one) => one === kind).length, words, kind]).filter(([n]) => n);
  const said = many.flatMap(([n, words, kind], i) => [i ? " · " : "", h(kind ? "span" : "b", {}, `${n} ${words}`)]);
  if (key.textContent !== said.map((one) => one.textContent ?? one).join("")) key.replaceChildren(...said);
}

function words(state, losses) {
  const { scene, frame } = state;
  counted(state, losses);
  lanes.forEach(({ button, loss, name }, lane) => {
    const kind = frame.basins.values[2 * lane + 1];
    put(loss, short(losses[lane]));
    put(name, nameOf(scene, lane));
    button.dataset.state = Number.isFinite(losses[lane]) ? String(kind) : "";
    if (scene.playing && document.activeElement !== button) return;
    const said = Number.isFinite(losses[lane]) ? `loss ${short(losses[lane])}, ${STATES[kind]}` : "not trained yet";
    button.setAttribute("aria-label", `${nameOf(scene, lane)}, ${said}`);
  });
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

function picture(state, lane, side) {
  const { frame, scene, view } = state;
  const { canvas } = lanes[lane];
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  const [, n, , outputs] = frame.surface.shape;
  const field = { n, outputs, values: part(frame.surface, lane), shades: part(frame.shades, lane) };
  const pen = canvas.getContext("2d");
  surface(pen, side, scene, field, view.discrete);
  if (scene.kind !== "quantities") boundary(pen, side, scene, field);
  pen.drawImage(points, 0, 0);
}

function pointsAt(state, side) {
  const wanted = `${state.scene.revision} ${side} ${token("--ink")}`;
  if (wanted === pointsOf) return;
  pointsOf = wanted;
  points = points ?? document.createElement("canvas");
  Object.assign(points, { width: side, height: side });
  const { train } = state.scene.points;
  // Enough of them to see the figure; all would hide what is below.
  const every = Math.max(1, Math.ceil(train.length / 90));
  scatter(points.getContext("2d"), side, state.scene, train.filter((_, i) => i % every === 0).map((one) => [one, false]), 1.9);
}

function drawDots(losses) {
  const sheet = paper(dots);
  if (!sheet) return;
  const { pen, width, height, rem } = sheet;
  const base = height - 1.6 * rem;
  pen.strokeStyle = token("--edge");
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(0, base + 0.5);
  pen.lineTo(width, base + 0.5);
  pen.stroke();
  const known = losses.filter((loss) => Number.isFinite(loss) && loss > 0);
  places = losses.map(() => null);
  if (!known.length) return;
  // Never narrower than a factor of two: what is alike looks alike.
  let [low, top] = [Math.log(Math.min(...known)), Math.log(Math.max(...known))];
  const pad = Math.max(0.06 * (top - low), (Math.LN2 - (top - low)) / 2, 0);
  [low, top] = [low - pad, top + pad];
  const x = (loss) => 0.6 * rem + ((width - 1.2 * rem) * (Math.log(loss) - low)) / (top - low);
  axis(pen, [low, top], x, base, width, rem);
  stack(pen, losses, x, base, rem);
}

function axis(pen, [low, top], x, base, width, rem) {
  pen.fillStyle = token("--ink2");
  pen.textBaseline = "top";
  const said = [pen.measureText("good minima").width, pen.measureText("bad minima").width];
  pen.textAlign = "left";
  pen.fillText("good minima", 0, base + 0.4 * rem);
  pen.textAlign = "right";
  pen.fillText("bad minima", width, base + 0.4 * rem);
  pen.textAlign = "center";
  let last = said[0] + 1.5 * rem;
  for (const value of logarithmic(Math.exp(low), Math.exp(top))) {
    const [at, text] = [x(value), String(Number(value.toPrecision(2)))];
    const half = pen.measureText(text).width / 2;
    if (at - half < last || at + half > width - said[1] - 1.5 * rem) continue;
    last = at + half + 1.5 * rem;
    pen.fillRect(Math.round(at), base, 1, 0.3 * rem);
    pen.fillText(text, at, base + 0.4 * rem);
  }
}

// Dots that would lie on another stand on it.
function stack(pen, losses, x, base, rem) {
  const r = Math.min(0.33 * rem, (base - 4) / 20);
  const columns = new Map();
  const sorted = losses.map((loss, lane) => [loss, lane]).filter(([loss]) => Number.isFinite(loss) && loss > 0);
  sorted.sort((a, b) => a[0] - b[0]);
  const column = (loss) => Math.round(x(loss) / (2.2 * r));
  for (const [loss] of sorted) columns.set(column(loss), (columns.get(column(loss)) ?? 0) + 1);
  // The tallest fits: where there is little room, dots lie on each other in part.
  const rise = Math.min(2.15 * r, (base - 2 * r - 6) / Math.max(1, ...[...columns.values()].map((many) => many - 1)));
  columns.clear();
  for (const [loss, lane] of sorted) {
    const high = columns.get(column(loss)) ?? 0;
    columns.set(column(loss), high + 1);
    places[lane] = [column(loss) * 2.2 * r, base - r - 1 - rise * high];
  }
  const best = order.find((lane) => places[lane]);
  places.forEach((place, lane) => {
    if (!place) return;
    pen.beginPath();
    pen.arc(...place, r, 0, 2 * Math.PI);
    pen.fillStyle = token(lane === over || lane === best ? "--ink" : "--ink3");
    pen.fill();
    if (lane !== over && !(over === null && lane === best)) return;
    pen.beginPath();
    pen.arc(...place, r + 3, 0, 2 * Math.PI);
    pen.strokeStyle = token("--ink");
    pen.lineWidth = 1.6;
    pen.stroke();
  });
}

// ── the part ────────────────────────────────────────────────────────────────────────────────────

const shown = ({ state }) => state.view.page === "many";

export function scene(app) {
  if (!shown(app)) return;
  const { state } = app;
  const { scene, view } = state;
  chosen(choices.tabs, (tab) => tab.dataset.vary === view.vary);
  $("many").dataset.vary = view.vary;
  if (view.vary === "search") search.scene(app);
  const searching = view.vary === "search";
  put(title.firstChild, searching ? "Three searches, one surface" : view.vary === "rate" ? "32 learning rates, the same weights" : "32 initial weights, one network");
  const part = scene.points.validation.length ? "validation" : "training";
  const sorted = scene.playing ? `sorted by ${part} loss when paused` : `by ${part} loss`;
  put(title.lastChild, searching ? `lowest ${part} loss of ${scene.epochs ?? 20} epochs` : sorted);
  key.hidden = searching;
  if (scene.game === "many" && lanes.length !== scene.values.length) build(app, scene.values.length);
}

export function paint(app) {
  if (!shown(app)) return;
  const { state } = app;
  if (state.scene.game === "race") search.paint(app);
  if (state.scene.game !== "many" || !state.frame.losses || !lanes.length) return;
  const losses = lossesOf(state);
  sort(state);
  const side = sideOf(lanes[0].canvas);
  if (!side) return;
  pointsAt(state, side);
  lanes.forEach((_, lane) => picture(state, lane, side));
  words(state, losses);
  drawDots(losses);
}
