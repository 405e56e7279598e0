// Settings: every control is a key of the recipe, sent as it is moved.

import { $, h, plainNumber, put, typed } from "./dom.js";
import * as digit from "./digit.js";
import { stop, ways } from "./pen.js";
import { arrows, chosen } from "./tabs.js";
import { drawToy, TOYS } from "./toys.js";

const RATES = [
  1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5,
  10,
];
const PENALTIES = [0, 1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1];
const DECAYS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999];
const EPOCHS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 1000000];
const spaced = (from, to, by) =>
  Array.from({ length: Math.round((to - from) / by) + 1 }, (_, i) => Number((from + i * by).toFixed(6)));

const share = (value) => `${plainNumber(100 * value)} %`;

// Of each optimizer and schedule, what else is set: key, words, values, default.
const MORE = {
  momentum: [["momentum", "Momentum", DECAYS, 0.9]],
  nesterov: [["momentum", "Momentum", DECAYS, 0.9]],
  rmsprop: [["decay", "Decay", DECAYS, 0.9]],
  adam: [
    ["beta1", "β₁", DECAYS, 0.9],
    ["beta2", "β₂", DECAYS, 0.999],
  ],
  adamw: [
    ["beta1", "β₁", DECAYS, 0.9],
    ["beta2", "β₂", DECAYS, 0.999],
  ],
  lion: [
    ["beta1", "β₁", DECAYS, 0.9],
    ["beta2", "β₂", DECAYS, 0.99],
  ],
  step: [
    ["every", "Every … epochs", EPOCHS, 10],
    ["factor", "Times", spaced(0.05, 1, 0.05), 0.1],
  ],
  exponential: [["factor", "Times, an epoch", [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1], 0.95]],
  cosine: [["floor", "Down to, times", spaced(0, 0.9, 0.1), 0]],
  one_cycle: [["peak", "Peak at", spaced(0.1, 0.9, 0.1), 0.3]],
};
export const OPTIMIZERS = {
  sgd: "SGD",
  momentum: "momentum",
  nesterov: "Nesterov",
  adagrad: "Adagrad",
  rmsprop: "RMSProp",
  adam: "Adam",
  adamw: "AdamW",
  lion: "Lion",
};
const SCHEDULES = {
  constant: "constant",
  step: "steps",
  exponential: "exponential",
  cosine: "cosine",
  one_cycle: "one cycle",
};
export const STARTS = {
  auto: "automatic",
  he: "He",
  glorot: "Glorot",
  lecun: "LeCun",
  orthogonal: "orthogonal",
  uniform: "uniform",
  zeros: "zeros",
};
export const LOSSES = {
  classes: { auto: "cross-entropy", balanced: "balanced", smoothed: "smoothed" },
  quantities: { mse: "squared", mae: "absolute", huber: "Huber" },
};

let controls = []; // each has show(recipe): what holds now
let shape = ""; // of the form: which sub-settings there are

// ── the kinds of lines ──────────────────────────────────────────────────────────────────────────

function nearest(values, value) {
  let found = 0;
  values.forEach((one, i) => {
    if (Math.abs(one - value) < Math.abs(values[found] - value)) found = i;
  });
  return found;
}

// One line: name, track, value. The track has round values; others are typed.
function slider(app, words, path, values, read, { say = plainNumber, parse = typed, whole = false } = {}) {
  const track = h("input", {
    type: "range",
    min: "0",
    max: String(values.length - 1),
    step: "1",
    "aria-label": words,
    "data-path": path,
  });
  const field = h("input", {
    class: "value",
    "aria-label": `${words}, typed`,
    autocomplete: "off",
    inputmode: "decimal",
  });
  let held = null;
  const show = (value) => {
    held = value;
    if (typeof value === "number") track.value = nearest(values, value);
    const said = typeof value === "number" ? say(value) : String(value);
    track.setAttribute("aria-valuetext", said);
    track.style.setProperty("--at", `${(100 * track.value) / (values.length - 1)}%`);
    if (document.activeElement !== field) field.value = said;
  };
  track.addEventListener("input", () => {
    show(values[track.value]);
    app.set(path, values[track.value], words);
  });
  field.addEventListener("focus", () => field.select());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.value = say(held);
    if (event.key === "Enter" || event.key === "Escape") field.blur();
  });
  field.addEventListener("change", () => {
    const value = parse(field.value);
    if (Number.isFinite(value)) app.set(path, whole ? Math.round(value) : value, words);
    else field.value = typeof held === "number" ? say(held) : held;
  });
  controls.push({
    show: (recipe) => show(read(recipe)),
    busy: () => document.activeElement === track && track.matches(":active"),
  });
  return h("div", { class: "line" }, h("span", {}, words), track, field);
}

