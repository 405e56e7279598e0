// Many networks that learn at once, ordered by loss.

export function setup() {}

export function scene() {}

export function paint() {}
