// The lecture in order: a text bound to a state of the page, and a question to answer before play. What a lesson
// says, and how it is drawn as HTML, comes from the server.

import { ask, sentences } from "./api.js";
import { $, h, put, typed } from "./dom.js";
import { leadsBack } from "./kept.js";
import { carried } from "./share.js";

const FORWARD = ["play-pause", "batch-on", "epoch-on"]; // what waits for the answer
const PLAIN = { discrete: false, validation: true, figure: "loss", drawer: "" };
const PARTS = {
  seed: [".seed"],
  time: [".scrub", "#reset-run", "#epoch-back", "#batch-back"],
  network: ["#board"],
  drawer: ["#drawer"],
  output: [".picture", ".under"],
  curves: ["#curves"],
  figures: ["#figures", ".figures"],
};

let all = null; // the lessons, once they have come
let problems = [];
let begun = ""; // whose state the page was brought to
let drawn = "";
const answers = new Map(); // lesson -> { chosen, right } or { skipped }

export function setup(app) {
  if (carried() || leadsBack()) begun = app.state.view.lesson; // a link's own state goes before the lesson's
  const bar = $("play-pause").parentElement;
  bar.addEventListener("click", (event) => hold(app, event), true); // the keys click here, too
}

export function scene(app) {
  const { view } = app.state;
  if (view.page !== "lessons") {
    release();
    app.state.waits = false;
    return;
  }
  if (!all) {
    fetched(app);
    return;
  }
  const lesson = shown(app);
  const key = JSON.stringify([view.lesson, answers.get(view.lesson) ?? null]);
  if (key !== drawn) {
    drawn = key;
    draw(app, lesson);
  }
  if (lesson && begun !== lesson.name) begin(app, lesson);
  hold(app);
  keep(lesson);
}

export function paint(app) {
  if (app.state.view.page === "lessons" && all) keep(shown(app)); // the network is drawn anew now and then
}

function shown(app) {
  return all.find((one) => one.name === app.state.view.lesson) ?? null;
}

async function fetched(app) {
  if (all === null) all = undefined;
  else return;
  try {
    const found = await ask("GET", "lessons");
    [all, problems] = [found.lessons, found.problems];
  } catch (error) {
    [all, problems] = [[], [error]];
  }
  scene(app);
}

// ── states ──────────────────────────────────────────────────────────────────────────────────────

async function begin(app, lesson) {
  begun = lesson.name;
  await lead(app, { toml: lesson.toml, fresh: true, view: lesson.view });
}

// To a state: its recipe, from the first step on where it says so, and its view.
async function lead(app, { toml, fresh, view }) {
  const answer = await app.command("recipe", { toml });
  if (answer && fresh) await app.command("reset");
  if (answer) app.state.lent = answer.scene.recipe.data;
  // A lesson begins with the page as it is at first, whatever was looked at before.
  if (fresh) Object.assign(app.state, { row: null, selected: null });
  if (fresh || Object.keys(view).length) app.view(fresh ? { ...PLAIN, ...view } : view);
}

// ── waiting for the answer ──────────────────────────────────────────────────────────────────────

function waits(app) {
  if (app.state.view.page !== "lessons" || !all) return false;
  const lesson = shown(app);
  return Boolean(lesson?.question) && !answers.has(lesson.name);
}

// Keep the forward buttons from acting until the question is answered; a click leads to the question.
function hold(app, event = null) {
  const held = waits(app);
  app.state.waits = held;
  for (const id of FORWARD) {
    $(id).setAttribute("aria-disabled", held);
    $(id).title = held ? "Answer the question first, or skip it" : $(id).dataset.title ?? ($(id).dataset.title = $(id).title);
  }
  if (!event || !held || !FORWARD.includes(event.target.closest("button")?.id)) return;
  event.preventDefault();
  event.stopPropagation();
  const question = $("lesson").querySelector(".question");
  question.scrollIntoView({ block: "center" });
  question.querySelector("button, input").focus();
}

// ── hiding and locking ──────────────────────────────────────────────────────────────────────────

function keep(lesson) {
  for (const [part, selectors] of Object.entries(PARTS)) {
    for (const element of document.querySelectorAll(selectors.join())) {
      element.inert = Boolean(lesson && (lesson.lock.includes(part) || lesson.hide.includes(part)));
      element.classList.toggle("gone", Boolean(lesson?.hide.includes(part)));
    }
  }
  for (const control of $("seed-next").parentElement.querySelectorAll("button, input")) {
    control.disabled = $("seed-next").parentElement.inert; // so that its key does nothing, either
  }
  const wanted = lesson?.show ?? [];
  document.documentElement.classList.toggle("with-settings", wanted.length > 0);
  document.documentElement.style.setProperty("--shown", wanted.length);
  for (const control of $("settings").querySelectorAll(".line, .toys, .split, .parts, .ways, h2, .group > *")) {
    const paths = [control, ...control.querySelectorAll("[data-path]")].map((one) => one.dataset.path).filter(Boolean);
    control.classList.toggle("unasked", !paths.some((path) => wanted.includes(path)));
  }
}

