// The two epochs of a curve that the server speaks of: where training stands, and the best one.

// Of curve number `which`, where there are several; null where there is none.
function row({ frame }, at, which) {
  if (!frame?.marks) return null;
  const from = 5 * (2 * which + at);
  const [step, train, trainFigure, validation, figure] = frame.marks.values.subarray(from, from + 5);
  return Number.isFinite(step) ? { step, train, trainFigure, validation, figure } : null;
}

// The last epoch that lies at or before where training stands.
export const latest = (state, which = 0) => row(state, 0, which);

// The epoch with the lowest loss: on the validation part, where there is one.
export const best = (state, which = 0) => row(state, 1, which);
