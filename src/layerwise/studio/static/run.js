// One run of the workspace: what it came to, its curves, diagnosis and recipe; or several side by side.

import { ask, part, sentences } from "./api.js";
import { $, h, put, svg } from "./dom.js";
import { figures as drawn, redraw } from "./plot.js";
import { form } from "./form.js";

let app = null;
let does = null; // what the list does for both: remove(names), say(words)
let now = ""; // the names that are shown

export function setup(all, acts) {
  app = all;
  does = acts;
}

// Show the run of this name, or several with "/" between them; "" for none.
export async function show(names) {
  if (names === now) return redraw();
  now = names;
  const box = $("one-run");
  if (!names) {
    box.replaceChildren();
    return;
  }
  box.replaceChildren(back(), h("p", { class: "soft" }, "Reading."));
  $("runs").scrollTop = 0;
  const several = names.includes("/");
  try {
    const query = names.split("/").map((name) => `name=${part(name)}`);
    const found = several ? await ask("GET", `compare?${query.join("&")}`) : await ask("GET", `runs/${part(names)}`);
    if (now === names) box.replaceChildren(back(), ...(several ? compared(found) : one(found)));
  } catch (problem) {
    if (now === names) box.replaceChildren(back(), h("p", { role: "alert" }, sentences(problem)));
  }
}

function back() {
  const link = h("a", { href: "#page=runs", class: "back" }, "← Runs");
  link.addEventListener("click", (event) => {
    event.preventDefault();
    app.view({ run: "" });
  });
  return link;
}

function section(heading, aside, ...content) {
  return h(
    "section",
    { class: "told" },
    h("div", { class: "aside" }, h("h2", {}, heading), aside && h("p", { class: "soft" }, aside)),
    h("div", { class: "content" }, ...content),
  );
}

// ── one run ─────────────────────────────────────────────────────────────────────────────────────

function one(found) {
  const { row, scores, rivals, remarks, charts, toml } = found;
  const made = [head(found)];
  if (found.part) made.push(section("Result", partWords(found.part), headline(scores, found.part), ...told(remarks)));
  if (rivals.names.length > 1) {
    made.push(
      section("Beside classical models", `On the ${found.part} part, best first; 95 % intervals.`, beside(rivals)),
    );
  }
  if (charts.figures.length) made.push(section("Curves", charts.about, ...drawn(charts)));
  if (scores.length) made.push(section("All figures", "With 95 % intervals.", figures(scores)));
  if (found.model) {
    made.push(section("Predict", "From raw values, as they stood in the table.", form(row.name)));
    made.push(section("Diagnosis", "", diagnosis(row.name)));
  }
  made.push(section("Recipe", "Every value written out.", recipe(toml)));
  return made;
}

function head({ row, ending, toml, playable, model, at_work: busy }) {
  const { name } = row;
  const said = h("span", { class: "soft", role: "status", id: "run-said" });
  const play = async () => {
    const answer = await app.recipe(toml);
    if (answer) return app.view({ page: "playground", run: "" });
    put(said, sentences(app.state.error ?? { rule: "The playground does not take it" }));
    app.state.error = null;
    app.changed();
  };
  const kind = { run: "", study: "A search. ", folds: "A cross-validation. " }[row.kind];
  const facts = [row.data, row.network].filter(Boolean).join(", ");
  return h(
    "header",
    { class: "run-head" },
    h("h1", {}, name),
    h("p", {}, kind, busy ? "It is being trained." : ending),
    h("p", { class: "soft" }, facts),
    h(
      "div",
      { class: "row" },
      model && report(name, said),
      playable && h("button", { id: "run-play", onclick: play }, "Play with it"),
      h(
        "button",
        { id: "run-again", onclick: () => app.trainForReal({ toml, name: name.replace(/-\d+$/, ""), again: name }) },
        "Train again",
      ),
      !busy && h("button", { class: "quiet", onclick: () => does.remove([name]) }, "Delete"),
      said,
    ),
  );
}

// The report is a page of its own, in a tab of its own; it may take a few seconds to be written.
function report(name, said) {
  const open = async (event) => {
    event.preventDefault();
    const tab = window.open("", "_blank");
    put(said, "Writing the report.");
    try {
      await ask("POST", `runs/${part(name)}/report`);
      put(said, "");
      if (tab) tab.location.replace(`/reports/${part(name)}`);
      else put(said, "The browser kept the tab from opening: allow it for this page.");
    } catch (problem) {
      tab?.close();
      put(said, sentences(problem));
    }
  };
  return h("button", { class: "strong", id: "run-report", onclick: open }, "Report");
}

function partWords(name) {
  return {
    test: "On the test part, which chose nothing.",
    validation: "On the validation part, which chose the epoch: new rows may fare worse.",
    train: "On the rows that were trained on: this says nothing of new ones.",
  }[name];
}

function headline(scores, name) {
  const shown = scores.filter((line) => line.part === name);
  const chosen = [...new Set([shown[0], ...shown.filter((line) => ["ROC AUC", "R²"].includes(line.label))])];
  const facts = chosen.map(({ label, cells: [cell] }) =>
    h("div", { class: "fact" }, h("b", {}, cell.value), h("span", {}, `${label}, ${cell.low} to ${cell.high}`)),
  );
  return h("div", { class: "facts" }, ...facts);
}

