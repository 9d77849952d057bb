// The native protocol as a client speaks it: one session, from `connect` to `done`, over as many WebSockets as it takes.
import { Inbox } from "./inbox.js";
import { Outbox } from "./outbox.js";
import { waits } from "./reconnect.js";
import { LOOK_EVERY, Vigil } from "./vigil.js";

/**
 * Which event leads from which state to which. A missing row is a mistake of the caller. `away`, and `leaving` once no more audio
 * comes: the connection is lost, and another one is tried for as long as the server keeps the session.
 */
export const TRANSITIONS = Object.freeze({
  idle: { connect: "connecting" },
  connecting: { ready: "live", end: "ending", lost: "failed", abort: "closed" },
  live: { end: "ending", broken: "away", lost: "failed", abort: "closed" },
  away: { resumed: "live", end: "leaving", lost: "failed", abort: "closed" },
  ending: { ready: "ending", broken: "leaving", done: "closed", lost: "failed", abort: "closed" },
  leaving: { resumed: "ending", lost: "failed", abort: "closed" },
  closed: {},
  failed: {},
});

/** The state after `event`. Throws for an event that `state` has no place for; nothing has changed then. */
export function next(state, event) {
  const target = TRANSITIONS[state]?.[event];
  if (target === undefined) throw new Error(`the session is ${state}: it cannot take '${event}'`);
  return target;
}

/** Audio that may wait for the first connection to open: 10 s at 48 kHz. What comes after it is a failure, never a silent loss. */
const WAITING_LIMIT = 960_000;

/** What one attempt to come back may take. */
const ATTEMPT_MS = 5000;

/** Close code (RFC 6455 section 7.4.1) of a connection that ended without a close frame. */
const NO_CLOSE_FRAME = 1006;
const NO_PROTOCOL = 4000;

/** Bytes of a sample that is sent. */
const SAMPLE_BYTES = 2;

/** For a server that asks for what was confirmed before. */
const NOT_KEPT = { type: "error", code: "not_resumable", message: "sound was asked for that is not kept any more" };

/**
 * `emit` gets `{type: "state", state}`, every frame of the server that says something new, and at a failure one
 * `{type: "lost", opened, away, code, reason, error}`: whether a connection ever opened, seconds for which it was tried to make it
 * again, its close code and reason, and the server's last `error` frame about the session, if any.
 */
export class StreamSession {
  #url;
  #protocols;
  #start;
  #emit;
  #connect;
  #turnedAway;
  #socket = null;
  #state = "idle";
  #opened = false;
  #outbox = new Outbox();
  #inbox = new Inbox();
  #unsent = 0; // bytes given to `send` while there was no connection
  #error = null;
  #token = null;
  #grace = 0;
  #broken = null; // how and when the connection broke
  #waits = null;
  #timer = null;
  #vigil = null; // over the connection of a session that may go on over another
  #looking = null;

  /**
   * `protocols`: subprotocols to offer. `start`: the fields of the start frame. `connect`: makes a WebSocket of a URL.
   * `turnedAway`: asked when a connection was refused, which a page is not told the reason of; an error frame that makes it useless
   * to try again, or null.
   */
  constructor({ url, protocols = [], start, emit, connect = (address, offered) => new WebSocket(address, offered), turnedAway = async () => null }) {
    this.#url = url;
    this.#protocols = protocols;
    this.#start = start;
    this.#emit = emit;
    this.#connect = connect;
    this.#turnedAway = turnedAway;
  }

  get state() {
    return this.#state;
  }

