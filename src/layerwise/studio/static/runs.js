// Every run and study of the workspace: what trains now, the list of all, and what is done with some of them.
// Of thousands of rows only those in sight are drawn, and those near them fetched.

import { ask, part, sentences } from "./api.js";
import { $, count, h, put } from "./dom.js";
import { COLUMNS, heading, line, SORTED } from "./row.js";
import * as run from "./run.js";
import * as training from "./training.js";
import { jobs, onJobs, start } from "./train.js";

const CHUNK = 100; // rows of one request
const BEYOND = 6; // rows drawn above and below what is in sight
const AGAIN = 10_000; // ms after which the list is looked at again
let app = null;
let chunks = new Map(); // number -> rows, or null while they are fetched
let known = { total: 0, found: 0, trash: 0 };
let asked = ""; // the words and order that the list was fetched for
let loaded = false;
let drawn = new Map(); // index -> element
let current = 0; // the row that has the list's tab stop
let ended = 0;
let timer = 0;
let undone = null; // how the last deletion is taken back
const selected = new Set();

export function setup(all) {
  app = all;
  const find = h("input", {
    id: "runs-find",
    type: "search",
    placeholder: "name, data, network, status",
    "aria-label": "Find runs",
    autocomplete: "off",
  });
  find.addEventListener("input", () => app.view({ find: find.value }));
  const order = h(
    "select",
    { id: "runs-order", "aria-label": "Sort by" },
    ...SORTED.map((key) => h("option", { value: key }, COLUMNS[key])),
  );
  order.addEventListener("change", () => app.view({ sort: order.value }));
  $("runs").append(
    h(
      "div",
      { id: "shelf" },
      h(
        "header",
        {},
        h("h1", {}, "Runs"),
        find,
        h("span", { class: "menu", id: "runs-order-menu" }, order),
        h("span", { class: "soft", id: "runs-count", role: "status" }),
        h(
          "span",
          { class: "right" },
          h("button", { onclick: () => app.openFile() }, "Own file"),
          h("button", { class: "strong", onclick: () => app.trainForReal() }, "Train for real"),
        ),
      ),
      h("div", { id: "runs-said", role: "status" }),
      h("section", { id: "jobs", "aria-label": "Training now", hidden: true }),
      h("div", { id: "runs-empty", hidden: true }),
      h(
        "div",
        { id: "runs-list", role: "table", "aria-label": "Runs" },
        heading(turn),
        h("div", { id: "runs-rows", role: "rowgroup" }),
      ),
      h("footer", { id: "runs-trash" }),
    ),
    h("div", { id: "one-run" }),
  );
  run.setup(app, { remove, say });
  $("runs-rows").addEventListener("keydown", key);
  document.addEventListener("scroll", () => shown() && draw(), { capture: true, passive: true });
  addEventListener("resize", () => shown() && draw());
  addEventListener("focus", () => shown() && fetchAgain());
  onJobs(onward);
}

export function scene() {
  clearTimeout(timer);
  if (app.state.view.page !== "runs") return;
  const { run: names, find } = app.state.view;
  $("shelf").hidden = names !== "";
  $("one-run").hidden = names === "";
  run.show(names);
  if (document.activeElement !== $("runs-find")) $("runs-find").value = find;
  $("runs-order").value = order().sort;
  if (names) return;
  const wanted = JSON.stringify([find, app.state.view.sort]);
  if (wanted !== asked) {
    asked = wanted;
    current = 0;
    fetchAgain(true);
  } else {
    fetchAgain();
  }
  for (const cell of $("runs-list").querySelectorAll("[data-sort]")) {
    const on = cell.dataset.sort === order().sort;
    cell.setAttribute("aria-sort", on ? (order().reverse ? "descending" : "ascending") : "none");
  }
  onward();
}

export function paint() {}

// The jobs have come on: those that are over are runs of the list now.
function onward() {
  if (!shown()) return;
  training.draw(say);
  if (ended !== jobs.ended) {
    ended = jobs.ended;
    fetchAgain();
  } else if (loaded) {
    about();
  }
}

// A second time the other way round.
function turn(key) {
  const now = order();
  app.view({ sort: now.sort === key && !now.reverse ? `-${key}` : key });
}

const does = { open: (name) => app.view({ run: name }), select, reach: (index) => (current = index) };
const shown = () => app.state.view.page === "runs" && app.state.view.run === "";

function order() {
  const { sort } = app.state.view;
  const reverse = sort.startsWith("-");
  const key = reverse ? sort.slice(1) : sort;
  return { sort: SORTED.includes(key) ? key : "when", reverse };
}

// ── the list, as far as it is in sight ──────────────────────────────────────────────────────────