function choice(app, words, name, options, read, act) {
  const list = h(
    "select",
    { "aria-label": words, "data-path": name },
    ...Object.entries(options).map(([value, said]) => h("option", { value }, said)),
  );
  list.addEventListener("change", () => act(list.value));
  controls.push({
    show: (recipe) => {
      const value = read(recipe);
      if (![...list.options].some((option) => option.value === value)) list.append(h("option", { value }, value));
      list.value = value;
    },
  });
  return h("label", { class: "line" }, h("span", {}, words), h("span", { class: "menu" }, list));
}

// ── data ────────────────────────────────────────────────────────────────────────────────────────

// A figure in place of other data; what was drawn leaves its split and its inputs.
function figure({ kind, split, features }) {
  if (kind !== "points") return { kind: "toy", n: 500, split: { kind: "random", validation: 0.3, test: 0.2 } };
  return { kind: "toy", n: 500, split, features };
}

async function chooseToy(app, name) {
  const { task, data } = app.state.scene.recipe;
  if (task.kind !== "auto") await app.set("task", { kind: "auto" }, "loss");
  if (app.state.drawing) stop(app);
  // The few points of a lesson are its own.
  if (data.kind === "toy" && app.state.view.page === "playground" && data.n === app.state.lent?.n) {
    app.state.lent = null;
    app.set("data", { ...figure({ ...data, kind: "lesson" }), name }, TOYS[name]);
  } else if (data.kind === "toy") app.set("data.name", name, TOYS[name]);
  else app.set("data", { ...figure(data), name }, TOYS[name]);
}

function toys(app) {
  const group = h("div", { class: "toys", role: "radiogroup", "aria-label": "Data" });
  const buttons = Object.keys(TOYS).map((name) => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    drawToy(canvas, name);
    return h(
      "button",
      {
        role: "radio",
        "aria-label": TOYS[name],
        title: TOYS[name],
        "data-toy": name,
        onclick: () => chooseToy(app, name),
      },
      canvas,
    );
  });
  group.append(...buttons);
  arrows(group, "radio");
  controls.push({
    show: ({ data }) => {
      const now = data.kind === "toy" ? data.name : null;
      chosen(buttons, (button) => button.dataset.toy === now, now ? null : buttons[0]);
    },
  });
  return group;
}

const DIGITS = `layerwise = 1
data = { kind = "named", name = "digits" }
network = { kind = "mlp", hidden = [32], activation = "relu" }
train = { epochs = 1000000, batch_size = 32, optimizer = "adam", learning_rate = 0.003, patience = 0 }
`;

// The digits of the catalogue, as a button of their own.
function digits(app) {
  const button = h("button", { class: "quiet", id: "digits", onclick: () => app.recipe(DIGITS) }, "Handwritten digits");
  controls.push({ show: ({ data }) => button.setAttribute("aria-pressed", data.name === "digits") });
  return h("div", { class: "ways" }, button);
}

function splitOf({ data }) {
  const { split } = data;
  return { kind: split.kind, validation: split.validation ?? 0, test: split.test ?? 0 };
}

