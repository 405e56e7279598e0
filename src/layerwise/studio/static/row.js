// A row of the list of runs, and the heading above them all.

import { part } from "./api.js";
import { h, svg } from "./dom.js";
import { jobs } from "./train.js";

const ACTIVE = ["waiting", "training", "stopping"];
export const COLUMNS = {
  name: "Run",
  kind: "Kind",
  data: "Data",
  status: "Status",
  score: "Score",
  length: "Length",
  seconds: "Time",
  curve: "Curve",
  when: "Begun",
};
export const SORTED = ["name", "kind", "status", "score", "length", "seconds", "when"];

// `turn(key)` sorts by a column.
export function heading(turn) {
  const cells = Object.entries(COLUMNS).map(([key, words]) => {
    if (!SORTED.includes(key)) return h("span", { role: "columnheader", class: key }, words);
    return h(
      "span",
      { role: "columnheader", class: key, "data-sort": key },
      h("button", { class: "quiet", onclick: () => turn(key) }, words),
    );
  });
  return h(
    "div",
    { class: "run-row heading", role: "row" },
    h("span", { role: "columnheader", class: "tick" }, h("span", { class: "unseen" }, "Selected")),
    ...cells,
  );
}

// `does` has what can be done with it: open(name), select(name, on), reach(index) when it has the focus.
export function line(row, index, selected, does) {
  const box = h("input", {
    type: "checkbox",
    tabIndex: -1,
    "aria-label": `Select ${row.name}`,
    checked: selected,
  });
  box.addEventListener("change", () => does.select(row.name, box.checked));
  const link = h("a", { href: `#page=runs&run=${part(row.name)}` }, row.name);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    does.open(row.name);
  });
  link.addEventListener("focus", () => does.reach(index));
  const begun = new Date(1000 * row.when);
  const cells = {
    name: link,
    kind: { run: "run", study: "search", folds: "folds" }[row.kind],
    data: [row.data, row.network].filter(Boolean).join(", "),
    status: statusOf(row),
    score: row.value === null ? "" : h("span", {}, h("b", {}, row.score), ` ${row.part} ${row.metric}`),
    length: row.length,
    seconds: row.time,
    curve: row.curve.length > 1 ? small(row.curve) : "",
    when: h("time", { datetime: begun.toISOString(), title: begun.toLocaleString() }, ago(begun)),
  };
  return h(
    "div",
    { class: "run-row", role: "row", "aria-rowindex": `${index + 2}`, "data-index": `${index}`, "data-name": row.name },
    h("span", { role: "cell", class: "tick" }, h("label", {}, box)),
    ...Object.entries(cells).map(([key, content]) => h("span", { role: "cell", class: key }, content)),
  );
}

function statusOf(row) {
  const job = jobs.all.find((one) => one.name === row.name && ACTIVE.includes(one.status));
  return job ? job.status : row.status.replaceAll("_", " ");
}

// A curve of a few points, from the highest to the lowest value.
function small(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const at = (value, i) =>
    `${((100 * i) / (values.length - 1)).toFixed(1)},${(18 - (16 * (value - low)) / (high - low || 1)).toFixed(1)}`;
  const drawing = svg("svg", {
    viewBox: "0 0 100 20",
    preserveAspectRatio: "none",
    class: "small-curve",
    "aria-hidden": "true",
  });
  drawing.append(svg("polyline", { points: values.map(at).join(" ") }));
  return drawing;
}

function ago(moment) {
  const minutes = (Date.now() - moment) / 60_000;
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${Math.floor(minutes)} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return moment.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}
