// The keys. Where a slider, a list, a field or a unit has the focus, its own keys go before.

import { $, close, h } from "./dom.js";
import { best } from "./curve.js";
import { PAGES } from "./pages.js";
import { drawsNow, take } from "./pen.js";

const LIST = [
  ["Space", "play or pause"],
  ["← →", "one batch back, forward"],
  ["Shift ← →", "one epoch back, forward"],
  ["Home End", "to the first step, to the last"],
  ["B", "to the best epoch"],
  ["R", "reset to the same initial weights"],
  ["N", "next seed"],
  ["T", "validation points"],
  ["D", "drawer"],
  ["P", "present"],
  ["S", "share"],
  ["1 – 5", "the views; while drawing, the classes"],
  ["?", "this list"],
  ["Esc", "close"],
];

function typing(target) {
  return target.closest("input:not([type=checkbox]):not([type=range]), textarea, select, dialog");
}

// A widget that uses arrows, Home and End itself.
function owns(target) {
  return target.closest("input[type=range], [role=slider], [role=tab], [role=radio], .unit, .lane, input[type=radio]");
}

// While points are drawn a digit is a class, of those there are; else a view.
function digit(app, number) {
  const page = Object.keys(PAGES)[number];
  if (drawsNow()) take(app, number);
  else if (page) app.view({ page });
}

function actions(app) {
  const { state, command, view } = app;
  const press = (id) => () => $(id).click();
  return {
    " ": press("play-pause"),
    ArrowLeft: press("batch-back"),
    ArrowRight: press("batch-on"),
    "Shift+ArrowLeft": press("epoch-back"),
    "Shift+ArrowRight": press("epoch-on"),
    Home: () => command("seek", { step: state.scene.oldest }),
    End: () => command("seek", { step: state.end }),
    b: () => best(state) && command("seek", { step: best(state).step }),
    r: press("reset-run"),
    n: press("seed-next"),
    t: () => view({ validation: !state.view.validation }),
    d: () => view({ drawer: state.view.drawer ? "" : "numbers" }),
    p: press("present"),
    s: press("share"),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [String(i + 1), () => digit(app, i)])),
    "?": press("list"),
  };
}

const ARROWS = ["ArrowLeft", "ArrowRight", "Shift+ArrowLeft", "Shift+ArrowRight", "Home", "End"];

export function setup(app) {
  const dialog = $("sheet-of-keys");
  const rows = LIST.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]);
  dialog.append(h("h2", {}, "Keys"), h("dl", {}, ...rows), h("button", { onclick: () => dialog.close() }, "Close"));
  $("list").addEventListener("click", () => dialog.showModal());
  const acts = actions(app);
  let pointed = false; // what has the focus has it by a pointer: Space is not its own
  let taken = false; // Space, which some browsers press a button with when it is let go
  document.addEventListener("pointerdown", () => (pointed = true), true);
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && taken) event.preventDefault();
    taken = false;
  });
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (key === "Tab" || key.startsWith("Arrow")) pointed = false;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (key === "Escape" && !dialog.open) {
      if (!close() && app.state.view.drawer) app.view({ drawer: "" });
      return;
    }
    if (typing(target) || !app.state.scene) return;
    const name =
      event.shiftKey && key.startsWith("Arrow") ? `Shift+${key}` : key.length === 1 ? key.toLowerCase() : key;
    if (ARROWS.includes(name) && owns(target)) return;
    if (key === " " && !pointed && target.closest("button, a, input") && target.id !== "play-pause") return;
    if (!acts[name]) return;
    event.preventDefault();
    taken = key === " ";
    if (event.repeat && (name === " " || name.length === 1)) return;
    acts[name]();
  });
}
