// Two settings side by side, from one seed: both networks, both surfaces, one chart, and the weights that parted.

import { along, levels, names, roomFor, rounded, steps } from "./axis.js";
import { token } from "./color.js";
import { best, latest } from "./curve.js";
import { $, count, h, put, short } from "./dom.js";
import { beginning, editor, SETTINGS, wordsOf } from "./differences.js";
import { index, Mini } from "./mini.js";
import { paper, sideOf } from "./paper.js";
import { boundary, part, scatter, surface } from "./surface.js";

const SIDES = ["A", "B"];

let sides = []; // { header, figure, mini, canvas, points }
let chart, list;
let built = "";
let parted = [];
let over = null;
let listed = null;

export function setup(app) {
  sides = SIDES.map((name) => ({
    name,
    header: h("div", { class: "differing" }),
    figure: h("p", { class: "figure" }),
    mini: new Mini(`Network ${name}`),
    canvas: h("canvas", { role: "img", "aria-label": `Output of ${name} over both inputs` }),
    points: document.createElement("canvas"),
  }));
  chart = h("canvas", { role: "img", "aria-label": "Validation loss of both" });
  list = h("div", { class: "parted", role: "group", "aria-label": "Weights that parted farthest" });
  const halves = sides.map(({ name, header, figure, mini, canvas }) =>
    h(
      "section",
      { class: "half", "aria-label": name },
      h("header", {}, h("b", { class: "name" }, name), header, figure),
      h("div", { class: "both" }, mini.box, h("div", { class: "picture" }, canvas)),
    ),
  );
  $("compare").append(
    h("div", { class: "halves" }, ...halves),
    h("p", { class: "rule" }, h("b", { id: "compare-measure" }, "Validation loss"), " ", h("span", { id: "compare-rule" })),
    h("div", { class: "chart" }, chart),
    list,
  );
  new ResizeObserver(() => app.state.scene && (scene(app), app.changed())).observe($("compare"));
}

// ── what differs ────────────────────────────────────────────────────────────────────────────────

// Let B differ otherwise; a change that can be taken back.
async function differ(app, other) {
  const before = app.state.scene.other;
  if (await app.command("compare", { other })) app.state.undo.push({ path: "", at: 0, what: "compare", more: { other: before } });
}

function headers(app) {
  const { scene } = app.state;
  const { differences, other } = scene;
  for (const { name, header } of sides) {
    const own = name === "A" ? "a" : "b";
    const lines = differences.map((one) => {
      const send = name === "A" ? (value) => app.set(one.path, value) : (value) => differ(app, { ...other, [one.path]: value });
      const remove =
        name === "B" &&
        h("button", { class: "round", "aria-label": `${wordsOf(one.path)} the same again`, title: "The same again", onclick: () => {
          const { [one.path]: _, ...rest } = other;
          differ(app, rest);
        } }, "×");
      return h("span", { class: "difference" }, h("span", {}, wordsOf(one.path)), editor(scene, name, one.path, one[own], send), remove || null);
    });
    if (name === "B") lines.push(adder(app));
    header.replaceChildren(...lines);
  }
}

