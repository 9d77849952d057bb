// Asks again and again, for as long as somebody looks at the page.

const MOST_MS = 15_000;

export class Poll {
  #work;
  #every;
  #timer = null;
  #busy = false;
  #again = false;
  #failures = 0;
  #running = false;

  /** `work`: async; throws if it failed, and is asked later each time then. `every`: makes the milliseconds between two. */
  constructor(work, every) {
    this.#work = work;
    this.#every = every;
    document.addEventListener("visibilitychange", () => !document.hidden && this.poke());
    window.addEventListener("online", () => this.poke());
  }

  start() {
    this.#running = true;
    return this.poke();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** Ask now. What is under way may be older than whatever happened, so it is asked once more after it. */
  async poke() {
    if (!this.#running) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#busy = true;
    do {
      this.#again = false;
      try {
        await this.#work();
        this.#failures = 0;
      } catch {
        this.#failures += 1;
      }
    } while (this.#again && this.#running);
    this.#busy = false;
    clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.#due(), wait(this.#every(), this.#failures));
  }

  #due() {
    if (!document.hidden) this.poke(); // a page that nobody sees asks when it is seen
  }
}

/** Milliseconds until the next attempt after `failures` of them in a row. Pure. */
export function wait(every, failures) {
  return failures === 0 ? every : Math.max(every, Math.min(MOST_MS, 1000 * 2 ** failures));
}
