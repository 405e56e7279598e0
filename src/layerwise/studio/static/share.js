// A link that holds the view and the state: what was begun with, all changes with their steps, and the step. The
// server writes the state and reads it, and replays it paused; the page only carries it in the address.

import { tell } from "./caption.js";
import { $, count, h, popover } from "./dom.js";

export function setup(app) {
  $("share").addEventListener("click", () => app.state.scene && share(app));
}

export function scene() {}

export function paint() {}

// What the address carries: { state, step }, or null.
export function carried() {
  const said = new URLSearchParams(location.hash.slice(1));
  const state = said.get("state");
  return state ? { state, step: Math.max(0, Math.trunc(Number(said.get("step"))) || 0) } : null;
}

// Go to a state; the caption says so while it is replayed. The answer, or null where it is refused.
export async function follow(app, { state, step }) {
  const done = tell(app, `Going to step ${count(step)}.`, "Training is replayed as it was.", true);
  const answer = await app.command("follow", { state, step });
  done();
  return answer;
}

async function share(app) {
  const answer = await app.command("share");
  if (!answer) return;
  const { state, step, note } = answer.share;
  const said = new URLSearchParams(location.hash.slice(1));
  said.set("step", step);
  said.set("state", state);
  const link = `${location.origin}/#${said}`;
  const rest = note ? `${note.charAt(0).toUpperCase()}${note.slice(1)}.` : `It opens paused at step ${count(step)}.`;
  try {
    await navigator.clipboard.writeText(link);
    tell(app, "Link copied.", rest);
  } catch {
    offer(link, rest);
  }
}

// Where a page may not write to the clipboard, the link is there to be copied.
function offer(link, rest) {
  const { left, width, bottom } = $("share").getBoundingClientRect();
  const field = h("input", { class: "link-field", readonly: true, value: link, "aria-label": "Link" });
  popover(left + width / 2, bottom, "Share", [h("strong", {}, "Copy this link"), field, h("span", { class: "soft" }, rest)], $("share"));
}
