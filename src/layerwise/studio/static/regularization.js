// Dropout and the penalties where they act: named between the layers whose links they pull at, and, while training
// stands still, each hidden unit as faint as the share of the last batch's rows that went without it.

import { plainNumber, put } from "./dom.js";

const PENALTIES = { l1: "L1", l2: "L2", weight_decay: "decay" };

const train = ({ recipe }) => (typeof recipe.train === "object" ? recipe.train : {});

function penalties(scene) {
  const now = train(scene);
  return Object.entries(PENALTIES)
    .filter(([key]) => typeof now[key] === "number" && now[key] > 0)
    .map(([key, words]) => `${words} ${plainNumber(now[key])}`);
}

// What a link's hint adds; "" where no penalty is on.
export function pulling(scene) {
  const named = penalties(scene);
  return named.length ? `pulled to 0 by ${named.join(" and ")}` : "";
}

// Dropout acts on what hidden units give on, so not before the first layer.
export function showActing({ state }) {
  const { scene } = state;
  const { dropout } = train(scene);
  for (const place of document.querySelectorAll("[data-acting]")) {
    const lines = penalties(scene);
    if (dropout > 0 && place.dataset.acting !== "0") lines.push(`dropout ${plainNumber(100 * dropout)} %`);
    put(place, lines.join("\n"));
  }
}

export function leftOut({ frame, scene }, { layer, unit }) {
  const { dropped } = frame;
  if (scene.playing || !dropped || unit >= dropped.shape[1]) return 0;
  return dropped.values[layer * dropped.shape[1] + unit];
}
