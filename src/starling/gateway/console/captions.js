// What has been said so far: takes, and in them segments that grow until they are final. No DOM.

/**
 * @typedef {object} Segment
 * @property {string} key        unique on the page
 * @property {number} start      seconds from the start of its take
 * @property {number} end        seconds from the start of its take
 * @property {string} text
 * @property {string} stable     the prefix of `text` that is not expected to change
 * @property {number} version
 * @property {"provisional"|"final"|"interrupted"} state  interrupted: the connection was lost before its final came
 */

/** @typedef {{kind: "updated"|"settled"|"removed", segment: Segment, take: Take}} Change */

/**
 * One recording: a microphone switched on and off, or a file. It may take several connections (runs); the segments of each are
 * placed on the one time line of the take.
 */
export class Take {
  #run = 0;
  #offset = 0;
  #gone = new Set();

  /** `id`: unique on the page. `began`: a Date. */
  constructor({ id, title, began }) {
    this.id = id;
    this.title = title;
    this.began = began;
    /** @type {Map<string, Segment>} */
    this.segments = new Map();
  }

  /** Seconds until the end of the last word. */
  get duration() {
    return Math.max(0, ...this.spoken.map((segment) => segment.end));
  }

  /** Seconds up to which everything is settled: where a lost connection can go on. */
  get settledUntil() {
    return Math.max(0, ...this.spoken.filter((segment) => segment.state === "final").map((segment) => segment.end));
  }

  /** Seconds up to which there are words, whether they are settled or not. */
  get wordsUntil() {
    return Math.max(0, ...[...this.segments.values()].map((segment) => segment.end));
  }

  /** Segments that keep their words: all but the provisional. In the order they were spoken. */
  get spoken() {
    return [...this.segments.values()].filter((segment) => segment.state !== "provisional").sort((a, b) => a.start - b.start);
  }

  /** Words, and segments, that are settled. */
  get count() {
    const { spoken } = this;
    return { words: spoken.reduce((sum, { text }) => sum + text.split(/\s+/).length, 0), segments: spoken.length };
  }

  /** Go on over a new connection whose time starts `offset` seconds into the take. */
  resume(offset) {
    this.#run += 1;
    this.#offset = offset;
    this.#gone.clear();
  }

  /** Take in a `result` frame. Returns what it changed, or null: an old version, a segment that is settled, nothing to show. */
  apply(result) {
    const key = `${this.id}.${this.#run}.${result.segment_id}`;
    const before = this.segments.get(key);
    if (this.#gone.has(key) || (before && (before.state !== "provisional" || result.version <= before.version))) return null;
    const text = result.text.trim();
    if (!text && result.is_final) {
      this.#gone.add(key);
      return before ? this.#remove(before) : null;
    }
    if (!text && !before) return null;
    const segment = {
      key,
      start: this.#offset + result.start,
      end: this.#offset + result.end,
      text,
      stable: result.is_final ? text : commonPrefix(text, result.stable_text.trimStart()),
      version: result.version,
      state: result.is_final ? "final" : "provisional",
    };
    this.segments.set(key, segment);
    return { kind: result.is_final ? "settled" : "updated", segment, take: this };
  }

  /** The connection is gone: no final will come for what is provisional. Its words are kept as they are. */
  interrupt() {
    return this.#provisional().map((segment) => {
      if (!segment.text) return this.#remove(segment);
      const kept = { ...segment, stable: segment.text, state: "interrupted" };
      this.segments.set(kept.key, kept);
      return { kind: "settled", segment: kept, take: this };
    });
  }

  /** Drop what was interrupted: its audio is sent again. */
  forgetInterrupted() {
    return [...this.segments.values()].filter(({ state }) => state === "interrupted").map((segment) => this.#remove(segment));
  }

  #provisional() {
    return [...this.segments.values()].filter(({ state }) => state === "provisional");
  }

  #remove(segment) {
    this.segments.delete(segment.key);
    return { kind: "removed", segment, take: this };
  }
}

/** All takes of the page, in order. */
export class Captions {
  #count = 0;
  /** @type {Take[]} */
  takes = [];

  begin({ title, began }) {
    this.#count += 1;
    const take = new Take({ id: this.#count, title, began });
    this.takes.push(take);
    return take;
  }

  clear() {
    this.takes = [];
  }

  get isEmpty() {
    return this.takes.every((take) => take.spoken.length === 0);
  }
}

/** The longest prefix that `text` shares with `prefix`. */
function commonPrefix(text, prefix) {
  let length = 0;
  while (length < prefix.length && text[length] === prefix[length]) length += 1;
  return text.slice(0, length);
}
