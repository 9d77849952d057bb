// A recording as a source of audio: any format the browser decodes, sent as fast as it is taken, or played along.
import { mixDown, toPcm16 } from "./pcm.js";

const RATE = 16_000;
const CHUNK = RATE / 2;

/** Decoding happens in memory, at the file's own rate: past these a tab would run out of it. */
export const SIZE_LIMIT = 100 * 1024 * 1024;
export const DURATION_LIMIT = 2 * 3600;

/** Bytes that may wait in the socket. 8 s of audio: the server is never idle, and a lost connection loses little. */
const LEAD = 256 * 1024;
const POLL_MS = 20;
const PLAY_MS = 100;

/** Why a file cannot be captioned. `reason`: "too-large", "too-long", "empty", "unreadable". */
export class RecordingError extends Error {
  constructor(reason, file, options) {
    super(`cannot read ${file}: ${reason}`, options);
    this.reason = reason;
    this.file = file;
  }
}

/** A source, like Microphone. `buffered()` of its sink is what waits to be sent, in bytes. */
export class Recording {
  kind = "recording";
  sampleRate = RATE;
  #file;
  #audio = null;
  #pcm = null;
  #stopped = new AbortController();

  /** `playAlong`: in real time and aloud, instead of as fast as the server takes it. */
  constructor(file, { playAlong }) {
    this.#file = file;
    this.title = file.name;
    this.live = playAlong;
  }

  /** 16-bit samples at 16 kHz. */
  get pcm() {
    return this.#pcm;
  }

  /** Seconds. */
  get duration() {
    return this.#pcm === null ? 0 : this.#pcm.length / RATE;
  }

  /** Decode the file. Raises RecordingError. */
  async open() {
    this.#stopped = new AbortController();
    if (this.#pcm !== null) return;
    if (this.#file.size > SIZE_LIMIT) throw new RecordingError("too-large", this.title);
    if (this.#file.size === 0) throw new RecordingError("empty", this.title);
    try {
      this.#audio = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await this.#file.arrayBuffer());
    } catch (error) {
      throw new RecordingError("unreadable", this.title, { cause: error });
    }
    if (this.#audio.duration > DURATION_LIMIT) throw new RecordingError("too-long", this.title);
    const channels = Array.from({ length: this.#audio.numberOfChannels }, (_, channel) => this.#audio.getChannelData(channel));
    this.#pcm = toPcm16(mixDown(channels));
    if (!this.live) this.#audio = null;
  }

  /** Send what follows the first `from` seconds. */
  start(sink, from = 0) {
    const first = Math.min(Math.round(from * RATE), this.#pcm.length);
    if (this.live) this.#play(sink, first, this.#stopped.signal);
    else this.#pour(sink, first, this.#stopped.signal);
  }

  async stop() {
    this.#stopped.abort();
  }

  async #pour(sink, first, stopped) {
    for (let at = first; at < this.#pcm.length; at += CHUNK) {
      while (!stopped.aborted && sink.buffered() > LEAD) await pause(POLL_MS);
      if (stopped.aborted) return;
      sink.push(this.#pcm.slice(at, at + CHUNK).buffer);
    }
    sink.finished();
  }

  #play(sink, first, stopped) {
    const context = new AudioContext();
    const player = new AudioBufferSourceNode(context, { buffer: this.#audio });
    player.connect(context.destination);
    const began = context.currentTime;
    player.start(began, first / RATE);
    let at = first;
    const timer = setInterval(() => {
      const until = Math.min(first + Math.floor((context.currentTime - began) * RATE), this.#pcm.length);
      if (until > at) sink.push(this.#pcm.slice(at, until).buffer);
      at = Math.max(at, until);
      if (at === this.#pcm.length) {
        close();
        sink.finished();
      }
    }, PLAY_MS);
    const close = () => {
      clearInterval(timer);
      stopped.removeEventListener("abort", close);
      context.close();
    };
    stopped.addEventListener("abort", close);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
