// The lecture in order: a text bound to a state of the page, and a question before play.

export function setup() {}

export function scene() {}

export function paint() {}
