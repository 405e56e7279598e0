// A digit drawn by hand: the pad sends its dots, the server makes the data's grid of them and says what it takes it for.

import { h, put } from "./dom.js";

const SIDE = 64; // dots a side
const INK = 9; // dots that the pen is wide
const AGAIN = 400; // ms between two answers while the network trains

let drawn = ""; // the dots as they were sent last; "" where nothing is drawn
let busy = false;
let asked = 0;
let step = -1;
let bars = [];

function dots(pen) {
  const { data } = pen.getImageData(0, 0, SIDE, SIDE);
  let text = "";
  for (let i = 0; i < SIDE * SIDE; i++) text += data[4 * i + 3] > 127 ? "1" : "0";
  return text.includes("1") ? text : "";
}

async function ask(app) {
  if (busy || !drawn) return;
  busy = true;
  asked = performance.now();
  ({ step } = app.state);
  const sent = drawn;
  const answer = await app.command("ask", { drawn: sent });
  busy = false;
  if (!drawn || app.state.scene.recipe.data.name !== "digits") return;
  if (answer) show(app, answer.said);
  if (drawn !== sent) ask(app);
}

function show(app, said) {
  app.state.asked = said;
  const values = said ? Object.values(said.probabilities) : [];
  const top = Math.max(...values);
  bars.forEach(({ box, ink, figure }, k) => {
    const value = values[k] ?? 0;
    ink.style.width = `${100 * value}%`;
    put(figure, said ? `${Math.round(100 * value)} %` : "");
    box.classList.toggle("top", Boolean(said) && value === top);
  });
  app.changed();
}

export function clear(app) {
  drawn = "";
  show(app, null);
}

export function pad(app) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": "Pad: draw a digit" });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(pen, { lineWidth: INK, lineCap: "round", lineJoin: "round" });
  let last = null;
  const at = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    return [((event.clientX - left) * SIDE) / width, ((event.clientY - top) * SIDE) / width];
  };
  const draw = (event) => {
    const next = at(event);
    pen.beginPath();
    pen.moveTo(...(last ?? next));
    pen.lineTo(...next);
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.stroke();
    last = next;
    drawn = dots(pen);
    ask(app);
  };
  canvas.addEventListener("pointerdown", (event) => (canvas.setPointerCapture(event.pointerId), draw(event)));
  canvas.addEventListener("pointermove", (event) => last && draw(event));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  const empty = h("button", { class: "quiet" }, "clear");
  empty.addEventListener("click", () => {
    pen.clearRect(0, 0, SIDE, SIDE);
    clear(app);
  });
  bars = app.state.scene.names.map((name) => {
    const [ink, figure] = [h("i"), h("span", { class: "figure" })];
    return { box: h("div", { class: "taken" }, h("b", {}, name), h("span", { class: "track" }, ink), figure), ink, figure };
  });
  drawn = "";
  app.state.asked = null;
  const list = h("div", { class: "guesses", role: "group", "aria-label": "What it is taken for" });
  list.append(...bars.map(({ box }) => box));
  return h("div", { class: "pad" }, h("div", {}, canvas, h("p", {}, "draw", empty)), list);
}

// While it trains, what was drawn is asked anew.
export function paint(app) {
  if (app.state.asked && app.state.scene.recipe.data.name !== "digits") clear(app);
  if (drawn && app.state.step !== step && performance.now() - asked > AGAIN) ask(app);
}
