// What was measured in the last quarter of an hour, as it comes piece by piece. Pure.

export const SPAN = 900;

export class History {
  #columns = { at: [] };
  step = 5;

  /** The moment of the newest, or 0. */
  get last() {
    return this.#columns.at.at(-1) ?? 0;
  }

  get times() {
    return this.#columns.at;
  }

  column(name) {
    return this.#columns[name] ?? [];
  }

  /** The newest value of a column; null if nobody knows it. */
  now(name) {
    return this.column(name).at(-1) ?? null;
  }

  /** Take what the server says, which may be all, or only what came after `last`. */
  add({ step, columns }) {
    this.step = step;
    const times = columns.at;
    if (times.length === 0) return;
    const keep = times[0] > this.last ? this.#columns : { at: [] }; // a clock that was set back begins anew
    const from = times.at(-1) - SPAN - step;
    const old = keep.at.length;
    const first = [...keep.at, ...times].findIndex((at) => at >= from);
    this.#columns = Object.fromEntries(
      Object.keys(columns).map((name) => [name, [...(keep[name] ?? Array(old).fill(null)), ...columns[name]].slice(first)]),
    );
  }
}
