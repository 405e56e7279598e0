// What is asked for over HTTP: lists, files and long work. Playing has its own line, in wire.js.

import { Refused } from "./wire.js";

// The answer's JSON; fails with `Refused` in words, also where the server is not there.
export async function ask(method, path, body = undefined) {
  const raw = body instanceof Blob;
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { method, body: raw || body === undefined ? body : JSON.stringify(body) });
  } catch {
    throw new Refused({ rule: "The line to the server is cut", remedy: "see whether layerwise play still runs" });
  }
  const json = answer.headers.get("content-type") === "application/json";
  const read = json ? await answer.json() : null;
  if (answer.ok && json) return read;
  throw new Refused(read?.error ?? { rule: "The Studio does not answer", received: `${answer.status}` });
}

export const part = encodeURIComponent;

// What was refused, as sentences.
export function sentences({ rule, received, remedy, place, message }) {
  const said = [rule ?? message, received && `Received: ${received}`, place && `At: ${place}`, remedy];
  return said
    .filter(Boolean)
    .map((text) => (/[.!?]$/.test(text) ? text : `${text}.`))
    .map((text) => text.charAt(0).toUpperCase() + text.slice(1))
    .join(" ");
}
