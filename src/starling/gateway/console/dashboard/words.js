// Which word is said when. Pure.

/** Words of a transcript in the order of time, whatever order their segments come in. */
export class Words {
  #words = [];

  /** `words`: `[{start, end, ...}]`, each kept as it is. */
  add(words) {
    this.#words.push(...words);
    const at = this.#words.length - words.length;
    if (at > 0 && words.length > 0 && words[0].start < this.#words[at - 1].start) this.#words.sort((one, other) => one.start - other.start);
  }

  clear() {
    this.#words = [];
  }

  get length() {
    return this.#words.length;
  }

  /** The word that is said at `time`, or was the last before it; null before the first. */
  at(time) {
    const number = this.#before(time);
    return number < 0 ? null : this.#words[number];
  }

  /** The word `by` places from the one at `time`, no further than the ends; null if there are none. */
  step(time, by) {
    if (this.#words.length === 0) return null;
    const number = Math.max(0, Math.min(this.#words.length - 1, this.#before(time) + by));
    return this.#words[number];
  }

  #before(time) {
    let [low, high] = [0, this.#words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#words[middle].start <= time + 1e-3) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
