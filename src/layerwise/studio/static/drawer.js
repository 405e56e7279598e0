// The drawer: back-propagation of a point number by number, distributions by layer, and the recipe behind the page.

import { $, count, h, put, short } from "./dom.js";
import * as distributions from "./distributions.js";
import { shapeOf } from "./shape.js";
import { chosen, tabs } from "./tabs.js";

const TABS = { numbers: "Back-propagation", distributions: "Distributions", recipe: "Recipe" };
const STILL = 250; // ms that training stands still before the sheet is asked for again

let area = null; // the recipe's field
let written = ""; // what the server said last; anything else in the field is the user's
let timer = 0;
let asked = "";
let shown = null; // what the numbers were drawn from
let rewritten = ""; // what the command and the program were written for

export function setup(app) {
  addEventListener("resize", () => hintOn(app.state.view));
  const choose = (key) => app.view({ drawer: app.state.view.drawer === key ? "" : key });
  const { list } = tabs({ label: "Drawer", name: "drawer", words: TABS, choose, panel: "drawer-body" });
  $("drawer").append(
    h(
      "div",
      { class: "bar" },
      list,
      h("span", { id: "drawer-hint" }),
      h("button", { class: "quiet", id: "drawer-on", hidden: true, onclick: on }, "What each weight learns →"),
      h("button", { class: "quiet", id: "drawer-close", hidden: true, onclick: () => app.view({ drawer: "" }) }, "close"),
    ),
    h("div", { id: "drawer-body", onscroll: () => hintOn(app.state.view), class: "body", role: "tabpanel", tabindex: "0", hidden: true }),
  );
}

// To what lies beyond the right edge, where the sheet is wider than its place.
function on() {
  $("drawer-body").scrollLeft = $("drawer-body").scrollWidth;
}

function hintOn(view) {
  const { scrollWidth, clientWidth, scrollLeft } = $("drawer-body");
  $("drawer-on").hidden = view.drawer !== "numbers" || scrollWidth - clientWidth - scrollLeft < 24;
}

// ── the numbers of one point ────────────────────────────────────────────────────────────────────

function ask(app) {
  const { state } = app;
  const wanted = `${state.scene.revision} ${state.step} ${state.row}`;
  if (state.view.drawer !== "numbers" || state.row === null || state.scene.playing || wanted === asked) return;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (state.scene.playing || state.row === null) return;
    asked = `${state.scene.revision} ${state.step} ${state.row}`;
    const { step, row } = state;
    const answer = await app.command("sheet", { row });
    if (!answer?.sheet) return;
    Object.assign(state, { sheet: answer.sheet, sheetStep: step, sheetRow: row });
    app.changed();
  }, STILL);
}

function table(heading, columns, rows, sums = []) {
  const cell = (row, kind) =>
    h("tr", { class: kind }, ...row.map((value, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, value)));
  return h(
    "div",
    { class: "numbers-table" },
    h("h3", {}, heading),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        ...rows.map((row) => cell(row, "")),
        ...sums.map((row, i) => cell(row, i === sums.length - 1 ? "sum bold" : i ? "" : "sum")),
      ),
    ),
  );
}

function example(app, sheet) {
  const { scene, row } = app.state;
  const rows = sheet.x[0].map((value, i) => [scene.inputs[i], short(value)]);
  const target =
    scene.kind === "quantities" ? short(sheet.y.flat()[0]) : (scene.names[sheet.y.flat()[0]] ?? String(sheet.y));
  const said = sheet.predicted[0].map((value, k) => [
    sheet.predicted[0].length > 1 ? `output ${scene.names[k]}` : "output",
    short(value),
  ]);
  rows.push(["target", target], ...said, ["loss E", short(sheet.loss)]);
  return table(`Example ${count(row)}`, ["", ""], rows);
}