function release() {
  if (drawn === "") return;
  drawn = "";
  keep(null);
  document.documentElement.classList.remove("with-settings");
  for (const control of $("settings").querySelectorAll(".unasked")) control.classList.remove("unasked");
  for (const id of FORWARD) {
    $(id).setAttribute("aria-disabled", false);
    if ($(id).dataset.title) $(id).title = $(id).dataset.title;
  }
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

function draw(app, lesson) {
  $("lesson").replaceChildren(...(lesson ? text(app, lesson) : list(app)));
  $("lesson").scrollTop = 0;
}

function link(app, name, ...content) {
  const made = h("a", { href: name ? `#page=lessons&lesson=${name}` : "#page=lessons" }, ...content);
  made.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    app.view({ page: "lessons", lesson: name });
  });
  return made;
}

function list(app) {
  const items = all.map((lesson) => h("li", {}, link(app, lesson.name, lesson.title), done(lesson.name)));
  const told = problems.map((problem) => h("p", { class: "problem" }, h("b", {}, problem.place || "A lesson"), ` ${sentences({ ...problem, place: "" })}`));
  return [
    h("h2", {}, "Lessons"),
    h("p", { class: "soft" }, "The lecture in order. Each asks before it shows: guess, then press play."),
    h("ol", { class: "lessons" }, ...items),
    ...told,
  ];
}

function done(name) {
  const answer = answers.get(name);
  if (!answer) return "";
  return h("span", { class: "soft" }, answer.right ? " ✓" : " seen");
}

// HTML of the server, in which nothing can run; its buttons lead to states.
function html(app, lesson, content, ...classes) {
  const made = h("div", { class: ["prose", ...classes].join(" ") });
  made.innerHTML = content;
  for (const button of made.querySelectorAll("button[data-state]")) {
    const name = button.dataset.state;
    const state = name ? lesson.states[name] : { toml: lesson.toml, fresh: true, view: lesson.view };
    button.addEventListener("click", () => lead(app, state));
  }
  return made;
}

function text(app, lesson) {
  const at = all.indexOf(lesson);
  const next = all[at + 1];
  return [
    h("nav", { class: "way", "aria-label": "Lessons" }, link(app, "", "All lessons"), h("span", { class: "soft" }, `${at + 1} of ${all.length}`)),
    h("h2", {}, lesson.title),
    html(app, lesson, lesson.text),
    ...(lesson.question ? question(app, lesson) : []),
    h(
      "p",
      { class: "row" },
      h("button", { onclick: () => begin(app, lesson) }, "Start again"),
      next ? link(app, next.name, `Next: ${next.title}`) : null,
    ),
  ];
}

function question(app, lesson) {
  const answer = answers.get(lesson.name);
  const box = h("section", { class: "question", "aria-label": "Question" }, h("h3", {}, "Guess first"), html(app, lesson, lesson.question));
  box.append(...(lesson.choices.length ? choices(app, lesson, answer) : number(app, lesson, answer)));
  if (!answer) {
    box.append(h("button", { class: "quiet", onclick: () => answered(app, lesson, { skipped: true }) }, "Skip"));
    return [box];
  }
  const words = answer.skipped ? "Skipped." : answer.right ? "Right." : "Not quite.";
  return [box, h("section", { class: "why", role: "status", "aria-label": "Answer" }, h("h3", {}, words), html(app, lesson, lesson.why))];
}

function choices(app, lesson, answer) {
  return lesson.choices.map((words, number) => {
    const right = lesson.right.includes(number);
    const button = h("button", { class: "choice", disabled: Boolean(answer) });
    button.innerHTML = words;
    if (answer) {
      button.dataset.mark = right ? "right" : answer.chosen === number ? "wrong" : "";
      button.append(right ? h("span", { class: "mark" }, "✓") : answer.chosen === number ? h("span", { class: "mark" }, "✗") : "");
    }
    button.addEventListener("click", () => answered(app, lesson, { chosen: number, right }));
    return button;
  });
}

function number(app, lesson, answer) {
  const field = h("input", { inputmode: "decimal", autocomplete: "off", "aria-label": "Your answer", disabled: Boolean(answer), value: answer?.chosen ?? "" });
  const wrong = h("p", { class: "soft", role: "alert" });
  const send = () => {
    const value = typed(field.value);
    if (Number.isNaN(value)) {
      put(wrong, "The answer is a number, such as 0.5.");
      return field.focus();
    }
    const right = Math.abs(value - lesson.answer) <= lesson.within + 1e-9;
    return answered(app, lesson, { chosen: field.value, right });
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && send());
  return [h("p", { class: "row" }, field, h("button", { onclick: send, disabled: Boolean(answer) }, "Answer")), wrong];
}

function answered(app, lesson, answer) {
  answers.set(lesson.name, answer);
  scene(app);
  $("lesson").querySelector(".why")?.scrollIntoView({ block: "nearest" });
}
