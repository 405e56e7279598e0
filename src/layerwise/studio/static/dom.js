// Elements in few words, numbers as people read them, and one pop-over.

// An element: attributes as given, "on..." as listeners; children are elements or text.
export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(name, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export const $ = (id) => document.getElementById(id);

export function minus(text) {
  return text.replace("-", "−");
}

// A number with its sign, short, always as wide as its neighbors: 0.31, −1.2e−5.
export function short(value, digits = 3) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (value === 0) return (0).toFixed(digits);
  const size = Math.abs(value);
  if (size < 0.5 * 10 ** -digits || size >= 1e5) {
    return value.toExponential(0).replace("e+", "e").replaceAll("-", "−");
  }
  return minus(value.toFixed(size >= 100 ? 1 : digits));
}

// With how many decimals values that stand together are all written: two figures of the smallest.
export function alike(values, digits = 3) {
  const least = Math.min(...values.map(Math.abs).filter((size) => size > 0));
  return Number.isFinite(least) ? Math.min(5, Math.max(digits, 1 + Math.ceil(-Math.log10(least)))) : digits;
}

// A setting's value as typed: no zeros too many.
export function plainNumber(value) {
  return typeof value === "number" ? minus(String(Number(value.toPrecision(6)))) : String(value);
}

// What was typed as a number, with either minus; NaN where it is none.
export function typed(text) {
  const said = text.trim().replace("−", "-").replace(",", ".");
  return said === "" ? NaN : Number(said);
}

export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ── the pop-over ────────────────────────────────────────────────────────────────────────────────

let open = null;

export function close() {
  if (!open) return false;
  const { box, from } = open;
  open = null;
  box.remove();
  if (from?.isConnected) from.focus({ preventScroll: true });
  return true;
}

// Shows `content` beside a point of the page; Escape, a click elsewhere, or `close` ends it.
export function popover(x, y, label, content, from = document.activeElement) {
  close();
  const box = h("div", { class: "popover", role: "dialog", "aria-label": label }, ...content);
  document.body.append(box);
  open = { box, from };
  const { width, height } = box.getBoundingClientRect();
  const [wide, high] = [document.documentElement.clientWidth, window.innerHeight];
  box.style.left = `${Math.max(8, Math.min(wide - width - 8, x - width / 2))}px`;
  const above = y + 14 + height > high - 8;
  box.style.top = `${Math.max(8, above ? y - 14 - height : y + 14)}px`;
  const first = box.querySelector("input, select, button");
  first?.focus({ preventScroll: true });
  if (first?.select) first.select();
}

document.addEventListener("pointerdown", (event) => {
  if (open && !open.box.contains(event.target)) close();
});