function adder(app) {
  const { scene } = app.state;
  const free = Object.keys(SETTINGS).filter((path) => !(path in scene.other));
  const choose = h(
    "select",
    { "aria-label": "Let another setting differ in B", id: "differ" },
    h("option", { value: "" }, Object.keys(scene.other).length ? "+ setting" : "+ what differs"),
    ...free.map((path) => h("option", { value: path }, wordsOf(path))),
  );
  choose.addEventListener("change", () => {
    if (!choose.value) return;
    const value = choose.value.split(".").reduce((tree, key) => tree?.[key], scene.recipe);
    differ(app, { ...scene.other, [choose.value]: beginning(scene, choose.value, value) });
  });
  return h("span", { class: "menu" }, choose);
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

function output(state, { canvas, points }, which) {
  const { frame, scene, view } = state;
  const side = sideOf(canvas);
  if (!side) return;
  const [, n, , outputs] = frame.surface.shape;
  const field = { n, outputs, values: part(frame.surface, which), shades: part(frame.shades, which) };
  const pen = canvas.getContext("2d");
  surface(pen, side, scene, field, view.discrete);
  if (scene.kind !== "quantities") boundary(pen, side, scene, field);
  if (points.width !== side || points.dataset.of !== built) {
    Object.assign(points, { width: side, height: side });
    points.dataset.of = built;
    const { train, validation } = scene.points;
    scatter(points.getContext("2d"), side, scene, [...train.map((one) => [one, false]), ...validation.map((one) => [one, true])]);
  }
  pen.drawImage(points, 0, 0);
}

// A curve's rows as columns; where training stands in it, and its best epoch.
function read(state, section, which) {
  const held = state.scene.points.validation.length > 0;
  const column = held ? 3 : 1;
  const rows = [];
  for (let row = 0; row < section.shape[0]; row++) {
    const value = section.values[5 * row + column];
    if (Number.isFinite(value)) rows.push([section.values[5 * row], value, section.values[5 * row + column + 1]]);
  }
  const told = (one) => one && (held ? [one.step, one.validation, one.figure] : [one.step, one.train, one.trainFigure]);
  return { rows, now: told(latest(state, which)), best: told(best(state, which)) };
}

function curves(state) {
  return [state.frame.curve, state.frame.other].map((section, which) => read(state, section, which));
}

function drawChart(app, lines) {
  const { state } = app;
  const sheet = paper(chart);
  if (!sheet) return;
  const { pen, width, height, rem } = sheet;
  const all = lines.flatMap(({ rows }) => rows.map(([, value]) => value)).sort((a, b) => a - b);
  const first = Math.max(...lines.map(({ rows }) => rows[0]?.[1] ?? 0), 0.1);
  const scale = rounded(0, Math.min(all.at(-1) ?? 1, 4 * first) || 1);
  const [left, right, high, low] = [roomFor(sheet, steps(scale), 2.4 * rem), width - 9.5 * rem, 0.6 * rem, height - 1.5 * rem];
  const end = Math.max(state.end, 1);
  const x = (step) => left + ((right - left) * step) / end;
  const y = (value) => low - ((low - high) * Math.min(scale.to, Math.max(0, value))) / scale.to;
  levels(sheet, steps(scale), y, left, right);
  const epochs = Math.floor(end / state.scene.steps_per_epoch);
  along(sheet, left, right, low, "0", `${count(epochs)} epoch${epochs === 1 ? "" : "s"}`);
  lines.forEach((line, which) => trace(pen, line, which, state.step, x, y, rem));
  const ends = lines.map(({ now, best }, which) => now && { at: y(now[1]), parts: said(which, now, best) });
  names(sheet, ends.filter(Boolean), right, low);
}

// The name of a line with its loss, and its lowest.
function said(which, now, best) {
  return [
    [`${SIDES[which]} ${short(now[1])}`, "--ink", "600"],
    [` best ${short(best[1])}`, "--ink2", ""],
  ];
}

function trace(pen, { rows, best }, which, step, x, y, rem) {
  pen.lineWidth = 1.7;
  pen.lineJoin = "round";
  pen.strokeStyle = token("--ink");
  pen.setLineDash(which ? [5, 4] : []);
  for (const [part, alpha] of [
    [rows.filter(([at]) => at <= step), 1],
    [rows.filter(([at]) => at > step), 0.3],
  ]) {
    pen.globalAlpha = alpha;
    pen.beginPath();
    part.forEach(([at, value], i) => pen[i ? "lineTo" : "moveTo"](x(at), y(value)));
    pen.stroke();
  }
  pen.globalAlpha = 1;
  pen.setLineDash([]);
  if (!best) return;
  pen.beginPath();
  pen.arc(x(best[0]), y(best[1]), 0.36 * rem, 0, 2 * Math.PI);
  pen.fillStyle = token("--background");
  pen.fill();
  pen.stroke();
}

function figures({ scene }, lines) {
  sides.forEach(({ figure }, which) => {
    const { now } = lines[which];
    const right = now && scene.kind !== "quantities" ? `${Math.round(100 * now[2])} % right, ` : "";
    put(figure, now ? `${right}loss ${short(now[1])}` : "initial weights");
  });
}

// ── the weights that parted ─────────────────────────────────────────────────────────────────────

function farthest({ frame: { parted } }) {
  return Array.from({ length: parted.shape[0] }, (_, i) => {
    const [layer, unit, source, step] = parted.values.subarray(4 * i, 4 * i + 4);
    return { layer, unit, source: source < 0 ? null : source, step };
  });
}

function unitName({ scene }, layer, unit) {
  if (layer < 0) return scene.inputs[unit];
  const hidden = scene.recipe.network.hidden ?? [];
  if (layer < hidden.length) return `layer ${layer + 1} unit ${unit + 1}`;
  return scene.kind === "binary" || scene.names.length < 2 ? "output" : `output ${scene.names[unit]}`;
}

function named(state, { layer, unit, source }) {
  const to = unitName(state, layer, unit);
  return source === null ? `bias of ${to}` : `${unitName(state, layer - 1, source)} → ${to}`;
}

// Whether the server has looked at all steps: before, it is not known that no weight has parted.
const looked = ({ frame }) => !new TextDecoder().decode(frame.caption?.values).includes('"rule":"watching"');

function partings(app) {
  const { state } = app;
  parted = farthest(state);
  const epoch = (step) => count(Math.floor(step / state.scene.steps_per_epoch));
  const none = looked(state) ? `No weight is further apart than ${state.scene.apart}` : "Which weights part is told soon";
  const said = [none, ...parted.map((one) => `${named(state, one)} ${one.step}`)].join();
  const fresh = said !== listed;
  listed = said;
  if (fresh) {
    const held = list.contains(document.activeElement) && document.activeElement.dataset.link;
    list.replaceChildren(
      h("span", {}, parted.length ? "Farthest apart" : none),
      ...parted.map((one) => {
        const button = h("button", { "data-link": `${one.layer} ${one.unit} ${one.source}` });
        const on = (to) => () => {
          over = to;
          app.changed();
        };
        for (const [event, to] of [["pointerenter", one], ["focus", one], ["pointerleave", null], ["blur", null]]) button.addEventListener(event, on(to));
        return button;
      }),
    );
    if (held) list.querySelector(`[data-link="${held}"]`)?.focus();
  }
  [...list.querySelectorAll("button")].forEach((button, i) => {
    const one = parted[i];
    put(button, `${named(state, one)}: epoch ${epoch(one.step)}`);
    const weights = SIDES.map((_, which) => weightOf(state, which, one));
    button.title = `parted in step ${count(one.step)}; now ${weights.map((value) => short(value, 2)).join(" and ")}`;
  });
  sides[0].mini.mark([], over);
  sides[1].mini.mark(parted, over);
}

function weightOf({ frame }, which, { layer, unit, source }) {
  const place = sides[0].mini.place(frame, layer);
  const { weights, biases } = frame;
  if (source === null) return biases.values[(which * biases.shape[1] + place) * biases.shape[2] + unit];
  return weights.values[index(weights, which, place, unit, source)];
}

// ── the part ────────────────────────────────────────────────────────────────────────────────────

const shown = ({ state }) => state.scene?.game === "compare" && state.view.page === "compare";

export function scene(app) {
  if (!shown(app)) return;
  const { state } = app;
  const { scene } = state;
  built = `${scene.revision} ${token("--ink")}`;
  const said = JSON.stringify(scene.other);
  if (said !== state.view.other) app.view({ other: said });
  const typing = $("compare").contains(document.activeElement) && document.activeElement.tagName === "INPUT";
  if (!typing) headers(app);
  sides[0].mini.shape(scene, scene.recipe);
  sides[1].mini.shape(scene, scene.second.recipe);
  const held = scene.points.validation.length > 0;
  put($("compare-measure"), held ? "Validation loss" : "Training loss");
  put($("compare-rule"), `same data, seed ${scene.recipe.seed}; the settings change both, but for what differs above`);
}

export function paint(app) {
  if (!shown(app)) return;
  const { state } = app;
  const lines = curves(state);
  sides.forEach((side, which) => {
    side.mini.paint(state.frame, which);
    output(state, side, which);
  });
  figures(state, lines);
  drawChart(app, lines);
  partings(app);
}
