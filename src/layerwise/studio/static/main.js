// The page's state and its wiring. The server computes every number; what it sends is kept here as it came,
// and each part of the page draws its share of it.
//
// `scene` is what the last answer said, `frame` the last binary frame, `step` and `end` where training stands
// now. `view` is how the page shows it, and nothing but that; it lives in the address.

import * as caption from "./caption.js";
import { forget } from "./color.js";
import * as compare from "./compare.js";
import * as curves from "./curves.js";
import { $, close } from "./dom.js";
import * as drawer from "./drawer.js";
import * as figures from "./figures.js";
import * as games from "./games.js";
import * as kept from "./kept.js";
import * as keys from "./keys.js";
import * as lessons from "./lessons.js";
import * as many from "./many.js";
import * as network from "./network.js";
import * as output from "./output.js";
import * as own from "./own.js";
import * as pages from "./pages.js";
import * as pen from "./pen.js";
import * as runs from "./runs.js";
import * as settings from "./settings.js";
import * as share from "./share.js";
import * as time from "./time.js";
import * as train from "./train.js";
import { Lost, Wire } from "./wire.js";

const PARTS = [pages, own, train, time, settings, network, output, pen, figures, curves, drawer, caption, compare, many, lessons, runs, share, kept];
const ALONE = new Set([network, output, pen, figures, curves, drawer]); // show the playground's one network
const VIEW = { other: '{"train.l2":0.003}', vary: "start", against: "train.l2", draw: "0", page: "playground", theme: "", present: false, discrete: false, validation: true, figure: "loss", drawer: "", lesson: "", run: "", find: "", sort: "when" };

const KEEPING = 1000; // ms
const SOON = 1500; // ms

export const state = {
  scene: null,
  frame: null,
  step: 0,
  end: 0,
  online: false,
  refused: false, // by a server that was started anew
  preparing: false, // play was asked for, and nothing has moved yet; or nothing is there to play
  error: null,
  told: null, // what the caption says before the diagnosis speaks again
  row: null, // of the data, whose numbers the drawer shows
  sheet: null,
  sheetStep: 0,
  sheetRow: null,
  selected: null, // { layer, unit }
  edits: new Map(), // step -> what was changed there, in words
  drawing: false, // points, by hand
  waits: false, // a lesson for its answer, before which nothing plays
  lent: null, // the data of the last lesson
  lacking: "", // what they lack to be learned, in words
  kept: null, // what leads back to here: { state, step, most, revision }
  undo: [], // how the last changes are taken back, newest last
  view: { ...VIEW, ...fromAddress() },
};

// ── commands ────────────────────────────────────────────────────────────────────────────────────

// Ask the server for something; its answer, or null where it was refused, which the caption then says.
async function command(what, more = {}) {
  try {
    const answer = await wire.ask(what, more);
    state.error = null;
    if (answer.scene) take(answer.scene);
    return answer;
  } catch (problem) {
    if (problem instanceof Lost) return null;
    state.error = problem;
    changed();
    return null;
  }
}

const moving = new Map(); // path -> the value to send next, while one is under way

// Change a key of the recipe. While a slider is drawn the newest value wins, and one change is under way.
async function set(path, value, words = `${path.split(".").pop().replaceAll("_", " ")}`) {
  if (moving.has(path)) {
    moving.set(path, [value, words]);
    return;
  }
  moving.set(path, null);
  remember(path);
  let next = [value, words];
  while (next) {
    moving.set(path, null);
    const answer = await command("set", { path, value: next[0] });
    if (answer) state.edits.set(answer.scene.step, `${next[1]} changed`);
    else settings.scene(app); // the controls go back to what holds
    next = moving.get(path);
  }
  moving.delete(path);
}

// Keep how the recipe is now, so that a change can be taken back; the drag of one slider is one change.
function remember(path) {
  const last = state.undo.at(-1);
  const now = performance.now();
  if (path && last?.path === path && now - last.at < 1500) {
    last.at = now;
    return;
  }
  state.undo.push({ path, at: now, what: "recipe", more: { toml: state.scene.toml } });
  if (state.undo.length > 50) state.undo.shift();
}

// A change that is taken back on its own.
async function change(what, more) {
  remember("");
  const answer = await command(what, more);
  if (!answer) state.undo.pop();
  return answer;
}

const recipe = (toml) => change("recipe", { toml });

// Give a weight, or with `source` null a bias, another value.
async function weight(layer, unit, source, value) {
  const { weights, biases } = state.frame;
  const place = layer === layers() - 1 ? weights.shape[0] - 1 : layer;
  const [, units, inputs] = weights.shape;
  const before =
    source === null ? biases.values[place * units + unit] : weights.values[(place * units + unit) * inputs + source];
  const answer = await command("weight", { layer, unit, source, value });
  if (!answer) return;
  state.undo.push({ path: "", at: 0, what: "weight", more: { layer, unit, source, value: before } });
  state.edits.set(answer.scene.step, "a weight typed in");
}

async function undo() {
  const last = state.undo.pop();
  if (last) await command(last.what, last.more);
}

function layers() {
  return (state.scene.recipe.network.hidden ?? []).length + 1;
}

// What leads back to here, should the line be cut: asked for after a change, at most once a second.
let keeping = false;

async function keep() {
  if (keeping) return;
  keeping = true;
  const answer = await wire.ask("keep").catch(() => null);
  if (answer) {
    state.kept = answer.kept;
    kept.begun(answer.kept.state);
  }
  await new Promise((done) => setTimeout(done, KEEPING));
  keeping = false;
  if (answer && answer.kept.revision !== state.scene.revision) keep();
}

