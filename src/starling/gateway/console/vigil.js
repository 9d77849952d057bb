// Whether the server is still there: a network that is gone says nothing, least of all that it is gone. Pure.
//
// A server that takes sound confirms it about once a second. One that has said nothing for a while is asked, by a keepalive, which
// it answers after all that was sent before. Time in which this page itself did not run is not counted: it says nothing about the
// server.

/** Seconds of silence after which the server is asked. */
export const ASK_AFTER = 3;

/** Seconds that its answer may take. */
export const PATIENCE = 7;

/** Seconds that a healthy server may spend on each second of sound that it has not confirmed and nobody has just spoken. */
const SLOWNESS = 2;

/** Seconds of sound that are on their way while somebody speaks. */
const SPOKEN = 5;

/** Seconds between two looks at the clock; browsers look once a second for a page that nobody sees. */
export const LOOK_EVERY = 0.5;

export class Vigil {
  #looked;
  #quiet = 0; // seconds for which nothing came
  #allowed = null; // how many of them may pass, once the server was asked

  /** `now`: seconds, of any clock that only goes forward. */
  constructor(now) {
    this.#looked = now;
  }

  /** Something came. */
  heard() {
    this.#quiet = 0;
    this.#allowed = null;
  }

  /** What to do, to be asked every `LOOK_EVERY`: "ask", "give up" or null. `unconfirmed`: seconds of sound that left. */
  look(now, unconfirmed) {
    this.#quiet += Math.min(now - this.#looked, 2 * LOOK_EVERY);
    this.#looked = now;
    if (this.#allowed !== null) return this.#quiet > this.#allowed ? "give up" : null;
    if (this.#quiet < ASK_AFTER) return null;
    this.#allowed = this.#quiet + PATIENCE + SLOWNESS * Math.max(0, unconfirmed - SPOKEN);
    return "ask";
  }
}
