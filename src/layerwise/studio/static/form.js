// Predicting: a field for each column that the model asks for, or a whole table for predictions of every row.

import { ask, part, sentences } from "./api.js";
import { h, put } from "./dom.js";

// The section of a run's page; it fills itself.
export function form(name) {
  const box = h("div", { class: "predict" }, h("p", { class: "soft" }, "Loading the model."));
  ask("GET", `runs/${part(name)}/form`)
    .then((found) => fill(box, name, found))
    .catch((problem) => box.replaceChildren(h("p", { class: "soft" }, sentences(problem))));
  return box;
}

function fill(box, name, { target, columns, fields }) {
  const said = h("div", { class: "answer", role: "status" });
  const whole = table(name);
  if (!fields.length) {
    box.replaceChildren(
      h("p", { class: "soft" }, `${target.name} from ${columns} columns: too many for a form.`),
      whole,
    );
    return;
  }
  const made = fields.map(field);
  const lines = fields.map(({ name: column, hint }, i) =>
    h("label", {}, h("span", { class: "column" }, column), made[i], h("span", { class: "hint" }, hint)),
  );
  const send = h("button", { class: "strong", type: "submit" }, `Predict ${target.name}`);
  const all = h("form", { autocomplete: "off" }, h("div", { class: "fields" }, ...lines), send);
  all.addEventListener("submit", async (event) => {
    event.preventDefault();
    const row = Object.fromEntries(fields.map((one, i) => [one.name, made[i].value.trim()]));
    try {
      answer(said, await ask("POST", `runs/${part(name)}/predict`, row));
    } catch (problem) {
      said.replaceChildren(h("p", { role: "alert" }, sentences(problem)));
    }
  });
  box.replaceChildren(all, said, whole);
}

function field({ kind, choices, form: written, hint }) {
  if (kind === "choice") {
    return h("select", {}, h("option", { value: "" }, "–"), ...choices.map((one) => h("option", { value: one }, one)));
  }
  if (kind === "date") return h("input", { type: "text", placeholder: written });
  return h("input", { type: "text", inputmode: kind === "number" ? "decimal" : "text", title: hint });
}

function answer(box, { answers, shares, unusual }) {
  const said = answers.map(({ name, value }) => h("p", { class: "said" }, `${name} `, h("b", {}, value)));
  const bars = shares.slice(0, 12).map(({ name, share }) => {
    const bar = h("meter", { min: 0, max: 1, value: share, "aria-label": name });
    return h("div", { class: "odds" }, h("span", {}, name), bar, h("b", {}, `${(100 * share).toFixed(1)} %`));
  });
  const warned = unusual.map(({ name, words }) => h("p", { class: "soft" }, `${name}: ${words}.`));
  box.replaceChildren(...said, ...bars, ...warned);
}

// ── a whole table ───────────────────────────────────────────────────────────────────────────────

function table(name) {
  const said = h("span", { class: "soft", role: "status" }, "or drop a table here: every row gets its prediction");
  const input = h("input", {
    type: "file",
    accept: ".csv,.tsv,.parquet,.jsonl",
    hidden: true,
    "aria-label": "A table",
  });
  const box = h(
    "div",
    { class: "table-drop" },
    h("button", { type: "button", onclick: () => input.click() }, "Predict a table"),
    input,
    said,
  );
  const send = async (file) => {
    put(said, "Predicting.");
    try {
      const { csv, notes } = await ask("POST", `runs/${part(name)}/predictions`, file);
      keep(csv, `${file.name.replace(/\.[a-z]+$/i, "")}-predicted.csv`);
      put(said, ["The predictions are in your downloads.", ...notes.map((note) => `${note}.`)].join(" "));
    } catch (problem) {
      put(said, sentences(problem));
    }
  };
  input.addEventListener("change", () => input.files[0] && send(input.files[0]));
  box.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files[0]) return;
    event.preventDefault(); // the page would look at it as something to train on
    send(event.dataTransfer.files[0]);
  });
  return box;
}

function keep(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = h("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
