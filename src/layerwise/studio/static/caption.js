// One sentence that carries every message: what went wrong between page and server, and else what the server says
// of training, with at most one thing to do.

import { $, count, put } from "./dom.js";

const ANNOUNCED = 3000; // ms between two announcements to a screen reader
const FIRST = { compare: "other", many: "basins", race: "trials" }; // what a picture of a game has, and no other
const READ = new TextDecoder();

let shown = "";
let act = null;
let announced = 0;
let timer = 0;
let heard = null; // the section that was read last
let saying = null;

export function setup() {
  $("caption")
    .querySelector("button")
    .addEventListener("click", () => act?.());
}

export function scene() {}

// What goes wrong comes first, then what was just done, then the running diagnosis.
function message(app) {
  const { state } = app;
  const { scene } = state;
  if (state.refused) {
    return {
      strong: "This Studio was started anew.",
      rest: "Open the address that `layerwise play` shows now: you go on where you were.",
      alert: true,
    };
  }
  if (!state.online && scene) {
    return { strong: "The line to the server is cut.", rest: "Trying again; the page stays as it is." };
  }
  if (state.error) return wrong(app, state.error);
  if (!scene && !state.preparing) return { strong: "", rest: "Connecting." };
  if (state.lacking) return { strong: `${state.lacking}.`, rest: "Play waits until there are enough." };
  if (state.told) return state.told;
  if (scene?.way) {
    return {
      strong: `Going to step ${count(scene.way)}.`,
      rest: scene.way > state.end ? "Training goes on up to there." : "Training is replayed as it was.",
      busy: true,
      label: "Stop here",
      act: () => app.command("pause"),
    };
  }
  if (state.preparing) {
    return {
      strong: "Preparing the training program.",
      rest: "Once; after that every control acts at once.",
      busy: true,
    };
  }
  if (scene.preparing) {
    return { strong: `Preparing ${scene.preparing}.`, rest: "The old network runs on.", busy: true };
  }
  if (scene.game in FIRST && !state.frame?.[FIRST[scene.game]]) {
    return { strong: "Preparing the first picture.", rest: "Play may be pressed already.", busy: true };
  }
  if (state.waits && !state.step) {
    return { strong: "Initial weights.", rest: "Answer the question, or skip it; then press play." };
  }
  const said = diagnosis(state);
  if (!said) return { strong: "", rest: "" };
  const chosen = said.acts.find((one) => one.do !== "undo" || state.undo.length);
  return {
    strong: said.strong,
    rest: said.rest,
    alert: said.alert,
    pill: said.alert,
    label: chosen?.label,
    act: chosen && (() => perform(app, chosen)),
  };
}

// The saying of the frame; it stays the same object until the server says something else.
function diagnosis({ frame }) {
  const section = frame?.caption;
  if (section !== heard) {
    heard = section;
    const text = section ? READ.decode(section.values) : "null";
    if (text !== JSON.stringify(saying)) saying = JSON.parse(text);
  }
  return saying;
}

function perform(app, { label, do: what, ...more }) {
  if (what === "undo") app.undo();
  else if (what === "set") app.set(more.path, more.value);
  else app.command(what, more);
}

function wrong(app, error) {
  const parts = [error.received && `Received: ${error.received}.`, error.remedy && `${sentence(error.remedy)}`];
  return {
    strong: sentence(error.rule ?? error.message),
    rest: parts.filter(Boolean).join(" "),
    alert: true,
    label: "OK",
    act: () => {
      app.state.error = null;
      app.changed();
    },
  };
}

// A capital letter and a full stop, but keys of the recipe stay as they are written.
function sentence(text) {
  const key = /^(seed|data|task|network|train|search)\b/.test(text) || /^\S*[._]/.test(text);
  const begun = key ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

// Say something for a while, before the diagnosis speaks again.
export function tell(app, strong, rest, busy = false, { label, act, stays = 6000 } = {}) {
  const told = { strong, rest, busy, label };
  if (act) told.act = () => (quiet(app, told), act());
  app.state.told = told;
  app.changed();
  if (!busy) setTimeout(() => quiet(app, told), stays);
  return () => quiet(app, told);
}

function quiet(app, told) {
  if (app.state.told !== told) return;
  app.state.told = null;
  app.changed();
}

export function paint(app) {
  const said = message(app);
  const box = $("caption");
  const [strong, rest, button] = [box.querySelector("b"), box.querySelector("span"), box.querySelector("button")];
  put(strong, said.strong);
  put(rest, said.rest);
  put(button, said.label ?? "");
  button.hidden = !said.label;
  box.classList.toggle("pill", Boolean(said.pill));
  $("busy").classList.toggle("on", Boolean(said.busy));
  act = said.act;
  announce(`${said.strong} ${said.rest}`, said.alert);
}

function announce(text, alert) {
  if (text === shown) return;
  shown = text;
  if (alert) {
    put($("alert"), text);
    return;
  }
  put($("alert"), "");
  clearTimeout(timer);
  const wait = Math.max(0, announced + ANNOUNCED - performance.now());
  timer = setTimeout(() => {
    announced = performance.now();
    put($("status"), shown);
  }, wait);
}
