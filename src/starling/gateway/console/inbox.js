// Which of a server's frames say something new: one that a page comes back to repeats some. Pure.

const ONCE = ["speech_started", "speech_ended", "error"];

/** Segments that are remembered. A server keeps fewer to repeat. */
const MEMORY = 300;

export class Inbox {
  #seen = new Map(); // what came of a segment: frames by their type, and the version of its newest result

  /** Segment of the last final that came, or null. */
  lastFinal = null;

  /** Whether `message` says something new; it is remembered. */
  isNew(message) {
    const { type, segment_id: segment } = message;
    if (!Number.isInteger(segment) || (type !== "result" && !ONCE.includes(type))) return true;
    if (this.lastFinal !== null && segment <= this.lastFinal - MEMORY) return false;
    const before = this.#seen.get(segment) ?? { version: -1 };
    if (before.version === Infinity || (type === "result" ? message.version <= before.version : before[type])) return false;
    this.#seen.set(segment, { ...before, ...(type === "result" ? { version: message.is_final ? Infinity : message.version } : { [type]: true }) });
    if (type === "result" && message.is_final) this.#settle(segment);
    return true;
  }

  #settle(segment) {
    this.lastFinal = Math.max(segment, this.lastFinal ?? 0);
    for (const one of this.#seen.keys()) if (one <= this.lastFinal - MEMORY) this.#seen.delete(one);
  }
}
