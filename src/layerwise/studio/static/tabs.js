// Tabs and groups of radios: one stop of the Tab key each, arrows walk in it.

import { h } from "./dom.js";

const WAYS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

// Arrows walk from one to the next of a group, and choose it unless `only` walking is asked for.
export function arrows(group, role, only = false) {
  group.addEventListener("keydown", (event) => {
    const all = [...group.querySelectorAll(`[role=${role}]`)];
    const at = all.indexOf(event.target);
    if (!(event.key in WAYS) || at < 0) return;
    event.preventDefault();
    const next = all[(at + WAYS[event.key] + all.length) % all.length];
    if (!only) next.click();
    next.focus();
  });
}

// Which of some tabs or radios is chosen; the Tab key comes to it, or where none is to `stop`.
export function chosen(all, marked, stop = null) {
  for (const one of all) {
    const on = marked(one);
    one.setAttribute(one.getAttribute("role") === "tab" ? "aria-selected" : "aria-checked", on);
    one.tabIndex = on || one === stop ? 0 : -1;
  }
}

// A list of tabs, `words` by key; each has its key as data-`name`. Those of a `panel` open and close it, so arrows
// only walk.
export function tabs({ label, name, words, choose, panel = "" }) {
  const made = Object.entries(words).map(([key, text]) => {
    const more = panel ? { id: `tab-${key}`, "aria-controls": panel } : {};
    return h("button", { role: "tab", [`data-${name}`]: key, ...more, onclick: () => choose(key) }, text);
  });
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...made);
  arrows(list, "tab", panel !== "");
  return { list, tabs: made };
}
