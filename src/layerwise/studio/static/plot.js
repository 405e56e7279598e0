// Figures that the server made, drawn by Plotly's own script: fetched where the first one is to be drawn.

import { h } from "./dom.js";

const TYPE = 14; // pixels of the page's type that a figure's sizes are made for

let plotly = null; // the promise of what draws
let live = []; // what is drawn: { place, text, dark, drawn }

function arrived(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", reject);
    document.head.append(element);
  });
}

async function fetched({ script, styles }) {
  for (const id of styles) if (!document.getElementById(id)) document.head.append(h("meta", { id }));
  // Plotly writes its rules into the sheet of this name; one of its own making the page's policy would refuse.
  const sheet = { id: "plotly.js-style-global", rel: "stylesheet", href: "/static/plot.css" };
  if (!document.getElementById(sheet.id)) await arrived(h("link", sheet));
  await arrived(h("script", { src: script }));
  return window.Plotly;
}

// All figures of an answer, each under its heading, in places that are as high as they will be.
export function figures(charts) {
  return charts.figures.map(({ heading, told, figure }) => {
    const place = h("div", { class: "place-of-figure", role: "img", "aria-label": `${heading}: ${told}` });
    place.style.minHeight = `${figure.layout.height * times()}px`;
    const one = { place, text: JSON.stringify(figure), dark: charts.dark, drawn: "" };
    live.push(one);
    plotly ??= fetched(charts);
    plotly.then(
      (Plotly) => draw(Plotly, one),
      () => {
        plotly = null; // so that the next one is tried
        place.replaceChildren(h("p", { class: "soft" }, "What draws figures did not arrive: open the run once more."));
      },
    );
    return h("figure", { class: "drawn" }, h("figcaption", {}, heading), place);
  });
}

// Once more, where the page's colors or its size of type have changed.
export function redraw() {
  live = live.filter(({ place, drawn }) => {
    if (!place.isConnected && drawn) window.Plotly.purge(place);
    return place.isConnected;
  });
  if (live.length) plotly?.then((Plotly) => live.forEach((one) => draw(Plotly, one)), () => {});
}

function times() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / TYPE;
}

function draw(Plotly, one) {
  const { place, dark } = one;
  if (!place.isConnected) return;
  const night = getComputedStyle(document.documentElement).colorScheme === "dark";
  const said = `${night} ${times()}`;
  if (one.drawn === said) return;
  one.drawn = said;
  const figure = JSON.parse(night ? colored(one.text, dark) : one.text);
  sized(figure.layout, times());
  figure.layout.height *= times();
  for (const side of Object.keys(figure.layout.margin)) figure.layout.margin[side] *= times();
  place.style.minHeight = `${figure.layout.height}px`;
  Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}

// Each color as a dark page has it; all at once, since some are others' dark ones.
function colored(text, dark) {
  const names = Object.keys(dark).join("|");
  return text.replace(new RegExp(names, "gi"), (color) => dark[color.toLowerCase()]);
}

function sized(node, by) {
  if (!node || typeof node !== "object") return;
  for (const [key, value] of Object.entries(node)) {
    if (key.endsWith("font") && typeof value?.size === "number") value.size *= by;
    else sized(value, by);
  }
}
