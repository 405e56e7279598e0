// Every run and study of the workspace.

export function setup() {}

export function scene() {}

export function paint() {}
