// What leads back to where a page stands, should the page be loaded anew or the server be started anew. It stays in
// this browser: for a reload with the tab; for a server that was started anew, which has other secrets and is opened
// by another address, with the port.

import { tell } from "./caption.js";

const TAB = "layerwise-kept";
const PORT = "layerwise-left";
const MOST = 256 << 10; // letters that are kept; the server reads fewer
const OFFERED = 30000; // ms that a sentence with a choice stays

let first = null; // what the launch began with, as it was kept first: nothing to go back to
let leaves = true; // nothing, where one begins anew

function written(state) {
  const { kept, step, scene, view } = state;
  if (!kept || !scene || !leaves) return null;
  const now = scene.game === "playground" ? step : kept.step;
  const toml = kept.revision === scene.revision ? "" : scene.toml; // changed since it was kept
  if (kept.state === first && now === 0 && !toml) return null;
  const lesson = view.page === "lessons" ? view.lesson : "";
  // What was changed since begins at its first step, since these steps are not those of what was kept.
  return JSON.stringify({ state: kept.state, step: toml || now > kept.most ? 0 : now, toml, lesson });
}

function put(store, key, text) {
  try {
    if (text && text.length <= MOST) store.setItem(key, text);
    else store.removeItem(key);
  } catch {
    // A browser that keeps nothing: then there is no way back.
  }
}

// What a text keeps; null where it is none, or the address asks for a lesson that was not the one left.
function read(text) {
  const { state, step, toml, lesson } = JSON.parse(text ?? "null") ?? {};
  const address = new URLSearchParams(location.hash.slice(1));
  const asked = address.get("page") === "lessons" && address.get("lesson");
  if (asked && asked !== lesson) return null;
  return typeof state === "string" && Number.isInteger(step) ? { state, step, toml } : null;
}

function taken(store, key) {
  try {
    const text = store.getItem(key);
    store.removeItem(key);
    return read(text);
  } catch {
    return null;
  }
}

// What the launch itself begins with, which needs no way back; "" where the address leads elsewhere.
export function begun(state) {
  first ??= state;
}

// Whether this tab has a way back to go first.
export function leadsBack() {
  try {
    return read(sessionStorage.getItem(TAB)) !== null;
  } catch {
    return false;
  }
}

export function setup(app) {
  addEventListener("pagehide", () => put(sessionStorage, TAB, written(app.state)));
}

export function scene() {}

export function paint() {}

// The server does not know this page any more: whoever opens its new address in another tab is offered to go on.
export function left(app) {
  put(localStorage, PORT, written(app.state));
}

// Of the page before, `back` is { state, step, toml }, or null; `here` says that it was this very tab's.
export function found() {
  const [tab, port] = [taken(sessionStorage, TAB), taken(localStorage, PORT)];
  return { back: tab ?? port, here: Boolean(tab) };
}

function anew() {
  leaves = false;
  location.reload();
}

// Say that the page is where it was before it was loaded anew, and how to leave it.
export function returned(app) {
  tell(app, "You are back where you were, paused.", "The page was loaded anew.", false, {
    label: "Begin anew",
    act: anew,
    stays: OFFERED,
  });
}

// Another tab was left when the server was started anew: offer to go on there.
export function offer(app, go) {
  tell(app, "The Studio was started anew.", "What was played before is kept.", false, {
    label: "Go on where you were",
    act: go,
    stays: OFFERED,
  });
}