  /** Bytes given to `send` that have not left this machine; infinitely many where no more may be given for now. */
  get buffered() {
    if (this.#outbox.full || (this.#state === "connecting" && this.#outbox.sent > 0)) return Infinity; // first it must be let in
    return this.#unsent + (this.#isLinked ? this.#socket.bufferedAmount : 0);
  }

  connect() {
    this.#go("connect");
    this.#dial(this.#url, () => {
      this.#opened = true;
      this.#transmit({ type: "start", resume: true, ...this.#start });
      this.#sendAgain(0);
    });
  }

  /** Queue `pcm` (an ArrayBuffer). False once the session takes no more audio. */
  send(pcm) {
    if (!["connecting", "live", "away"].includes(this.#state)) return false;
    if (this.#outbox.full || (!this.#opened && this.#unsent + pcm.byteLength > WAITING_LIMIT)) {
      this.#lose(NO_CLOSE_FRAME, this.#opened ? "more sound waits for the server than can be kept" : "the connection did not open in time");
      return false;
    }
    this.#keep(() => this.#outbox.audio(pcm));
    if (this.#isLinked) return this.#transmit(pcm) || this.#token !== null;
    this.#unsent += pcm.byteLength;
    return true;
  }

  /** End the open segment now. */
  finalize() {
    this.#command({ type: "finalize" });
  }

  /** Apply `options` from the next segment on. */
  configure(options) {
    this.#command({ type: "configure", ...options });
  }

  /** No more audio comes. The session closes by itself once all has been answered. */
  end() {
    this.#go("end");
    if (this.#isLinked) this.#transmit({ type: "end" });
  }

  /** Hang up, whatever is still to come. */
  abort() {
    if (!TRANSITIONS[this.#state].abort) return;
    this.#go("abort");
    this.#hangUp();
  }

  /** Try at once to come back, if it is tried at all: the network is there again. */
  hurry() {
    if (this.#timer !== null && this.#isAway && this.#socket === null) this.#attempt();
  }

  get #isAway() {
    return this.#state === "away" || this.#state === "leaving";
  }

  get #isLinked() {
    return this.#opened && !this.#isAway && this.#socket !== null;
  }

  // --- sending ---

  #command(message) {
    if (this.#state !== "live" && this.#state !== "away") return;
    this.#keep(() => this.#outbox.control(message));
    if (this.#isLinked) this.#transmit(message);
  }

  /** Before `ready` nobody knows whether the server keeps sessions. */
  #keep(note) {
    if (this.#token !== null || this.#state === "connecting") note();
  }

  /** False once the other side has closed, which `onclose` is about to tell. */
  #transmit(frame) {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(frame instanceof ArrayBuffer ? frame : JSON.stringify(frame));
    return true;
  }

  /** Send what the server, which has `received` bytes, has not. False where that is not kept any more. */
  #sendAgain(received) {
    const frames = this.#outbox.after(received);
    if (frames === null) return false;
    for (const frame of frames) this.#transmit(frame);
    this.#unsent = 0;
    if (this.#state === "ending" || this.#state === "leaving") this.#transmit({ type: "end" });
    return true;
  }

  // --- receiving ---

  #dial(url, onOpen) {
    const socket = this.#connect(url, this.#protocols);
    let opened = false;
    const ours = (act) => (event) => socket === this.#socket && TRANSITIONS[this.#state].lost && act(event);
    socket.binaryType = "arraybuffer";
    socket.onopen = ours(() => {
      opened = true;
      onOpen();
    });
    socket.onmessage = ours(({ data }) => this.#onFrame(data));
    socket.onclose = ours(({ code, reason }) => this.#onClose(opened, code, reason));
    this.#socket = socket;
  }

  #onFrame(data) {
    const message = parse(data);
    this.#vigil?.heard();
    if (message === null) this.#lose(NO_PROTOCOL, "not a frame of the protocol");
    else if (this.#isAway) this.#onAnswer(message);
    else if (message.type === "ack") this.#outbox.confirm(message.received);
    else if (this.#inbox.isNew(message)) this.#take(message);
  }

  #take(message) {
    if (message.type === "error" && !Number.isInteger(message.segment_id)) this.#error = message;
    if (message.type === "ready") this.#onReady(message);
    this.#emit(message);
    if (message.type === "done" && this.#state === "ending") {
      this.#go("done");
      this.#hangUp();
    }
  }

  #onReady({ resume_token: token, resume_grace: grace }) {
    this.#token = token ?? null;
    this.#grace = grace ?? 0;
    if (this.#token === null) this.#outbox = new Outbox(); // nothing of it will be asked for again
    else this.#watch();
    if (this.#state === "connecting" || this.#state === "ending") this.#go("ready");
  }

  // --- noticing that the network is gone ---

  #watch() {
    this.#vigil = new Vigil(now());
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY * 1000);
  }

  #look() {
    if (!this.#isLinked) return;
    const unconfirmed = this.#outbox.unconfirmed / (SAMPLE_BYTES * this.#start.audio.sample_rate);
    const verdict = this.#vigil.look(now(), unconfirmed);
    if (verdict === "ask") this.#transmit({ type: "keepalive" });
    if (verdict !== "give up") return;
    this.#socket.close(); // which nobody will answer
    this.#onClose(true, NO_CLOSE_FRAME, "the server has fallen silent");
  }

  // --- going on over another connection ---

  #onClose(opened, code, reason) {
    if (this.#isAway) {
      this.#failedAttempt(opened);
      return;
    }
    const final = this.#error !== null && code !== NO_CLOSE_FRAME; // the server had said why it would close
    if (this.#token === null || final || !TRANSITIONS[this.#state].broken) {
      this.#lose(code, reason);
      return;
    }
    this.#broken = { code, reason, at: now() };
    this.#waits = waits();
    this.#socket = null;
    this.#go("broken");
    this.#wait();
  }

  #wait() {
    const left = this.#broken.at + this.#grace - now();
    if (left <= 0) this.#lose(this.#broken.code, this.#broken.reason);
    else this.#after(Math.min(left, this.#waits.next().value) * 1000, () => this.#attempt());
  }

  #attempt() {
    this.#after(ATTEMPT_MS, () => {
      this.#hangUp();
      this.#wait();
    });
    const resume = { type: "resume", token: this.#token, sent: this.#outbox.sent, last_result: this.#inbox.lastFinal };
    this.#dial(`${this.#url}?resume`, () => this.#transmit(resume));
  }

  async #failedAttempt(opened) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket = null;
    const broken = this.#broken;
    const error = opened ? null : await this.#turnedAway();
    if (!this.#isAway || this.#broken !== broken) return; // hung up meanwhile
    if (error !== null) {
      this.#error = error;
      this.#lose(this.#broken.code, this.#broken.reason);
    } else this.#wait();
  }

  #onAnswer(message) {
    if (message.type === "resumed" && this.#sendAgain(message.received)) {
      clearTimeout(this.#timer);
      this.#error = null;
      this.#watch();
      this.#go("resumed");
      return;
    }
    if (message.type === "error") this.#error = message;
    else if (message.type === "resumed") this.#error = { ...NOT_KEPT, retryable: false };
    this.#lose(NO_PROTOCOL, "not an answer to resume");
  }

  // --- the end ---

  #lose(code, reason) {
    const away = this.#isAway ? now() - this.#broken.at : 0;
    this.#go("lost");
    this.#hangUp();
    this.#emit({ type: "lost", opened: this.#opened, away, code, reason, error: this.#error });
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!TRANSITIONS[this.#state].lost) this.#unwatch();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #unwatch() {
    clearInterval(this.#looking);
    this.#looking = null;
  }

  #after(milliseconds, act) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, milliseconds);
  }

  #go(event) {
    const before = this.#state;
    this.#state = next(before, event);
    if (this.#state !== before) this.#emit({ type: "state", state: this.#state });
  }
}

function now() {
  return performance.now() / 1000;
}

/** The frame in `data`, or null if it is none. */
function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const message = JSON.parse(data);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