// Fetch what is in sight once more; the old rows stay until the new ones are there, but for another order.
async function fetchAgain(anew = false) {
  clearTimeout(timer);
  const [first, last] = anew ? [0, 0] : sight();
  const places = new Set([Math.floor(first / CHUNK), Math.floor(Math.max(first, last - 1) / CHUNK)]);
  const before = asked;
  const fetched = new Map();
  for (const place of places) fetched.set(place, await fetchChunk(place));
  if (before !== asked || !shown()) return;
  if ([...fetched.values()].every((rows) => rows !== null)) chunks = fetched;
  loaded = true;
  if (anew) $("runs").scrollTop = 0;
  anewInPlace();
  timer = setTimeout(() => (document.hidden ? null : fetchAgain()), AGAIN);
}

// Draw every row anew; the run that had the focus has it again, on the same control, wherever it stands now.
function anewInPlace() {
  const controls = (row) => [...row.querySelectorAll("a, button, input")];
  const held = [...drawn.values()].find((row) => row.contains(document.activeElement));
  const which = held ? controls(held).indexOf(document.activeElement) : -1;
  for (const element of drawn.values()) element.remove();
  drawn.clear();
  draw();
  const [index, row] = [...drawn].find(([, one]) => one.dataset.name === held?.dataset.name) ?? [];
  if (!row) return;
  if (which >= 0) controls(row)[which]?.focus({ preventScroll: true });
  if (current !== index) {
    current = index;
    draw();
  }
}

async function fetchChunk(place) {
  const { sort, reverse } = order();
  const query = `find=${part(app.state.view.find)}&sort=${sort}&reverse=${reverse ? 1 : 0}&offset=${place * CHUNK}&limit=${CHUNK}`;
  try {
    const { rows, ...rest } = await ask("GET", `runs?${query}`);
    known = rest;
    return rows;
  } catch (problem) {
    say(sentences(problem));
    return null;
  }
}

async function fill(place) {
  chunks.set(place, null);
  const before = chunks;
  const rows = await fetchChunk(place);
  if (before !== chunks) return;
  if (rows) chunks.set(place, rows);
  else chunks.delete(place);
  draw();
}

// The first row in sight, and the one after the last.
function sight() {
  const box = $("runs-rows").getBoundingClientRect();
  const high = height();
  const first = Math.floor(-box.top / high) - BEYOND;
  const last = Math.ceil((innerHeight - box.top) / high) + BEYOND;
  return [Math.max(0, Math.min(first, known.found - 1)), Math.max(0, Math.min(last, known.found))];
}

function height() {
  return (
    parseFloat(getComputedStyle($("runs-rows")).getPropertyValue("--row")) *
    parseFloat(getComputedStyle(document.documentElement).fontSize)
  );
}

function draw() {
  if (!loaded) return;
  const rows = $("runs-rows");
  const high = height();
  rows.style.height = `${known.found * high}px`;
  $("runs-list").setAttribute("aria-rowcount", known.found + 1);
  const [first, last] = sight();
  const wanted = Math.min(current, Math.max(0, known.found - 1));
  for (const [index, element] of drawn) {
    if ((index < first || index >= last) && !element.contains(document.activeElement)) {
      element.remove();
      drawn.delete(index);
    }
  }
  for (let index = first; index < last; index++) {
    const place = Math.floor(index / CHUNK);
    if (!chunks.has(place)) fill(place);
    const row = chunks.get(place)?.[index % CHUNK];
    if (!row || drawn.has(index)) continue;
    const element = line(row, index, selected.has(row.name), does);
    element.style.transform = `translateY(${index * high}px)`;
    drawn.set(index, element);
    // In their order, so that a reader comes to them as they stand.
    const after = [...drawn].filter(([other]) => other > index).sort((a, b) => a[0] - b[0])[0]?.[1] ?? null;
    rows.insertBefore(element, after);
  }
  for (const [index, element] of drawn) element.querySelector("a").tabIndex = index === wanted ? 0 : -1;
  about();
}

function key(event) {
  const row = event.target.closest(".run-row");
  if (!row) return;
  const index = Number(row.dataset.index);
  const page = Math.max(1, Math.floor(innerHeight / height()) - 4);
  const to = {
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: known.found - 1,
  }[event.key];
  if (to !== undefined) move(Math.max(0, Math.min(known.found - 1, to)));
  else if (event.key === " ") select(row.dataset.name, !selected.has(row.dataset.name));
  else if (event.key === "Delete") remove(selected.size ? [...selected] : [row.dataset.name]);
  else return;
  event.preventDefault();
}

// Go to a row, which may have to be fetched first.
async function move(index) {
  current = index;
  const box = $("runs-rows").getBoundingClientRect();
  const [top, bottom] = [box.top + index * height(), box.top + (index + 1) * height()];
  const scroller = getComputedStyle($("runs")).overflowY === "visible" ? document.scrollingElement : $("runs");
  const head = $("runs-list").firstElementChild.getBoundingClientRect().bottom;
  if (top < head) scroller.scrollBy(0, top - head);
  else if (bottom > innerHeight) scroller.scrollBy(0, bottom - innerHeight + 8);
  draw();
  for (let tries = 100; tries && !drawn.has(index) && current === index; tries--) {
    await new Promise((done) => setTimeout(done, 20));
  }
  if (current === index) drawn.get(index)?.querySelector("a").focus({ preventScroll: true });
}