function incoming(app, sheet, layer, unit) {
  const it = sheet.layers[layer];
  const names = layer ? it.inputs[0].map((_, k) => `unit ${k + 1}`) : app.state.scene.inputs;
  const rows = it.inputs[0].map((f, k) => [
    names[k],
    short(f),
    short(it.weight[unit][k]),
    short(it.forward[unit][k]),
  ]);
  rows.push(["bias", "", short(it.bias[unit]), short(it.bias[unit])]);
  const heading = layer === sheet.layers.length - 1 ? "Into the output" : `Into layer ${layer + 1}, unit ${unit + 1}`;
  return table(heading, ["input", "value f", "weight u", "u·f"], rows, [
    ["sum z", "", "", short(it.z.worked[0][unit])],
    [`${it.activation}(z)`, "", "", short(it.g.worked[0][unit])],
  ]);
}

function error(sheet, layer, unit) {
  const it = sheet.layers[layer];
  const next = sheet.layers[layer + 1];
  const rows = next
    ? next.error.worked[0].map((delta, i) => [
        `unit ${i + 1}`,
        short(delta),
        short(next.weight[i][unit]),
        short(it.backward[unit][i]),
      ])
    : [];
  const sums = [
    [next ? "sum" : "∂E/∂g", "", "", short(it.arriving[0][unit])],
    ["slope g′(z)", "", "", short(it.slope.worked[0][unit])],
    ["error δ", "", "", short(it.error.worked[0][unit])],
  ];
  return table(
    next ? "Error coming back" : "Error at the output",
    [next ? `layer ${layer + 2}` : "", next ? "error δ" : "", next ? "weight v" : "", next ? "v·δ" : ""],
    rows,
    sums,
  );
}

function learns(app, sheet, layer, unit) {
  const it = sheet.layers[layer];
  const names = layer ? it.inputs[0].map((_, k) => `unit ${k + 1}`) : app.state.scene.inputs;
  const off = (size) => (size === null ? "–" : size.toExponential(0).replaceAll("-", "−"));
  const rows = it.weight[unit].map((_, k) => [
    names[k],
    short(it.weight_gradient.worked[unit][k], 4),
    short(it.step[unit][k], 4),
    off(it.off[unit][k]),
  ]);
  rows.push([
    "bias",
    short(it.bias_gradient.worked[unit], 4),
    short(it.bias_step[unit], 4),
    off(it.bias_off[unit]),
  ]);
  return table("What each weight learns", ["weight", "∂E/∂u", "step", "off by"], rows);
}

function pick(app) {
  const { points } = app.state.scene;
  const rows = [...points.train, ...points.validation].map(([row]) => row).sort((a, b) => a - b);
  const go = (way) => () => {
    const at = rows.indexOf(app.state.row);
    app.state.row = rows[(Math.max(0, at) + way + rows.length) % rows.length];
    app.changed();
  };
  return h(
    "div",
    { class: "pick" },
    h("button", { class: "quiet", "aria-label": "Example before", onclick: go(-1) }, "←"),
    h("button", { class: "quiet", "aria-label": "Next example", onclick: go(1) }, "→"),
  );
}

function numbers(app) {
  const { state } = app;
  const { sheet, scene, selected } = state;
  const { hidden } = shapeOf(scene);
  const body = $("drawer-body");
  if (state.row === null) {
    const first = scene.points.train[0]?.[0];
    body.replaceChildren(
      h("p", { class: "soft" }, "Click a point of the output to see every number of one step for it. "),
      h(
        "button",
        {
          onclick: () => {
            state.row = first;
            app.changed();
          },
        },
        "Show the first point",
      ),
    );
    return;
  }
  if (!sheet || state.sheetRow !== state.row || sheet.layers.length !== hidden.length + 1) {
    body.replaceChildren(
      h("p", { class: "soft" }, scene.playing ? "The numbers come when training stands still." : "Working them out."),
    );
    return;
  }
  const layer = Math.min(selected?.layer ?? 0, hidden.length);
  const unit = Math.min(selected?.unit ?? 0, sheet.layers[layer].bias.length - 1);
  const left = h("div", {}, example(app, sheet), pick(app));
  body.replaceChildren(
    left,
    incoming(app, sheet, layer, unit),
    error(sheet, layer, unit),
    learns(app, sheet, layer, unit),
  );
}

