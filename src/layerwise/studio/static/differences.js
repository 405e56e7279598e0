// The lines of what A and B differ in: a name, and each one's value, to be edited where it stands.

import { ACTIVATIONS } from "./heads.js";
import { h, plainNumber, typed } from "./dom.js";
import { LOSSES, OPTIMIZERS, STARTS, TASKS } from "./settings.js";

const kinds = (names) => ({ options: names, read: (value) => value?.kind ?? "", write: (kind) => ({ kind }) });
const number = { read: (value) => (typeof value === "number" ? plainNumber(value) : String(value ?? "")), write: typed };
const larger = (by, from) => (value) => (value ? Number((value * by).toPrecision(3)) : from);

// What can be compared: its words, how its value is shown and written, and what B begins with.
export const SETTINGS = {
  "train.learning_rate": { words: "Learning rate", ...number, other: larger(3, 0.1) },
  "train.optimizer": { words: "Optimizer", ...kinds(OPTIMIZERS), other: ({ kind }) => ({ kind: kind === "adam" ? "sgd" : "adam" }) },
  "train.l1": { words: "L1", ...number, other: larger(3, 0.003) },
  "train.l2": { words: "L2", ...number, other: larger(3, 0.003) },
  "train.dropout": { words: "Dropout", ...number, other: (value) => (value ? 0 : 0.2) },
  "train.batch_size": { words: "Batch size", ...number, other: (value) => (value > 4 ? 1 : 32) },
  "network.activation": { words: "Activation", ...kinds(ACTIVATIONS), other: ({ kind }) => ({ kind: kind === "relu" ? "tanh" : "relu" }) },
  "network.initialization": { words: "Initial weights", options: STARTS, read: String, write: String, other: () => "zeros" },
  "network.hidden": {
    words: "Hidden layers",
    read: (value) => (value ?? []).join(", "),
    write: (text) => text.split(/[,;\s]+/).filter(Boolean).map(Number),
    other: (value) => [...(value ?? []), 4].slice(0, 6),
  },
  task: { words: "Loss", read: lossOf, write: (name) => TASKS[name] ?? { kind: "regress", loss: name }, other: () => null },
};

function lossOf(task) {
  if (task?.kind === "classify") return task.label_smoothing ? "smoothed" : task.class_weight === "balanced" ? "balanced" : "auto";
  return task?.kind === "regress" ? task.loss : "auto";
}

function optionsOf(scene, path) {
  if (path !== "task") return SETTINGS[path]?.options;
  return scene.kind === "quantities" ? LOSSES.quantities : LOSSES.classes;
}

// What B begins with where a setting is added.
export function beginning(scene, path, value) {
  if (path !== "task") return SETTINGS[path].other(value);
  return scene.kind === "quantities" ? { kind: "regress", loss: "mae" } : TASKS.balanced;
}

export function wordsOf(path) {
  return SETTINGS[path]?.words ?? path.split(".").slice(1).join(" ").replaceAll("_", " ");
}

// One value as a field or a list; `send` takes what it is changed to.
export function editor(scene, side, path, value, send) {
  const setting = SETTINGS[path] ?? number;
  const options = optionsOf(scene, path);
  const label = `${wordsOf(path)} of ${side}`;
  if (options) {
    const chosen = setting.read(value);
    const list = h(
      "select",
      { "aria-label": label, "data-side": side, "data-path": path },
      ...Object.entries(options).map(([name, said]) => h("option", { value: name, selected: name === chosen }, said)),
    );
    list.addEventListener("change", () => send(setting.write(list.value)));
    return h("span", { class: "menu" }, list);
  }
  const field = h("input", { class: "value", value: setting.read(value), "aria-label": label, "data-side": side, "data-path": path, autocomplete: "off" });
  field.addEventListener("focus", () => field.select());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.value = setting.read(value);
    if (event.key === "Enter" || event.key === "Escape") field.blur();
  });
  field.addEventListener("change", () => {
    const next = setting.write(field.value);
    if (typeof next === "number" && !Number.isFinite(next)) field.value = setting.read(value);
    else send(next);
  });
  return field;
}
