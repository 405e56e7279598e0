// What network there is, and where its weights stand in the padded arrays of a frame.

export function shapeOf(scene) {
  const { network } = scene.recipe;
  const hidden = network.hidden ?? [];
  const given = network.activation ?? { kind: "tanh" };
  const activations = Array.isArray(given) ? given : hidden.map(() => given);
  const outputs = scene.kind === "binary" ? 1 : scene.names.length;
  return { inputs: scene.inputs, hidden, activations, outputs };
}

// Where layer number `layer` (the output's last) stands in the padded arrays.
function place(state, layer) {
  return layer === shapeOf(state.scene).hidden.length ? state.frame.weights.shape[0] - 1 : layer;
}

export function weightAt(state, layer, unit, source) {
  const { weights } = state.frame;
  const [, units, inputs] = weights.shape;
  return weights.values[(place(state, layer) * units + unit) * inputs + source];
}

export function biasAt(state, layer, unit) {
  const { biases } = state.frame;
  return biases.values[place(state, layer) * biases.shape[1] + unit];
}