// A bar with two handles: training | validation | test.
function split(app) {
  const parts = ["train", "val.", "test"].map((words) => h("span", {}, words));
  const bar = h("div", { class: "split" });
  const names = h("div", { class: "parts" }, ...parts);
  let held = { kind: "random", validation: 0.3, test: 0.2 };
  const send = (ends) => {
    const [a, b] = ends.map((end) => Math.round(20 * Math.min(1, Math.max(0.1, end))) / 20);
    const low = Math.min(a, b);
    const kind = ["auto", "random", "stratified"].includes(held.kind) ? held.kind : "random";
    const value = { kind, validation: Number((b - low).toFixed(2)), test: Number((1 - b).toFixed(2)) };
    if (value.validation === held.validation && value.test === held.test) return;
    app.set("data.split", value, "split");
  };
  const ends = () => [1 - held.validation - held.test, 1 - held.test];
  const handles = ["End of the training part", "End of the validation part"].map((words, which) => {
    const handle = h("div", {
      class: "handle",
      role: "slider",
      tabindex: "0",
      "aria-label": words,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      "data-split": String(which),
    });
    const to = (end) => send(which ? [Math.min(ends()[0], end), end] : [end, Math.max(ends()[1], end)]);
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = bar.getBoundingClientRect();
      to((event.clientX - left) / width);
    });
    handle.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 0.05, ArrowUp: 0.05, ArrowLeft: -0.05, ArrowDown: -0.05 }[event.key];
      if (!way) return;
      event.preventDefault();
      to(ends()[which] + way);
    });
    return handle;
  });
  bar.append(...["a", "b", "c"].map((name) => h("i", { class: name })), ...handles);
  controls.push({
    show: (recipe) => {
      held = splitOf(recipe);
      const [a, b] = ends();
      const { points } = app.state.scene;
      const rows = [app.state.scene.rows?.train ?? points.train.length, app.state.scene.rows?.validation ?? points.validation.length];
      parts.forEach((part, i) => put(part, `${["train", "val.", "test"][i]} ${i < 2 ? rows[i] : share(held.test)}`));
      [a, b - a, 1 - b].forEach((size, i) => (bar.children[i].style.flexGrow = size));
      handles.forEach((handle, i) => {
        handle.style.left = `${100 * [a, b][i]}%`;
        handle.setAttribute("aria-valuenow", Math.round(100 * [a, b][i]));
        handle.setAttribute("aria-valuetext", `${Math.round(100 * [a, b][i])} %`);
      });
    },
  });
  return h("div", {}, bar, names);
}

// ── training ────────────────────────────────────────────────────────────────────────────────────

const train = (recipe) => (typeof recipe.train === "object" ? recipe.train : {});

// The optimizer's or the schedule's own settings.
function more(app, part, recipe) {
  const now = train(recipe)[part] ?? {};
  const lines = (MORE[now.kind] ?? []).map(([key, words, values, usual]) =>
    slider(app, words, `train.${part}.${key}`, values, (all) => train(all)[part]?.[key] ?? usual),
  );
  if (part === "schedule" && ["cosine", "one_cycle"].includes(now.kind)) {
    lines.push(slider(app, "Over epochs", "train.epochs", EPOCHS, (all) => train(all).epochs, { whole: true }));
  }
  return lines.map((line) => (line.classList.add("sub"), line));
}

function lossOf({ task }) {
  if (task.kind === "classify")
    return task.label_smoothing ? "smoothed" : task.class_weight === "balanced" ? "balanced" : "auto";
  return task.kind === "regress" ? task.loss : "auto";
}

export const TASKS = {
  auto: { kind: "auto" },
  balanced: { kind: "classify", class_weight: "balanced" },
  smoothed: { kind: "classify", label_smoothing: 0.1 },
};

function loss(app) {
  const quantities = app.state.scene.kind === "quantities";
  const read = (recipe) => (quantities && lossOf(recipe) === "auto" ? "mse" : lossOf(recipe));
  return choice(app, "Loss", "task", quantities ? LOSSES.quantities : LOSSES.classes, read, (value) =>
    app.set("task", TASKS[value] ?? { kind: "regress", loss: value }, "loss"),
  );
}