// ── the recipe ──────────────────────────────────────────────────────────────────────────────────

function copy(words, text) {
  return h(
    "button",
    {
      class: "quiet",
      onclick: async (event) => {
        await navigator.clipboard?.writeText(text());
        put(event.target, "copied");
        setTimeout(() => put(event.target, words), 1500);
      },
    },
    words,
  );
}

// The recipe in another form, which the server writes.
function listing(form, words) {
  const code = h("pre", { id: `as-${form}`, tabindex: "0", "aria-label": words });
  return [h("h3", {}, words, copy("copy", () => code.textContent)), code];
}

async function rewrite(app) {
  const { state } = app;
  const wanted = `${state.scene.revision} ${state.scene.playing || state.step}`;
  if (wanted === rewritten || !state.online) return;
  rewritten = wanted;
  const answer = await app.command("programs");
  for (const [form, text] of Object.entries(answer?.programs ?? {})) if ($(`as-${form}`)) put($(`as-${form}`), text);
}

function recipePage(app) {
  rewritten = "";
  area = h("textarea", { id: "toml", spellcheck: "false", "aria-label": "Recipe as TOML", autocomplete: "off" });
  const use = h("button", { id: "use-recipe", disabled: true }, "Use this recipe");
  const back = h("button", { class: "quiet", id: "drop-recipe", disabled: true }, "undo my changes");
  const changed = () => {
    use.disabled = back.disabled = area.value === written;
  };
  const send = async () => {
    const answer = await app.recipe(area.value);
    if (answer) fill(answer.scene.toml);
    changed();
  };
  area.addEventListener("input", changed);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
  });
  use.addEventListener("click", send);
  back.addEventListener("click", () => (fill(written), changed()));
  $("drawer-body").replaceChildren(
    h(
      "div",
      { class: "recipe" },
      area,
      h(
        "div",
        { class: "row" },
        use,
        back,
        copy("copy", () => area.value),
      ),
    ),
    h(
      "div",
      { class: "commands" },
      h("button", { id: "train-for-real", onclick: () => app.trainForReal() }, "Train it for real"),
      ...listing("command", "On the command line"), ...listing("python", "In Python"),
    ),
  );
  fill(app.state.scene.toml);
}

function fill(toml) {
  written = toml;
  if (area) area.value = toml;
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

export function scene(app) {
  const { view, scene } = app.state;
  const all = [...$("drawer").querySelectorAll("[role=tab]")];
  chosen(all, (tab) => tab.dataset.drawer === view.drawer, view.drawer ? null : all[0]);
  $("drawer-close").hidden = !view.drawer;
  hintOn(view);
  $("drawer-body").hidden = !view.drawer;
  shown = null;
  if (view.drawer === "recipe") {
    if (!area?.isConnected) recipePage(app);
    else if (area.value === written)
      fill(scene.toml); // what the user is typing stays
    else written = scene.toml;
  } else if (!view.drawer) {
    $("drawer-body").replaceChildren();
  }
}

export function paint(app) {
  const { state } = app;
  const { view, sheet, selected, row, sheetStep, scene } = state;
  const stale = view.drawer === "numbers" && sheet && row !== null && sheetStep !== state.step;
  if (view.drawer === "recipe") rewrite(app);
  if (view.drawer === "distributions") {
    put($("drawer-hint"), distributions.rowsOf(state));
    distributions.paint(app, $("drawer-body"));
    return;
  }
  put(
    $("drawer-hint"),
    view.drawer ? (stale ? `as of step ${count(sheetStep)}` : "") : "click a point to see its numbers",
  );
  if (view.drawer !== "numbers") return;
  ask(app);
  const wanted = [sheet, JSON.stringify(selected), row, scene.playing];
  if (shown && wanted.every((part, i) => part === shown[i])) return;
  shown = wanted;
  numbers(app);
  hintOn(view);
}