// ── what comes from the server ──────────────────────────────────────────────────────────────────

function take(scene) {
  const fresh = !state.scene || scene.end === 0;
  if (fresh && scene.revision !== state.scene?.revision) {
    state.edits.clear();
    state.sheet = null;
  }
  Object.assign(state, { scene, step: scene.step, end: scene.end });
  if (scene.revision !== state.kept?.revision) keep();
  if (!scene.playing) state.preparing = false;
  if (state.row !== null && ![...scene.points.train, ...scene.points.validation].some(([row]) => row === state.row)) {
    state.row = null;
  }
  for (const part of parts()) part.scene(app);
  changed();
  games.follow(app);
}

// The parts of what is played, where they are seen.
function parts() {
  const alone = state.scene.game === "playground" && ["playground", "lessons"].includes(state.view.page);
  return alone ? PARTS : PARTS.filter((part) => !ALONE.has(part));
}

function receive(frame) {
  state.frame = frame;
  state.fresh = frame;
  if (frame.revision === state.scene?.revision) {
    if (frame.step !== state.step) state.preparing = false;
    state.step = frame.step;
    state.end = Math.max(state.end, frame.step);
  }
  changed();
}

// ── painting: at most once a picture of the screen ──────────────────────────────────────────────

let waiting = false;

function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const { frame, scene, fresh } = state;
    try {
      if (scene && frame && frame.revision === scene.revision) {
        for (const part of parts()) part.paint(app);
      } else {
        caption.paint(app);
      }
    } finally {
      // Whatever went wrong in drawing this one, the next may come.
      if (fresh) {
        state.fresh = null;
        wire.painted(fresh);
      }
    }
  });
}

// ── the view ────────────────────────────────────────────────────────────────────────────────────

function fromAddress() {
  const found = {};
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (!(key in VIEW)) continue;
    found[key] = typeof VIEW[key] === "boolean" ? value === "1" : value;
  }
  return found.page in pages.PAGES ? found : { ...found, page: VIEW.page };
}

function view(changes) {
  const turned = "page" in changes && changes.page !== state.view.page;
  Object.assign(state.view, changes);
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(state.view)) {
    if (value !== VIEW[key]) said.set(key, typeof value === "boolean" ? (value ? "1" : "0") : value);
  }
  history[turned ? "pushState" : "replaceState"](null, "", String(said) ? `#${said}` : location.pathname);
  look();
}

addEventListener("popstate", async () => {
  Object.assign(state.view, VIEW, fromAddress());
  look();
  if (state.scene) await follow();
});

// Where the address leads nowhere: back to where the page stood before it was loaded anew, if it stood anywhere.
async function back() {
  const { back: before, here } = kept.found();
  const begun = await command("hello"); // what the launch begins with is kept first
  if (!before) return begun;
  if (!here) {
    kept.offer(app, () => goTo(before, before.toml));
    return begun;
  }
  const answer = await goTo(before, before.toml);
  if (answer) kept.returned(app);
  return answer;
}

// To a state that was kept, and to the recipe that it was changed to since; `late` is "" where it was not.
async function goTo(before, late) {
  const answer = await share.follow(app, before);
  if (late && answer && late !== answer.scene.toml && !answer.scene.way) await command("recipe", { toml: late });
  return answer;
}

// Go where the address leads, once: from then on it says how the page shows things, and nothing else.
async function follow() {
  const link = share.carried();
  if (!link) return null;
  view({});
  return share.follow(app, link);
}

function look() {
  const { theme, present, drawer: tab } = state.view;
  const root = document.documentElement;
  root.dataset.theme = theme;
  root.classList.toggle("present", present);
  root.classList.toggle("opened", tab !== "");
  $("present").setAttribute("aria-pressed", present);
  if (state.drawing && !["playground", "lessons"].includes(state.view.page)) pen.leave(app);
  forget();
  if (state.scene) for (const part of parts()) part.scene(app);
  changed();
  games.follow(app);
}

export const app = { state, command, set, recipe, change, redraw: look, weight, undo, view, changed, layers };

for (const part of PARTS) part.setup(app);
keys.setup(app);
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", look);
new ResizeObserver(look).observe($("board"));
$("present").addEventListener("click", () => view({ present: !state.view.present }));
$("theme").addEventListener("click", () => {
  const now = state.view.theme || (dark.matches ? "dark" : "light");
  view({ theme: now === "dark" ? "light" : "dark" });
});
look();

const wire = new Wire({
  frame: receive,
  event: (message) => {
    if (message.error) state.error = message.error;
    take(message.scene);
  },
  up: async (again) => {
    state.online = true;
    // The first start on a machine compiles what plays and draws.
    setTimeout(() => {
      if (!state.scene && state.online) {
        state.preparing = true;
        changed();
      }
    }, SOON);
    // A new line is a new session: it goes to where this page stands, or to where its address leads.
    const before = again && state.kept;
    const late = before && before.revision !== state.scene.revision ? state.scene.toml : ""; // changed since
    if (state.kept) state.kept.revision = -1; // of the line before
    if (before && state.view.page !== "compare" && state.view.page !== "many") before.step = late || state.step > before.most ? 0 : state.step;
    state.frame = null;
    const link = share.carried();
    if (link) kept.begun("");
    const answer = before ? await goTo(before, late) : link ? await follow() : await back();
    if (!answer) await command("hello");
  },
  refused: (whether) => {
    if (whether && !state.refused) kept.left(app);
    state.refused = whether;
    changed();
  },
  down: () => {
    state.online = false;
    state.preparing = false;
    close();
    changed();
  },
});
