// The user's own table: dropped anywhere or chosen, looked at by the server, then played with or trained on.

import { ask, part, sentences } from "./api.js";
import { $, count, h } from "./dom.js";
import { prepare } from "./train.js";

const LARGEST = 64 * 2 ** 20; // bytes; the server holds to it, too
const KINDS = ".csv,.tsv,.txt,.parquet,.jsonl,.ndjson";
const WORDS = {
  numeric: "number",
  boolean: "yes or no",
  category: "category",
  date: "date",
  identifier: "identifier",
  text: "text",
  empty: "empty",
};

let app = null;
let dialog = null;
let chooser = null;
let table = null; // what the server said of it
let target = "";
let inputs = new Set();
let way = "all"; // what Play takes: all of the inputs, or two
let pair = []; // those two

export function setup(all) {
  app = all;
  dialog = h("dialog", { id: "own", "aria-labelledby": "own-title" });
  chooser = h("input", { type: "file", accept: KINDS, hidden: true, id: "own-table", "aria-label": "Own file" });
  chooser.addEventListener("change", () => chooser.files[0] && send(chooser.files[0]));
  document.body.append(dialog, chooser, h("div", { id: "drop", hidden: true }, h("p", {}, "Drop a table to use it")));
  app.openFile = (file = null) => (file ? send(file) : chooser.click());
  listen();
}

export function scene() {}

export function paint() {}

// ── dropping ────────────────────────────────────────────────────────────────────────────────────

const holdsFile = (event) => event.dataTransfer?.types.includes("Files");

function listen() {
  let inside = 0; // a drag enters and leaves every element on its way
  const show = (on) => ($("drop").hidden = !on);
  addEventListener("dragenter", (event) => holdsFile(event) && show(++inside > 0));
  addEventListener("dragleave", (event) => holdsFile(event) && show(--inside > 0));
  addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    inside = 0;
    show(false);
    if (!holdsFile(event) || event.defaultPrevented) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
}

// ── sending ─────────────────────────────────────────────────────────────────────────────────────

async function send(file) {
  chooser.value = "";
  open(file.name, h("p", { class: "soft", role: "status" }, "Looking at it."));
  if (file.size > LARGEST) {
    refuse(file.name, {
      rule: "A table that a page sends has up to 67 MB",
      remedy: "train on it from the command line: layerwise init FILE --target COLUMN",
    });
    return;
  }
  try {
    table = await ask("POST", `uploads?name=${part(file.name)}`, file);
  } catch (problem) {
    await refuse(file.name, problem);
    return;
  }
  target = likely(table.look.columns);
  inputs = new Set(table.look.columns.filter((one) => one.taken && one.name !== target).map((one) => one.name));
  way = inputs.size > table.played_inputs ? "two" : "all";
  draw();
}

// What is often to be predicted: a column that is called so, or else the last one that says anything.
function likely(columns) {
  const usable = columns.filter((one) => !["text", "empty"].includes(one.kind));
  const named = usable.find((one) => /^(target|label|class|y|outcome|result)$/i.test(one.name));
  return (named ?? usable.at(-1) ?? columns.at(-1)).name;
}

// A workspace that is full says so; here what is in it can be removed.
async function refuse(name, problem) {
  const kept = await ask("GET", "uploads").catch(() => []);
  const oldest = /together/.test(problem.rule ?? "") ? kept.at(-1) : null;
  const remove = async () => {
    await ask("DELETE", `uploads/${part(oldest.path.split("/").pop())}`).catch(() => null);
    dialog.close();
  };
  open(
    name,
    h("p", { role: "alert" }, sentences(problem)),
    h(
      "div",
      { class: "row" },
      h("button", { class: "strong", onclick: () => chooser.click() }, "Choose another file"),
      oldest && h("button", { onclick: remove }, `Remove ${oldest.name}`),
      h("button", { class: "quiet", onclick: () => dialog.close() }, "Close"),
    ),
  );
}

function open(title, ...content) {
  dialog.replaceChildren(h("h2", { id: "own-title" }, title), ...content);
  if (!dialog.open) dialog.showModal();
}

// ── what is in it ───────────────────────────────────────────────────────────────────────────────

function draw() {
  const { look, name, size } = table;
  const facts = [`${count(look.rows)} rows`, `${count(look.columns.length)} columns`, size, look.written];
  if (look.judged < look.rows) facts.push(`judged by the first ${count(look.judged)} rows`);
  open(
    name,
    h("p", { class: "soft" }, `${facts.filter(Boolean).join("; ")}.`),
    h(
      "div",
      { class: "columns", tabindex: "0", role: "region", "aria-label": "Columns" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...["predict", "input", "column", "kind", "what it holds"].map((word) => h("th", { scope: "col" }, word)),
          ),
        ),
        h("tbody", {}, ...look.columns.map(line)),
      ),
    ),
    h("div", { id: "own-ways", role: "radiogroup", "aria-label": "Play with" }),
    h("p", { class: "soft", id: "own-said", role: "status" }),
    h(
      "div",
      { class: "row" },
      h("button", { class: "strong", id: "own-train", onclick: train }, "Train for real"),
      h("button", { id: "own-play", onclick: play }, "Play with it"),
      h("button", { class: "quiet", onclick: () => dialog.close() }, "Close"),
    ),
  );
  $("own-ways").replaceChildren(...ways());
  tell();
  $(way === "two" ? "own-train" : "own-play").focus();
}