function told(remarks) {
  return remarks.map((remark) => h("p", { class: "remark" }, /[.!?]$/.test(remark) ? remark : `${remark}.`));
}

// Dots with their intervals, the network's full, a line each.
function beside({ names, lines, label, places }) {
  const cells = lines.find((line) => line.label === label).cells;
  const rows = names.map((name, i) => {
    const [low, at, high] = places[i].map((place) => 4 + 192 * place);
    const drawing = svg("svg", { viewBox: "0 0 200 16", class: "interval", "aria-hidden": "true" });
    drawing.append(svg("line", { x1: low, x2: high, y1: 8, y2: 8 }));
    drawing.append(svg("circle", { cx: at, cy: 8, r: 3.5, class: name === "the network" ? "solid" : "hollow" }));
    const own = name === "the network" ? "own" : "";
    const cell = cells[i];
    return h(
      "tr",
      { class: own },
      h("th", { scope: "row" }, name),
      h("td", {}, drawing),
      h("td", {}, cell?.value ?? "–"),
      h("td", { class: "soft" }, cell ? `${cell.low} to ${cell.high}` : ""),
    );
  });
  const columns = ["model", "", label, "95 % interval"].map((word) => h("th", { scope: "col" }, word));
  return h(
    "div",
    { class: "wide" },
    h("table", { class: "beside" }, h("thead", {}, h("tr", {}, ...columns)), h("tbody", {}, ...rows)),
  );
}

function figures(scores) {
  const parts = [...new Set(scores.map((line) => line.part))];
  const labels = [...new Set(scores.map((line) => line.label))];
  const cell = (label, name) => {
    const found = scores.find((line) => line.part === name && line.label === label)?.cells[0];
    return h(
      "td",
      {},
      ...(found ? [h("b", {}, found.value), h("span", { class: "soft" }, ` ${found.low} to ${found.high}`)] : ["–"]),
    );
  };
  return table(
    ["", ...parts],
    labels.map((label) => [label, ...parts.map((name) => cell(label, name))]),
  );
}

function table(columns, rows) {
  const body = rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest));
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...columns.map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, ...body),
    ),
  );
}

function diagnosis(name) {
  const box = h("div", {}, h("p", { class: "soft" }, "Looking into the network."));
  ask("GET", `runs/${part(name)}/diagnosis`)
    .then(({ opening, findings, healthy }) => {
      const marks = { grave: "●", warning: "◐", note: "○" };
      const found = findings.map((one) =>
        h(
          "div",
          { class: "finding" },
          h("h3", {}, h("span", { "aria-hidden": "true" }, `${marks[one.severity]} `), `${one.rule} (${one.severity})`),
          h("p", {}, one.evidence),
          h("p", {}, h("b", {}, "What helps: "), one.remedy),
        ),
      );
      const well = healthy.map((one) => h("li", {}, h("b", {}, one.rule), `: ${one.evidence}`));
      const rest = well.length
        ? h("details", {}, h("summary", {}, "Looked at, and healthy"), h("ul", {}, ...well))
        : null;
      box.replaceChildren(...[h("p", {}, opening), ...found, rest].filter(Boolean));
    })
    .catch((problem) => box.replaceChildren(h("p", { class: "soft" }, sentences(problem))));
  return box;
}

function recipe(toml) {
  const copy = async (event) => {
    await navigator.clipboard?.writeText(toml);
    put(event.target, "copied");
    setTimeout(() => put(event.target, "copy"), 1500);
  };
  return h(
    "div",
    { class: "toml" },
    h("pre", { tabindex: "0" }, toml),
    h("button", { class: "quiet", onclick: copy }, "copy"),
  );
}

// ── several, side by side ───────────────────────────────────────────────────────────────────────

const LETTERS = "ABCDEFGHIJKL";

function compared({ names, settings, scores, alike, charts, rows }) {
  const titles = names.map((name, i) => `${LETTERS[i]} ${name}`);
  const differing = Object.entries(settings).map(([key, values]) => [
    key,
    ...values.map((value) => h("td", {}, value)),
  ]);
  const cells = (line) => line.cells.map((cell) => h("td", {}, ...shownIn(cell)));
  const note = alike ? "★ the best of a line" : "They were not scored on the same rows, so none is marked as the best.";
  const lengths = [
    ["status", ...rows.map((row) => h("td", {}, row.status.replaceAll("_", " ")))],
    ["length", ...rows.map((row) => h("td", {}, row.length))],
    ["time", ...rows.map((row) => h("td", {}, row.time))],
  ];
  return [
    h("header", { class: "run-head" }, h("h1", {}, `${names.length} runs side by side`)),
    section(
      "Settings",
      "Those in which they differ.",
      differing.length ? table(["", ...titles], differing) : h("p", { class: "soft" }, "They have the same settings."),
    ),
    ...(charts.figures.length
      ? [section("Curves", charts.about, ...drawn(charts))]
      : []),
    section(
      "Scores",
      note,
      table(["", ...titles], [...scores.map((line) => [`${line.part} ${line.label}`, ...cells(line)]), ...lengths]),
    ),
  ];
}

function shownIn(cell) {
  if (!cell) return ["–"];
  const value = h("b", {}, cell.best ? `★ ${cell.value}` : cell.value);
  return [value, h("span", { class: "soft" }, ` ${cell.low} to ${cell.high}`)];
}
