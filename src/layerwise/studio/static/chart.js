// A chart of curves by epoch, in ink: lines are told apart by their dashes and by their names at the right end.

import { h, plainNumber, svg } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [640, 240, 52, 84, 24, 10];
const DASHES = ["", "6 4", "2 3", "10 3 2 3", "12 4", "1 5"];
const WIDE = 30; // from how many times its lowest value a positive curve reaches, its axis is logarithmic

// `lines`: [{ name, epochs, values, thin }], null where a value is not known; `best` an epoch that is marked.
export function chart(heading, lines, best) {
  const known = lines.flatMap((line) => line.values.filter((value) => value !== null));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const logarithmic = low > 0 && high / low > WIDE;
  const scale = logarithmic ? Math.log : (value) => value;
  const last = Math.max(...lines.map((line) => line.epochs.at(-1)));
  const first = Math.min(...lines.map((line) => line.epochs[0]));
  const x = (epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - first)) / (last - first || 1);
  const span = scale(high) - scale(low) || 1;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (scale(value) - scale(low))) / span;
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": told(heading, lines, best),
    class: "chart-of-runs",
  });
  for (const [value, at] of [
    [high, y(high)],
    [low, y(low)],
  ]) {
    drawing.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at, class: "axis" }));
    write(drawing, LEFT - 8, at + 4, figure(value), "end");
  }
  write(drawing, LEFT, HEIGHT - 4, `epoch ${first}`, "start");
  write(drawing, WIDTH - RIGHT, HEIGHT - 4, String(last), "end");
  if (best !== null)
    drawing.append(svg("line", { x1: x(best), x2: x(best), y1: TOP, y2: HEIGHT - BOTTOM, class: "best" }));
  const ends = apart(lines.map((line) => y(line.values.findLast((value) => value !== null))));
  lines.forEach((line, i) => {
    const dash = line.thin ? "" : DASHES[i % DASHES.length && lines.some((one) => one.thin) ? 0 : i % DASHES.length];
    const curve = svg("path", { d: path(line, x, y), class: line.thin ? "thin" : "thick" });
    if (dash) curve.setAttribute("stroke-dasharray", dash);
    drawing.append(curve);
    write(drawing, x(line.epochs.at(-1)) + 8, ends[i] + 4, line.name, "start");
  });
  return h("figure", {}, h("figcaption", {}, heading + (logarithmic ? ", on a logarithmic axis" : "")), drawing);
}

// Names at the lines' ends, pushed apart so that each can be read.
function apart(places) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const found = [...places];
  order.slice(1).forEach((i, k) => (found[i] = Math.max(found[i], found[order[k]] + 15)));
  const over = Math.max(...found) - (HEIGHT - BOTTOM);
  if (over > 0) order.forEach((i) => (found[i] -= over));
  return found;
}

function path({ epochs, values }, x, y) {
  let pen = "M";
  return values
    .map((value, i) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const point = `${pen}${x(epochs[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return point;
    })
    .join("");
}

function write(drawing, x, y, words, anchor) {
  const text = svg("text", { x, y, "text-anchor": anchor });
  text.textContent = words;
  drawing.append(text);
}

function figure(value) {
  return Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3)
    ? value.toExponential(1).replaceAll("-", "−")
    : plainNumber(Number(value.toPrecision(3)));
}

function told(heading, lines, best) {
  const ends = lines.map((line) => `${line.name} ends at ${figure(line.values.findLast((value) => value !== null))}`);
  return `${heading}: ${ends.join(", ")}${best === null ? "" : `; best at epoch ${best}`}`;
}
