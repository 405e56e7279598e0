// The runs that are trained now, a line each: how far, how good, how long still, and a button that ends it.

import { sentences } from "./api.js";
import { $, h, put } from "./dom.js";
import { goOn, jobs, stop } from "./train.js";

const ACTIVE = ["waiting", "training", "stopping"];
const lines = new Map(); // name -> the parts of its line, kept so that nothing moves under the pointer

export function draw(say) {
  const wanted = jobs.all.filter((job) => ACTIVE.includes(job.status) || job.error || job.status === "interrupted");
  for (const [name, { line }] of lines) {
    if (wanted.some((job) => job.name === name)) continue;
    line.remove();
    lines.delete(name);
  }
  for (const job of wanted) {
    if (!lines.has(job.name)) lines.set(job.name, made(job.name, say));
    show(lines.get(job.name), job);
  }
  $("jobs").hidden = !wanted.length;
}

function made(name, say) {
  const doing = (act) => () => act(name).catch((problem) => say(sentences(problem)));
  const parts = {
    bar: h("progress", { max: 1, value: 0, "aria-label": `${name}: how far` }),
    at: h("span", { class: "at" }),
    figures: h("span", { class: "figures-now" }),
    left: h("span", { class: "left" }),
  };
  const button = h("button", { onclick: doing(stop) });
  const on = h("button", { onclick: doing(goOn) }, "Go on");
  const acts = h("span", { class: "acts" }, button, on);
  const line = h("div", { class: "job", "data-job": name }, h("b", { class: "name" }, name), ...Object.values(parts), acts);
  $("jobs").append(line);
  return { ...parts, line, button, on };
}

function show({ line, bar, at, figures, left, on, button }, job) {
  on.hidden = job.status !== "interrupted";
  on.setAttribute("aria-label", `Go on with ${job.name}`);
  line.dataset.status = job.status;
  bar.hidden = job.status !== "training";
  bar.value = job.share ?? 0;
  const words = {
    waiting: "waits for its turn",
    stopping: "stopping; its best weights are kept",
    failed: job.error,
    interrupted: "interrupted when its Studio ended",
  };
  put(at, words[job.status] ?? (job.at && job.phase === "training" ? job.at : job.phase));
  put(left, job.left ? `${job.left} left` : "");
  const known = job.status === "training" ? (job.figures ?? []) : [];
  if (figures.children.length !== known.length) {
    figures.replaceChildren(...known.map(() => h("span", {}, h("span", {}), " ", h("b", {}))));
  }
  known.forEach(([name, value], i) => {
    put(figures.children[i].firstChild, name);
    put(figures.children[i].lastChild, value);
  });
  const act = { failed: "OK", interrupted: "Forget", stopping: "Stop now" }[job.status] ?? "Stop";
  put(button, act);
  button.hidden = job.status === "training" && job.phase === "done"; // its process is about to end by itself
  button.setAttribute("aria-label", `${act === "OK" ? "Forget" : act} ${job.name}`);
}
