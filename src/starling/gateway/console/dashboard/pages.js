// The way through pages that only know the next one: cursors of those before are remembered. Pure.

export class Pages {
  #cursors = [""];
  #next = "";

  /** Of the page that is shown. */
  get cursor() {
    return this.#cursors.at(-1);
  }

  get number() {
    return this.#cursors.length;
  }

  get hasOlder() {
    return this.#next !== "";
  }

  get hasNewer() {
    return this.#cursors.length > 1;
  }

  /** The page that is shown says which comes after it; empty: none. */
  set next(cursor) {
    this.#next = cursor;
  }

  older() {
    if (!this.hasOlder) return;
    this.#cursors.push(this.#next);
    this.#next = "";
  }

  newer() {
    if (this.hasNewer) this.#cursors.pop();
  }

  first() {
    this.#cursors = [""];
    this.#next = "";
  }
}
