// Of the frame's curve, whose rows are epochs: the best one, and the last one before where training stands.

// The epoch with the lowest validation loss: { step, train, validation }; null where there is none.
export function best(state) {
  const curve = state.frame?.curve;
  if (!curve) return null;
  let found = null;
  for (let row = 0; row < curve.shape[0]; row++) {
    const [step, train, , validation] = curve.values.subarray(5 * row, 5 * row + 4);
    if (Number.isFinite(validation) && (!found || validation < found.validation)) found = { step, train, validation };
  }
  return found;
}

// The last epoch that lies at or before where training stands.
export function latest(state) {
  const curve = state.frame?.curve;
  if (!curve) return null;
  let [low, high] = [0, curve.shape[0]];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (curve.values[5 * middle] <= state.step) low = middle + 1;
    else high = middle;
  }
  if (!low) return null;
  const [step, train, trainFigure, validation, figure] = curve.values.subarray(5 * (low - 1), 5 * low);
  return { row: low - 1, step, train, trainFigure, validation, figure };
}
