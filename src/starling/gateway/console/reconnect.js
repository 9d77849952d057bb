// When to try again by itself, after a connection was lost. Pure.

/** Seconds before each attempt; the last one holds for all that follow. */
const WAITS = [1, 2, 4, 8, 15];

/** About five minutes. A microphone must not come on by itself long after everybody has left. */
const ATTEMPTS = 22;

export class Backoff {
  #attempts = 0;

  /** Whether an attempt was made since `reset`. */
  get tried() {
    return this.#attempts > 0;
  }

  /** Seconds until the next attempt, or null once there were enough. */
  next() {
    if (this.#attempts === ATTEMPTS) return null;
    const wait = WAITS[Math.min(this.#attempts, WAITS.length - 1)];
    this.#attempts += 1;
    return wait;
  }

  reset() {
    this.#attempts = 0;
  }
}
