// The line to the server: commands as promises, binary frames decoded in place, and calm where it is cut.

const KINDS = [
  ...["weights", "biases", "curve", "surface", "units", "confusion", "fit", "score", "caption", "health"],
  "other", // of two side by side
  ...["losses", "basins"], // of many
  ...["trials", "best", "margins"], // of a race of searches
  "dropped",
  ...["marks", "shades", "outs"], // epochs that are spoken of; what is drawn of outputs
  ...["parted", "order", "leaders"], // of two, of many, of a race
];
const ARRAYS = { 1: Float32Array, 2: Int32Array, 3: Uint8Array };
const VERSION = 1;
const PATIENCE = [500, 1000, 2000, 4000];

// A frame: { revision, step, weights: { shape, values }, ... }. Every section begins at a multiple of four
// bytes, so its values are a view into the message.
export function decoded(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 76 || view.getUint8(1) !== 87 || view.getUint8(2) !== VERSION) {
    throw new Error("this frame is of another version: load the page again");
  }
  const frame = { revision: view.getUint32(4, true), step: view.getUint32(8, true) };
  let at = 12;
  for (let left = view.getUint8(3); left > 0; left--) {
    const [kind, type, dimensions] = [view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2)];
    const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(at + 4 + 4 * d, true));
    at += 4 + 4 * dimensions;
    const size = shape.reduce((a, b) => a * b, 1);
    const values = new ARRAYS[type](buffer, at, size);
    if (KINDS[kind]) frame[KINDS[kind]] = { shape, values };
    at += 4 * Math.ceil(values.byteLength / 4);
  }
  return frame;
}

export class Refused extends Error {
  constructor({ rule, received, remedy, place }) {
    super(rule);
    Object.assign(this, { rule, received, remedy, place });
  }
}

export class Lost extends Error {}

export class Wire {
  // `heard` has the page's ears: frame(frame), event(message), up(again), down(), refused(whether).
  constructor(heard) {
    this.heard = heard;
    this.waiting = new Map();
    this.number = 0;
    this.tries = 0;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.heard.refused(false);
      const again = this.tries > 0 || this.number > 0;
      this.tries = 0;
      this.heard.up(again);
    };
    socket.onmessage = ({ data }) => this.read(data);
    socket.onclose = () => {
      const waiting = [...this.waiting.values()];
      this.waiting.clear();
      for (const { reject } of waiting) reject(new Lost("the line was cut"));
      this.heard.down();
      if (!opened) this.knock();
      setTimeout(() => this.connect(), PATIENCE[Math.min(this.tries++, PATIENCE.length - 1)]);
    };
    this.socket = socket;
  }

  // A line that did not open may have been refused, which a browser does not tell; so the door is asked.
  async knock() {
    const answer = await fetch("/", { cache: "no-store" }).catch(() => null);
    if (this.socket.readyState !== WebSocket.OPEN) this.heard.refused(answer?.status === 403);
  }

  read(data) {
    if (data instanceof ArrayBuffer) {
      this.heard.frame(decoded(data));
      return;
    }
    const message = JSON.parse(data);
    const asked = this.waiting.get(message.id);
    if (asked) {
      this.waiting.delete(message.id);
      if (message.ok) asked.resolve(message);
      else asked.reject(new Refused(message.error));
    } else if (message.event) {
      this.heard.event(message);
    }
  }

  // A command; the promise holds the answer, or fails with `Refused` or `Lost`.
  ask(what, more = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Lost("the line is cut"));
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, do: what, ...more }));
    });
  }

  // A frame has been painted: the next one may come.
  painted({ revision, step }) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ id: 0, do: "painted", revision, step }));
    }
  }
}
