// One sentence that carries every message: what stands on the page, what went wrong, and at most one thing to do.

import { $, count, put } from "./dom.js";

const ANNOUNCED = 3000; // ms between two announcements to a screen reader

let shown = "";
let act = null;
let announced = 0;
let timer = 0;

export function setup() {
  $("caption")
    .querySelector("button")
    .addEventListener("click", () => act?.());
}

export function scene() {}

// Each epoch of the curve as far as training has come: { step, train, validation }, and the best of them.
export function best(state) {
  const curve = state.frame?.curve;
  if (!curve) return null;
  let found = null;
  for (let row = 0; row < curve.shape[0]; row++) {
    const [step, train, , validation] = curve.values.subarray(5 * row, 5 * row + 4);
    if (Number.isFinite(validation) && (!found || validation < found.validation)) found = { step, train, validation };
  }
  return found;
}

// The last epoch that lies at or before where training stands.
export function latest(state) {
  const curve = state.frame?.curve;
  if (!curve) return null;
  let [low, high] = [0, curve.shape[0]];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.values[5 * middle] <= state.step) low = middle + 1;
    else high = middle;
  }
  if (!low) return null;
  const [step, train, trainFigure, validation, figure] = curve.values.subarray(5 * (low - 1), 5 * low);
  return { row: low - 1, step, train, trainFigure, validation, figure };
}

function epochOf(state, step) {
  return count(Math.floor(step / state.scene.steps_per_epoch));
}

// What goes wrong comes first, then where training came to, then what the curves say.
function message(app) {
  const { state } = app;
  const { scene } = state;
  if (!state.online && scene) {
    return { strong: "The line to the server is cut.", rest: "Trying again; the page stays as it is." };
  }
  if (state.error) return wrong(app, state.error);
  if (!scene) return { strong: "", rest: "Connecting." };
  if (scene.status === "diverged") return diverged(app);
  if (state.preparing) {
    return {
      strong: "Preparing the training program.",
      rest: "Once; after that every control acts at once.",
      busy: true,
    };
  }
  if (state.step === 0 && !scene.playing) {
    return { strong: "Initial weights.", rest: "Guess what will happen, then press play." };
  }
  if (state.step === state.end && !scene.playing && scene.status !== "running") return ended(app);
  return branched(app) ?? course(app);
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

function diverged(app) {
  const { state } = app;
  const said = { pill: true, alert: true, strong: `Went back to step ${count(state.step)}.` };
  if (state.undo.length) {
    return { ...said, rest: "The loss was not finite any more after the last change.", label: "Undo", act: app.undo };
  }
  const rate = state.scene.recipe.train.learning_rate;
  if (typeof rate !== "number") return { ...said, rest: "The loss was not finite any more: learn more slowly." };
  return {
    ...said,
    rest: "The loss was not finite any more.",
    label: "Halve the learning rate",
    act: () => app.set("train.learning_rate", rate / 2),
  };
}

function ended(app) {
  const { state } = app;
  if (state.scene.status === "finished") {
    const { epochs } = state.scene.recipe.train;
    return { strong: `Finished after ${count(epochs)} epochs.`, rest: "The recipe asks for no more." };
  }
  const best = state.scene.best_step;
  return {
    strong: `Stopped early at epoch ${epochOf(state, state.step)}.`,
    rest: `Validation was best at epoch ${epochOf(state, best)}.`,
    label: `Go to epoch ${epochOf(state, best)}`,
    act: () => app.command("seek", { step: best }),
  };
}

// A little way onto a new branch the old one is named, then the curves speak again.
function branched({ state }) {
  const { ghost } = state.scene;
  const last = ghost.at(-1);
  if (!last || state.step > last[0] || state.step < state.end) return null;
  return { strong: "A new branch.", rest: `The curve before, up to epoch ${epochOf(state, last[0])}, stays dotted.` };
}

function course(app) {
  const { state } = app;
  const [now, peak] = [latest(state), best(state)];
  if (!now) return { strong: "The first epoch.", rest: "Its curves begin where it ends." };
  if (!peak)
    return { strong: "Training.", rest: "Nothing is held out for validation, so over-fitting cannot be seen." };
  const worse = now.validation - peak.validation;
  if (state.step < state.end) {
    return {
      strong: `Back at epoch ${epochOf(state, state.step)}.`,
      rest: "What comes after is known; play goes on from here.",
    };
  }
  const first = state.frame.curve.values[1];
  const trained = now.train < Math.max(peak.train, 0.1 * first);
  if (now.step > peak.step && worse > 0.1 * peak.validation && worse > 0.005 && trained) {
    const epoch = epochOf(state, peak.step);
    return {
      strong: `Over-fitting since epoch ${epoch}.`,
      rest: "Validation loss rises, training loss does not.",
      label: `Go to epoch ${epoch}`,
      act: () => app.command("seek", { step: peak.step }),
    };
  }
  if (now.train > 0.98 * first && now.row < 5) {
    return { strong: "The first epochs.", rest: "Watch whether both losses come down." };
  }
  if (now.train > 0.98 * first)
    return { strong: "Hardly learning yet.", rest: "The training loss is about where it began." };
  if (now.train < 0.02 * first) return { strong: "Learned.", rest: "The training loss is down to almost nothing." };
  return { strong: "Learning.", rest: "Training and validation loss come down." };
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
  clearTimeout(timer);
  const wait = Math.max(0, announced + ANNOUNCED - performance.now());
  timer = setTimeout(() => {
    announced = performance.now();
    put($("status"), shown);
  }, wait);
}
