// What a session keeps of what it sent, until the server has it safe: a connection that is lost is made up for from here. Pure.

/** Bytes kept at most: almost 3 minutes at 48 kHz, 9 at 16 kHz; far more than a server takes to confirm, or to come back. */
const LIMIT = 16 * 1024 * 1024;

/** Audio (ArrayBuffers) by its byte position in the session, and the controls (messages) between it, each at its place. */
export class Outbox {
  #pieces = [];
  #controls = [];
  #kept = 0; // position of the first byte that is kept
  #limit;

  /** Bytes so far, over all connections. */
  sent = 0;

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /** Bytes that nothing is known of yet. */
  get unconfirmed() {
    return this.sent - this.#kept;
  }

  /** Whether no more should be sent before something is confirmed. */
  get full() {
    return this.unconfirmed >= this.#limit;
  }

  audio(buffer) {
    this.#pieces.push(buffer);
    this.sent += buffer.byteLength;
  }

  /** Of controls of one type without audio between them one is kept, with all they changed. */
  control(message) {
    const here = (one) => one.position === this.sent && one.message.type === message.type;
    const merged = Object.assign({}, ...this.#controls.filter(here).map((one) => one.message), message);
    this.#controls = [...this.#controls.filter((one) => !here(one)), { position: this.sent, message: merged }];
  }

  /** The first `received` bytes will not be asked for again, nor what was sent before them. */
  confirm(received) {
    let count = 0;
    for (; count < this.#pieces.length && this.#kept + this.#pieces[count].byteLength <= received; count += 1) {
      this.#kept += this.#pieces[count].byteLength;
    }
    this.#pieces.splice(0, count);
    this.#controls = this.#controls.filter(({ position }) => position >= received);
  }

  /** What is to be sent again, in order, when the server has `received` bytes; null where that is not kept any more. */
  after(received) {
    if (received < this.#kept || received > this.sent) return null;
    const frames = [];
    const controls = this.#controls.filter(({ position }) => position >= received);
    let start = this.#kept;
    for (const piece of this.#pieces) {
      const end = start + piece.byteLength;
      while (controls.length > 0 && controls[0].position < end) frames.push(controls.shift().message); // each lies at an edge
      if (end > received) frames.push(start >= received ? piece : piece.slice(received - start));
      start = end;
    }
    return [...frames, ...controls.map(({ message }) => message)];
  }
}