function line(column) {
  const { name } = column;
  const pick = h("input", {
    type: "radio",
    name: "own-target",
    "aria-label": `Predict ${name}`,
    checked: name === target,
  });
  const use = h("input", {
    type: "checkbox",
    "aria-label": `${name} is an input`,
    checked: inputs.has(name),
    "data-input": name,
  });
  pick.addEventListener("change", () => {
    if (column.taken) inputs.delete(name);
    const before = table.look.columns.find((one) => one.name === target);
    if (before?.taken) inputs.add(before.name);
    target = name;
    for (const box of dialog.querySelectorAll("[data-input]")) box.checked = inputs.has(box.dataset.input);
    $("own-ways").replaceChildren(...ways());
    tell();
  });
  use.addEventListener("change", () => {
    if (use.checked) inputs.add(name);
    else inputs.delete(name);
    tell();
  });
  return h(
    "tr",
    { class: column.taken ? "" : "apart" },
    h("td", {}, h("label", {}, pick)),
    h("td", {}, h("label", {}, use)),
    h("th", { scope: "row" }, name),
    h("td", {}, WORDS[column.kind] ?? column.kind),
    h("td", { class: "holds" }, column.holds),
  );
}

// What Play takes: all of the inputs, or two of them, each on an axis. Made anew where another column is predicted.
function ways() {
  const usable = table.look.columns.filter((one) => one.taken && one.name !== target);
  if (usable.length <= 2) {
    way = "all";
    return [];
  }
  const order = [...usable.filter((one) => one.kind === "numeric"), ...usable].map((one) => one.name);
  pair = [...new Set([...pair.filter((name) => order.includes(name)), ...order])].slice(0, 2);
  const radios = ["all", "two"].map((value) => {
    const pick = h("input", { type: "radio", name: "own-way", value, checked: way === value });
    pick.addEventListener("change", () => choose(value));
    return pick;
  });
  const lists = [0, 1].map((axis) => axisList(usable, axis));
  const choose = (value) => {
    way = value;
    for (const pick of radios) pick.checked = pick.value === way;
    lists.forEach((list, axis) => (list.value = pair[axis]));
    tell();
  };
  lists.forEach((list, axis) =>
    list.addEventListener("change", () => {
      const other = pair[1 - axis] === list.value ? pair[axis] : pair[1 - axis]; // a column is on one axis only
      pair = axis ? [other, list.value] : [list.value, other];
      choose("two");
    }),
  );
  choose(way);
  const on = lists.map((list, axis) => h("label", {}, axis ? "↑" : "→", h("span", { class: "menu" }, list)));
  return [
    h("label", { class: "check" }, radios[0], "Play with all ticked inputs, over the plane of their first two principal components"),
    h("div", { class: "two" }, h("label", { class: "check" }, radios[1], "Play with two"), ...on),
  ];
}

function axisList(usable, axis) {
  const words = axis ? "Vertical axis" : "Horizontal axis";
  const options = usable.map(({ name }) => h("option", { value: name }, name));
  return h("select", { "aria-label": words, "data-axis": String(axis) }, ...options);
}

// What Play takes of the table.
function played() {
  return way === "two" ? pair : [...inputs].filter((name) => name !== target);
}

// What can be done with what is chosen, before it is tried.
function tell() {
  const taken = [...inputs].filter((name) => name !== target);
  const rows =
    table.look.rows > table.played_rows ? `${count(table.played_rows)} of its rows, drawn at random, and ` : "";
  const many = played().length;
  const room =
    many > table.played_inputs
      ? `Playing has room for ${table.played_inputs} inputs: leave some out, play with two, or train for real.`
      : "";
  const counted = (number) => (number === 1 ? "one input" : `${number} inputs`);
  const plays = `Play takes ${rows}${counted(many)}; training takes every row and ${counted(taken.length)}.`;
  $("own-said").textContent = taken.length ? room || plays : "Choose at least one input.";
  $("own-train").disabled = !taken.length;
  $("own-play").disabled = !many || many > table.played_inputs;
  for (const box of dialog.querySelectorAll("[data-input]")) box.disabled = box.dataset.input === target;
}

async function recipe(what, taken) {
  const left_out = table.look.columns.map((one) => one.name).filter((name) => name !== target && !taken.includes(name));
  try {
    return await ask("POST", `uploads/${part(table.path.split("/").pop())}/${what}`, { target, left_out });
  } catch (problem) {
    $("own-said").textContent = sentences(problem);
    return null;
  }
}

async function play() {
  const found = await recipe("play", played());
  if (!found) return;
  const answer = await app.recipe(found.toml);
  if (answer) {
    if (way === "two") await app.command("plane", { over: pair });
    dialog.close();
    app.view({ page: "playground" });
  } else if (app.state.error) {
    $("own-said").textContent = sentences(app.state.error);
    app.state.error = null;
    app.changed();
  }
}

async function train() {
  const found = await recipe("recipe", [...inputs]);
  if (!found) return;
  dialog.close();
  prepare(app, { toml: found.toml, name: table.name.replace(/\.[a-z]+$/i, "") });
}
