// Colors are only ever data: the sign of a number, or a class. They are mixed in OKLab, where a step looks
// as large anywhere, and kept in tables that follow the page's theme.

const STEPS = 256;
let tables = null;
const tokens = new Map();

// A color of the page's style sheet, such as "--positive".
export function token(name) {
  if (!tokens.has(name)) {
    tokens.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  }
  return tokens.get(name);
}

// What the tables were made for is over: the theme has changed.
export function forget() {
  tables = null;
  tokens.clear();
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
}

function linear(c) {
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

function gamma(c) {
  return c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
}

// Björn Ottosson's OKLab (2020).
function oklab(hex) {
  const [r, g, b] = channels(hex).map(linear);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function rgb([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((c) => Math.round(255 * gamma(Math.min(1, Math.max(0, c)))));
}

// From `zero` towards `end`, `STEPS` colors as pixels of a canvas (its bytes are red, green, blue, alpha).
function ramp(zero, end, reach) {
  const [from, to] = [oklab(zero), oklab(end)];
  return Uint32Array.from({ length: STEPS }, (_, i) => {
    const t = (reach * i) / (STEPS - 1);
    const [r, g, b] = rgb(from.map((c, k) => c + t * (to[k] - c)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

export function classColors() {
  return Array.from({ length: 10 }, (_, k) => token(`--class-${k + 1}`));
}

function made() {
  const zero = token("--zero");
  const reach = Number(token("--reach"));
  tables = {
    negative: ramp(zero, token("--negative"), reach),
    positive: ramp(zero, token("--positive"), reach),
    classes: classColors().map((color) => ramp(zero, color, reach)),
  };
  return tables;
}

// The pixel of a number from -1 to 1: negative, zero, positive. What is no number is zero.
export function signed(value) {
  const { negative, positive } = tables ?? made();
  const size = Math.min(1, Math.abs(value)) || 0;
  return (value < 0 ? negative : positive)[Math.round(size * (STEPS - 1))];
}

// The pixel of class number `k`, as sure as `size` from 0 to 1.
export function ofClass(k, size) {
  const { classes } = tables ?? made();
  return classes[k % classes.length][Math.round((Math.min(1, Math.max(0, size)) || 0) * (STEPS - 1))];
}