function stopping(app) {
  const button = h("button", {
    class: "switch",
    role: "switch",
    "aria-label": "Early stopping",
    "data-path": "train.patience",
  });
  button.addEventListener("click", () =>
    app.set("train.patience", train(app.state.scene.recipe).patience ? 0 : 10, "early stopping"),
  );
  controls.push({ show: (recipe) => button.setAttribute("aria-checked", Boolean(train(recipe).patience)) });
  return h("div", { class: "line" }, h("span", {}, "Early stopping"), button);
}

function form(app) {
  const { recipe } = app.state.scene;
  const number = (key) => (all) => train(all)[key] ?? "auto";
  const toy = recipe.data.kind === "toy";
  controls = [];
  const data = [
    h("h2", {}, "Data", h("span", { id: "data-name" })),
    toys(app),
    ways(app),
    digits(app),
    ...(recipe.data.name === "digits" ? [digit.pad(app)] : []),
    ...(toy
      ? [
          slider(app, "Noise", "data.noise", spaced(0, 0.5, 0.05), (all) => all.data.noise, {
            say: share,
            parse: (text) => typed(text.replace("%", "")) / 100,
          }),
          slider(
            app,
            "Points",
            "data.n",
            [4, 20, 40, 60, 80, 100, 150, 200, 240, 300, 400, 500, 600, 800, 1000],
            (all) => all.data.n,
            { whole: true },
          ),
        ]
      : []),
    slider(app, "Batch size", "train.batch_size", [1, 2, 4, 5, 8, 10, 16, 20, 32, 64, 128, 256], number("batch_size"), {
      whole: true,
    }),
    split(app),
  ];
  const training = [
    h("h2", {}, "Training"),
    choice(
      app,
      "Optimizer",
      "train.optimizer",
      OPTIMIZERS,
      (all) => train(all).optimizer?.kind ?? "adam",
      (kind) => app.set("train.optimizer", { kind }, "optimizer"),
    ),
    ...more(app, "optimizer", recipe),
    slider(app, "Learning rate", "train.learning_rate", RATES, number("learning_rate")),
    choice(
      app,
      "Schedule",
      "train.schedule",
      SCHEDULES,
      (all) => train(all).schedule?.kind ?? "constant",
      (kind) => app.set("train.schedule", { kind }, "schedule"),
    ),
    ...more(app, "schedule", recipe),
    loss(app),
    slider(app, "L1", "train.l1", PENALTIES, number("l1")),
    slider(app, "L2", "train.l2", PENALTIES, number("l2")),
    slider(app, "Dropout", "train.dropout", spaced(0, 0.8, 0.05), number("dropout")),
    choice(
      app,
      "Initial weights",
      "network.initialization",
      STARTS,
      (all) => all.network.initialization ?? "auto",
      (value) => app.set("network.initialization", value, "initial weights"),
    ),
    stopping(app),
    ...(train(recipe).patience
      ? [
          slider(app, "Patience", "train.patience", [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100], number("patience"), {
            whole: true,
          }),
        ]
      : []),
  ];
  training.at(-1).classList.toggle("sub", Boolean(train(recipe).patience));
  $("settings").replaceChildren(h("div", { class: "group" }, ...data), h("div", { class: "group" }, ...training));
}

function nameOf(data) {
  if (data.kind === "points") return "Drawn points";
  return data.kind === "toy" ? TOYS[data.name] : (data.name ?? data.kind);
}

export function setup() {}

export function scene(app) {
  const { state } = app;
  const { recipe, kind } = state.scene;
  const now = train(recipe);
  const wanted = [
    recipe.data.kind,
    recipe.data.name === "digits",
    now.optimizer?.kind,
    now.schedule?.kind,
    kind,
    Boolean(now.patience),
    state.view.theme,
    matchMedia("(prefers-color-scheme: dark)").matches,
  ].join();
  if (wanted !== shape) {
    shape = wanted;
    const at = document.activeElement?.dataset?.path;
    form(app);
    if (at) $("settings").querySelector(`[data-path="${at}"]`)?.focus();
  }
  for (const control of controls) if (!control.busy?.()) control.show(recipe);
  put($("data-name"), state.scene.file || nameOf(recipe.data));
}

export function paint(app) {
  digit.paint(app);
}
