// How long the words took: from the sound to the caption. Pure; `now` is given, in seconds.

/** Marks kept: a minute of 100 ms chunks. Nothing older is ever asked for. */
const MARKS = 600;

/** Maps a position in the audio to the moment it was heard. */
export class AudioClock {
  #marks = [];

  /** The audio up to `position` seconds had been heard at `now`. */
  mark(position, now) {
    this.#marks.push({ position, now });
    if (this.#marks.length > MARKS) this.#marks.shift();
  }

  /** When `position` was heard, or null if that is not known (any more). */
  when(position) {
    const first = this.#marks[0];
    if (first === undefined || position < first.position - 1) return null;
    const mark = this.#marks.find((candidate) => candidate.position >= position);
    return mark ? mark.now - (mark.position - position) : null;
  }
}

/**
 * Measures each segment of live audio. `firstWords`: from the start of speech to its first words. `final`: from the end of speech
 * to its final, of which `wait` passed before the silence was taken for an end. A final that the user forced tells of no pause.
 */
export class Latency {
  #clock = new AudioClock();
  #start = null;
  #end = null;
  #seen = -1;
  #forced = null;

  heard(position, now) {
    this.#clock.mark(position, now);
  }

  /** The open segment was ended by the user, at `now`. */
  force(now) {
    this.#forced = now;
  }

  /** Take in a frame of the server. Returns `{firstWords}`, `{final, wait}` (seconds; `wait` may be null) or null. */
  take(message, now) {
    switch (message.type) {
      case "speech_started":
        this.#start = message.at;
        return null;
      case "speech_ended":
        this.#end = { at: message.at, noticed: now };
        return null;
      case "result":
        return message.is_final ? this.#final(message, now) : this.#partial(message, now);
      default:
        return null;
    }
  }

  #partial({ segment_id: id, text, end }, now) {
    if (this.#start === null || id <= this.#seen || !text.trim() || end < this.#start) return null;
    const spoken = this.#clock.when(this.#start);
    this.#seen = id;
    this.#start = null;
    return spoken === null ? null : { firstWords: Math.max(0, now - spoken) };
  }

  #final({ segment_id: id, text, end }, now) {
    this.#seen = Math.max(this.#seen, id);
    const spoken = this.#clock.when(end);
    if (!text.trim() || spoken === null) return null;
    const noticed = this.#end !== null && Math.abs(this.#end.at - end) < 0.1 ? this.#end.noticed : null;
    const open = noticed === null || noticed > this.#forced; // when the user ended it
    if (this.#forced !== null && spoken <= this.#forced && open) return null;
    return { final: Math.max(0, now - spoken), wait: noticed === null ? null : Math.max(0, noticed - spoken) };
  }
}
