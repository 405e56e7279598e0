// Two settings side by side, from one seed.

export function setup() {}

export function scene() {}

export function paint() {}
