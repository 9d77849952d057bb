// When to try again, after a connection was lost. Pure.

/** Seconds: the longest first wait for a session that the server keeps, and the longest of all. */
const FIRST = 0.1;
const LONGEST = 5;

/** Seconds to wait before each attempt to go on with a session: up to 0.1, 0.2, 0.4 and so on to 5, at least half of that. */
export function* waits(chance = Math.random) {
  for (let longest = FIRST; ; longest = Math.min(LONGEST, 2 * longest)) yield (longest * (1 + chance())) / 2;
}

/** Seconds before each attempt at a new session; the last one holds for all that follow. */
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
