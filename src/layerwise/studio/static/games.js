// Which game the server plays follows the view: a network, two side by side, many, or a race of searches.

import { count } from "./dom.js";

let asked = ""; // what was asked for last; what is refused is not asked for again
let busy = false;

// What a view plays: a command's name and its arguments, and whether a scene is of it.
function wanted({ page, other, vary, against, draw }) {
  if (page === "compare") {
    return { what: "compare", more: { other: parsed(other) }, is: (scene) => JSON.stringify(scene.other) === other };
  }
  if (page === "many" && vary === "search") {
    const more = { against, draw: Number(draw) || 0 };
    return { what: "race", more, is: (scene) => scene.against === against && scene.draw === more.draw };
  }
  if (page === "many") return { what: "many", more: { vary }, is: (scene) => scene.vary === vary };
  return { what: "playground", more: {}, is: () => true };
}

// What a link says of B; nothing where it says no such thing.
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

// Have the server play what is shown, unless it does. The runs leave it as it is.
export async function follow(app) {
  const { state } = app;
  if (!state.scene || !state.online || busy || state.view.page === "runs") return;
  const { what, more, is } = wanted(state.view);
  const said = JSON.stringify([what, more, state.scene.toml]);
  if ((state.scene.game === what && is(state.scene)) || said === asked) return;
  asked = said;
  busy = true;
  const answer = await app.command(what, more);
  busy = false;
  if (answer) {
    asked = "";
    follow(app);
  }
}

// Go over to the playground with one of many.
export async function open(app, lane) {
  busy = true;
  const answer = await app.command("alone", { lane });
  if (answer) app.view({ page: "playground" });
  busy = false;
  follow(app);
}

// What a step is called in each game: the large number, and what stands below it.
export function clock({ scene, step }) {
  const per = scene.steps_per_epoch;
  const epoch = count(Math.floor(step / per));
  const below = {
    compare: ["both", `step ${count(step)}`],
    many: [`${count(32 * step)} steps in all`],
    race: [`of ${scene.trials} in each search`],
  }[scene.game];
  return { word: scene.game === "race" ? "trial" : "epoch", epoch, below: below ?? [`batch ${step % per} of ${per}`, `step ${count(step)}`] };
}
