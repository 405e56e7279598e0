// Training for real: the recipe before it starts, and how its runs come on, whichever view is shown.

import { ask, part, sentences } from "./api.js";
import { $, h, put } from "./dom.js";

const BUSY = 1000; // ms between two looks at jobs that train
const ACTIVE = ["waiting", "training", "stopping"];

export const jobs = { all: [], ended: 0 }; // `ended` grows with every job that is over

let app = null;
let dialog = null;
let timer = 0;
let given = null; // what the recipe's field began with
let builtin = [];
const heard = new Set();

export function setup(all) {
  app = all;
  dialog = h("dialog", { id: "train", "aria-labelledby": "train-title" });
  document.body.append(dialog);
  app.trainForReal = (what = {}) => prepare(app, what);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
}

export function scene() {
  mark();
}

export function paint() {}

// Be told whenever the jobs may have changed.
export function onJobs(listener) {
  heard.add(listener);
}

// ── how they come on ────────────────────────────────────────────────────────────────────────────

export async function look() {
  clearTimeout(timer);
  const before = new Map(jobs.all.map((job) => [job.name, job.status]));
  try {
    jobs.all = await ask("GET", "jobs");
  } catch {
    timer = setTimeout(look, 4 * BUSY); // the line is cut: the caption says so already
    return;
  }
  const over = jobs.all.filter((job) => ACTIVE.includes(before.get(job.name)) && !ACTIVE.includes(job.status));
  if (over.length) {
    jobs.ended += over.length;
    put(
      $("status"),
      over.map((job) => `${job.name}: training ${job.status === "failed" ? "failed" : "is over"}.`).join(" "),
    );
  }
  for (const listener of heard) listener(app);
  mark();
  if (jobs.all.some((job) => ACTIVE.includes(job.status)) && !document.hidden) timer = setTimeout(look, BUSY);
}

// The views' name of the runs says how many are being trained.
function mark() {
  const active = jobs.all.filter((job) => ACTIVE.includes(job.status)).length;
  const link = $("pages").querySelector('[data-page="runs"]');
  if (!link) return;
  if (active) link.dataset.count = active;
  else delete link.dataset.count;
  link.setAttribute("aria-label", active ? `Runs, ${active} training` : "Runs");
}

export async function stop(name) {
  await ask("DELETE", `jobs/${part(name)}`);
  await look();
}

// Go on with a job that ended with its server.
export async function goOn(name) {
  await ask("POST", `jobs/${part(name)}`);
  await look();
}

export async function start(toml, name, again = "") {
  const begun = await ask("POST", "jobs", { toml, name, again });
  await look();
  return begun.name;
}

// ── before it starts ────────────────────────────────────────────────────────────────────────────

// Shows a recipe to be read and changed before it trains: the given one, or the playground's.
export async function prepare(all, { toml = null, name = "", again = "", notes = [] } = {}) {
  given = { toml, name, again, notes };
  if (toml === null) await ofPlayground();
  if (!builtin.length) builtin = await ask("GET", "recipes").catch(() => []);
  draw();
  if (!dialog.open) dialog.showModal();
  const area = $("train-toml");
  area.focus();
  area.setSelectionRange(0, 0);
  area.scrollTop = 0;
}

async function ofPlayground() {
  const { scene } = app.state;
  const said = scene ? await ask("POST", "recipes", { toml: scene.toml }).catch(() => null) : null;
  const data = scene?.recipe.data;
  Object.assign(given, said ?? { toml: "", notes: [] }, { name: said?.name ?? data?.name ?? "run", again: "" });
}

function draw() {
  const own = given.toml;
  const area = h("textarea", {
    id: "train-toml",
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": "Recipe as TOML",
  });
  area.value = own;
  const name = h("input", { id: "train-name", value: tidy(given.name), maxlength: "100", autocomplete: "off" });
  const list = h(
    "select",
    { id: "train-from" },
    h("option", { value: "" }, "this recipe"),
    h("option", { value: " " }, "the playground’s"),
    ...builtin.map((one) => h("option", { value: one.name }, one.name)),
  );
  list.addEventListener("change", () => choose(list.value));
  const said = h(
    "p",
    { id: "train-said", class: "soft", role: "status" },
    given.notes.map((note) => `${note}.`).join(" "),
  );
  dialog.replaceChildren(
    h("h2", { id: "train-title" }, "Train for real"),
    h("p", { class: "soft" }, "It trains in the background, is scored beside classical models, and is kept in runs."),
    h(
      "div",
      { class: "fields" },
      h("label", {}, h("span", {}, "Start from"), h("span", { class: "menu" }, list)),
      h("label", {}, h("span", {}, "Name"), name),
    ),
    area,
    said,
    h(
      "div",
      { class: "row" },
      h("button", { class: "strong", id: "train-start", onclick: begin }, "Start"),
      h("button", { class: "quiet", onclick: () => dialog.close() }, "Close"),
    ),
  );
}

async function choose(from) {
  const known = builtin.find((one) => one.name === from);
  if (known) Object.assign(given, { ...known, again: "", notes: [] });
  else if (from === " ") await ofPlayground();
  draw();
  $("train-from").value = from;
}

function tidy(name) {
  return (
    name
      .replace(/[/\\:]/g, "-")
      .replace(/^\.+/, "")
      .trim() || "run"
  );
}

async function begin() {
  const button = $("train-start");
  button.disabled = true;
  try {
    await start($("train-toml").value, tidy($("train-name").value), given.again);
    dialog.close();
    app.view({ page: "runs", run: "" });
  } catch (problem) {
    put($("train-said"), sentences(problem));
  }
  button.disabled = false;
}
