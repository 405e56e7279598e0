// Axes of the charts that are painted while something trains: round values, levels, and names at the lines' ends.

import { token } from "./color.js";
import { minus, short } from "./dom.js";

// Round values from zero, or just below the lowest, to beyond the highest: { from, to, by }, with two steps or three.
export function rounded(low, high) {
  const raw = (high - Math.min(0, low) || 1) / 2;
  const power = 10 ** Math.floor(Math.log10(raw));
  const by = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((k) => k * power).find((step) => step >= 0.97 * raw);
  const from = low < 0 ? -by : 0;
  return { by, from, to: from + by * Math.ceil((high - from) / by - 0.03) };
}

// Round values between two positive ones, for a logarithmic axis.
export function logarithmic(low, top) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(top)); power++) {
    const steps = top / low > 300 ? [1] : top / low > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    for (const step of steps) found.push(step * 10 ** power);
  }
  return found.filter((value) => value >= low && value <= top);
}

// As many decimals as the steps of an axis need.
function decimals(by) {
  const power = Math.floor(Math.log10(by) + 1e-9);
  return Math.max(1, Math.min(4, -power + ((by / 10 ** power) % 1 > 0.01)));
}

// Large values need no decimals, and very large or small ones a power.
function tick(value, by) {
  if (value && (Math.abs(value) >= 1e5 || by < 1e-4)) return short(value);
  return value.toFixed(by >= 10 ? 0 : decimals(by));
}

// The values of `rounded`, each with its text.
export function steps({ from, to, by }) {
  const count = Math.round((to - from) / by);
  return Array.from({ length: count + 1 }, (_, i) => from + i * by).map((value) => [value, tick(value, by)]);
}

// The room that texts of an axis take at its left, at least `least`.
export function roomFor({ pen, rem }, values, least) {
  return Math.max(least, 0.9 * rem + Math.max(0, ...values.map(([, text]) => pen.measureText(minus(text)).width)));
}

// A thin line at each value, with its text at the left; `y` says where a value stands.
export function levels({ pen, rem }, values, y, left, right) {
  pen.lineWidth = 1;
  pen.strokeStyle = token("--line");
  pen.fillStyle = token("--ink3");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [value, text] of values) {
    pen.beginPath();
    pen.moveTo(left, Math.round(y(value)) + 0.5);
    pen.lineTo(right, Math.round(y(value)) + 0.5);
    pen.stroke();
    pen.fillText(minus(text), left - 0.5 * rem, y(value));
  }
}

// What the axis below begins and ends with.
export function along({ pen, rem }, left, right, bottom, first, last) {
  pen.fillStyle = token("--ink3");
  pen.textBaseline = "top";
  pen.textAlign = "left";
  pen.fillText(first, left, bottom + 0.4 * rem);
  pen.textAlign = "right";
  pen.fillText(last, right, bottom + 0.4 * rem);
}

// Names at the lines' right ends, moved apart. Each of `ends` is { at, parts }, a part [text, color, weight].
export function names({ pen, rem, type }, ends, x, bottom) {
  const places = apart(ends.map(({ at }) => at), 1.2 * rem, bottom - 0.6 * rem);
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  ends.forEach(({ parts }, i) => {
    let from = x + 0.7 * rem;
    for (const [text, color, weight] of parts) {
      pen.fillStyle = token(color);
      pen.font = type(weight);
      pen.fillText(text, from, places[i]);
      from += pen.measureText(text).width;
    }
  });
  pen.font = type();
}

// Places moved as little as it takes for all to be `least` apart, none below `most`: neighbors that would touch
// stand around their middle.
export function apart(places, least, most) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const groups = []; // of neighbors that touch: [the sum of where each would have the first stand, how many]
  order.forEach((i, k) => {
    let [sum, size] = [places[i] - k * least, 1];
    while (groups.length && groups.at(-1)[0] / groups.at(-1)[1] > sum / size) {
      const [before, many] = groups.pop();
      [sum, size] = [sum + before, size + many];
    }
    groups.push([sum, size]);
  });
  const found = [...places];
  const firsts = groups.flatMap(([sum, size]) => Array(size).fill(sum / size));
  order.forEach((i, k) => (found[i] = Math.min(firsts[k] + k * least, most - (order.length - 1 - k) * least)));
  return found;
}
