"use strict";
// Draws the figures, in the page's size of type and in its light or dark colors.
const dark = matchMedia("(prefers-color-scheme: dark)");
const specs = JSON.parse(document.getElementById("figures").textContent);
const colors = JSON.parse(document.getElementById("dark").textContent);

function sized(node, times) {
  if (Array.isArray(node)) return node.forEach((item) => sized(item, times));
  if (node === null || typeof node !== "object") return;
  for (const [key, value] of Object.entries(node)) {
    if (key.endsWith("font") && value && typeof value.size === "number") value.size *= times;
    else sized(value, times);
  }
}

function draw() {
  const times = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  for (const [id, spec] of Object.entries(specs)) {
    let text = JSON.stringify(spec);
    if (dark.matches) for (const [light, other] of Object.entries(colors)) text = text.replaceAll(light, "~" + other);
    const figure = JSON.parse(text.replaceAll("~#", "#"));
    sized(figure.layout, times);
    figure.layout.height *= times;
    Plotly.react(id, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  }
}
dark.addEventListener("change", draw);
draw();