// ── around the list ─────────────────────────────────────────────────────────────────────────────

function about() {
  const { found, total, trash } = known;
  const all = total === 1 ? "1 run" : `${count(total)} runs`;
  put($("runs-count"), total ? (found === total ? all : `${count(found)} of ${all}`) : "");
  const none = total === 0 && !jobs.all.length;
  $("runs-list").hidden = found === 0;
  $("runs-empty").hidden = found > 0 || (total === 0 && !none);
  if (!$("runs-empty").hidden)
    $("runs-empty").replaceChildren(...(none ? empty() : [h("p", { class: "soft" }, "No run is like that.")]));
  drawTrash(trash);
  drawSelected();
}

function empty() {
  if ($("train-digits")) return [...$("runs-empty").childNodes];
  const begin = async () => {
    try {
      const recipes = await ask("GET", "recipes");
      await start(recipes.find((one) => one.name === "digits").toml, "digits");
    } catch (problem) {
      say(sentences(problem));
    }
  };
  return [
    h("p", { class: "large" }, "No runs yet."),
    h(
      "p",
      { class: "soft" },
      "A run is a network trained to its end, scored beside classical models, and kept. The first takes seconds.",
    ),
    h(
      "div",
      { class: "row" },
      h("button", { class: "strong", id: "train-digits", onclick: begin }, "Train digits now"),
      h("button", { onclick: () => app.openFile() }, "Use a table of your own"),
    ),
  ];
}

function drawTrash(trash) {
  const box = $("runs-trash");
  if (box.dataset.count === String(trash)) return;
  box.dataset.count = trash;
  const words = trash === 1 ? "1 deleted run is kept." : `${count(trash)} deleted runs are kept.`;
  const really = h("button", { class: "quiet", onclick: empties, hidden: true }, "Remove for good");
  const first = h(
    "button",
    { class: "quiet", onclick: () => ((first.hidden = true), (really.hidden = false), really.focus()) },
    "Empty the trash",
  );
  box.replaceChildren(...(trash ? [h("span", {}, words), first, really] : []));
}

async function empties() {
  try {
    await ask("DELETE", "trash");
    say("The trash is empty.");
  } catch (problem) {
    say(sentences(problem));
  }
  fetchAgain();
}

function select(name, on) {
  if (on) selected.add(name);
  else selected.delete(name);
  for (const row of drawn.values()) row.querySelector("input").checked = selected.has(row.dataset.name);
  drawSelected();
}

function drawSelected() {
  const box = $("runs-said");
  if (!selected.size) {
    if (box.dataset.kind === "selected") say("");
    return;
  }
  box.dataset.kind = "selected";
  const names = [...selected];
  const compare = h(
    "button",
    { class: "strong", disabled: names.length < 2, onclick: () => app.view({ run: names.join("/") }) },
    "Compare",
  );
  const clear = () => (
    selected.clear(),
    [...drawn.values()].forEach((row) => (row.querySelector("input").checked = false)),
    say("")
  );
  const words = names.length === 1 ? "1 selected; select another to compare." : `${names.length} selected.`;
  box.replaceChildren(
    h("span", {}, words),
    compare,
    h("button", { onclick: () => remove(names) }, "Delete"),
    h("button", { class: "quiet", onclick: clear }, "Clear"),
  );
}

function say(words, label = "", act = null) {
  const box = $("runs-said");
  box.dataset.kind = words ? "said" : "";
  box.replaceChildren(
    ...(words
      ? [
          h("span", {}, words),
          label && h("button", { onclick: act }, label),
          h("button", { class: "quiet", onclick: () => say("") }, "OK"),
        ].filter(Boolean)
      : []),
  );
}

// Delete runs; what was deleted is kept in the workspace's trash, and comes back from there.
async function remove(names) {
  const tickets = [];
  let wrong = "";
  for (const name of names) {
    try {
      tickets.push((await ask("DELETE", `runs/${part(name)}`)).ticket);
      selected.delete(name);
    } catch (problem) {
      wrong = sentences(problem);
    }
  }
  const words =
    tickets.length === 1 ? `Deleted ${names.length === 1 ? names[0] : "1 run"}.` : `Deleted ${tickets.length} runs.`;
  undone = async () => {
    try {
      for (const ticket of tickets) await ask("POST", `trash/${part(ticket)}`);
      say("Brought back.");
    } catch (problem) {
      say(sentences(problem));
    }
    fetchAgain();
  };
  if (app.state.view.run) app.view({ run: "" });
  else await fetchAgain();
  if (tickets.length) say([words, wrong].filter(Boolean).join(" "), "Undo", undone);
  else say(wrong);
}
