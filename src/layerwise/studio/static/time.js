// Time: play and pause, batches and epochs on and back, the whole history under one handle, and the seed.

import { best } from "./curve.js";
import { $, count, h, put, typed } from "./dom.js";
import { clock } from "./games.js";

let seeking = null; // the step to go to next, while a way there is under way
let dragging = false;
let drawn = "";

export function setup(app) {
  const { state, command } = app;
  const ask = (id, what, more) => $(id).addEventListener("click", () => state.scene && command(what, more));
  ask("reset-run", "reset");
  ask("epoch-back", "epochs", { count: -1 });
  ask("batch-back", "back", { batches: 1 });
  ask("batch-on", "step", { batches: 1 });
  ask("epoch-on", "epochs", { count: 1 });
  $("play-pause").addEventListener("click", () => toggle(app));
  $("seed-next").addEventListener("click", () => state.scene && app.set("seed", state.scene.recipe.seed + 1));
  const field = $("seed");
  field.addEventListener("change", () => {
    const seed = typed(field.value);
    if (Number.isInteger(seed) && seed >= 0) app.set("seed", seed);
    else field.value = state.scene.recipe.seed;
  });
  field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
  toolbar($("play-pause").parentElement);
  scrub(app);
}

async function toggle(app) {
  const { state } = app;
  if (!state.scene) return;
  const play = !state.scene.playing;
  if (play) {
    const at = state.step;
    setTimeout(() => {
      if (state.scene.playing && state.step === at) {
        state.preparing = true;
        app.changed();
      }
    }, 600);
  }
  await app.command(play ? "play" : "pause");
}

// A toolbar is one stop of the Tab key; arrows walk in it.
function toolbar(bar) {
  const buttons = [...bar.querySelectorAll("button")];
  const stop = (chosen) => buttons.forEach((button) => (button.tabIndex = button === chosen ? 0 : -1));
  stop($("play-pause"));
  bar.addEventListener("focusin", (event) => stop(event.target));
}

// ── the scrub bar ───────────────────────────────────────────────────────────────────────────────

async function seek(app, step) {
  const aim = Math.min(app.state.end, Math.max(app.state.scene.oldest, Math.round(step)));
  if (seeking !== null) {
    seeking = aim;
    return;
  }
  seeking = aim;
  let at = -1;
  while (at !== seeking) {
    at = seeking;
    await app.command("seek", { step: at });
  }
  seeking = null;
}

function scrub(app) {
  const bar = $("scrub");
  const { state } = app;
  const move = (event) => {
    const { left, width } = bar.getBoundingClientRect();
    const { oldest } = state.scene;
    seek(app, oldest + ((event.clientX - left) / width) * (state.end - oldest));
  };
  bar.addEventListener("pointerdown", (event) => {
    if (!state.scene) return;
    dragging = true;
    bar.setPointerCapture(event.pointerId);
    move(event);
  });
  bar.addEventListener("pointermove", (event) => dragging && move(event));
  bar.addEventListener("pointerup", () => (dragging = false));
  bar.addEventListener("pointercancel", () => (dragging = false));
  bar.addEventListener("keydown", (event) => {
    if (!state.scene) return;
    const epoch = state.scene.steps_per_epoch;
    const ways = {
      ArrowLeft: state.step - 1,
      ArrowDown: state.step - 1,
      ArrowRight: state.step + 1,
      ArrowUp: state.step + 1,
      PageDown: state.step - epoch,
      PageUp: state.step + epoch,
      Home: state.scene.oldest,
      End: state.end,
    };
    if (!(event.key in ways)) return;
    event.preventDefault();
    seek(app, ways[event.key]);
  });
}

// Where a step stands on the bar, which begins with the oldest one that can be gone back to.
function percent(step, { scene, end }) {
  const all = end - scene.oldest;
  return `${all ? (100 * Math.min(Math.max(step - scene.oldest, 0), all)) / all : 0}%`;
}

// The line that was left: from where it was left to where it ended.
function spur([at, last], state) {
  const made = h("i", { class: "spur", title: `the line before, to step ${count(last)}` });
  made.style.left = percent(at, state);
  made.style.width = `calc(${percent(last, state)} - ${percent(at, state)})`;
  return made;
}

function ticks(state) {
  const { edits, left, oldest } = state.scene;
  const said = `${edits.join()} ${left} ${oldest} ${state.end}`;
  if (said === drawn) return;
  drawn = said;
  const made = edits.map((step) => {
    const tick = h("i", { title: `${state.edits.get(step) ?? "something changed"}, step ${count(step)}` });
    tick.style.left = percent(step, state);
    return tick;
  });
  if (left && left[0] < state.end) made.push(spur(left, state));
  $("scrub")
    .querySelector(".ticks")
    .replaceChildren(...made);
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

export function scene(app) {
  const { scene } = app.state;
  const button = $("play-pause");
  button.setAttribute("aria-label", scene.playing ? "Pause" : "Play");
  button.querySelector("use").setAttribute("href", scene.playing ? "#pause" : "#play");
  if (document.activeElement !== $("seed")) $("seed").value = scene.recipe.seed;
  paint(app);
}

export function paint({ state }) {
  const { step, end, scene } = state;
  const per = scene.steps_per_epoch;
  const epoch = Math.floor(step / per);
  const said = clock(state);
  put($("epoch-word"), said.word);
  put($("epoch"), said.epoch);
  put($("batch"), said.below[0]);
  put($("step"), said.below[1] ? `, ${said.below[1]}` : "");
  const bar = $("scrub");
  bar.querySelector(".done").style.width = percent(step, state);
  bar.querySelector(".thumb").style.left = percent(step, state);
  const peak = best(state);
  const ring = bar.querySelector(".ring");
  ring.hidden = !Number.isFinite(peak?.validation) || peak.step < scene.oldest;
  if (!ring.hidden) {
    ring.style.left = percent(peak.step, state);
    ring.title = `best validation loss: epoch ${count(Math.floor(peak.step / per))}`;
  }
  bar.setAttribute("aria-valuemin", scene.oldest);
  bar.setAttribute("aria-valuemax", end);
  bar.setAttribute("aria-valuenow", step);
  bar.setAttribute("aria-valuetext", scene.game === "playground" ? `epoch ${epoch}, batch ${step % per}` : `${said.word} ${epoch}`);
  ticks(state);
  for (const [id, off] of [
    ["epoch-back", step === scene.oldest],
    ["batch-back", step === scene.oldest],
  ]) {
    $(id).setAttribute("aria-disabled", off);
  }
}
