// What is drawn: points [x1, x2, target], classes by name (none for a quantity); and how: the tool and the target.

export const draft = { points: [], classes: ["A", "B"], tool: "point", target: 0 };

export function kindOf() {
  return draft.classes.length === 0 ? "quantities" : draft.classes.length === 2 ? "binary" : "classes";
}
