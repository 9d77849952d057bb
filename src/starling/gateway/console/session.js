// The native protocol as a client speaks it: one WebSocket, one session, from `connect` to `done`.

/** Which event leads from which state to which. A missing row is a mistake of the caller. */
export const TRANSITIONS = Object.freeze({
  idle: { connect: "connecting" },
  connecting: { ready: "live", end: "ending", lost: "failed", abort: "closed" },
  live: { end: "ending", lost: "failed", abort: "closed" },
  ending: { ready: "ending", done: "closed", lost: "failed", abort: "closed" },
  closed: {},
  failed: {},
});

/** The state after `event`. Throws for an event that `state` has no place for; nothing has changed then. */
export function next(state, event) {
  const target = TRANSITIONS[state]?.[event];
  if (target === undefined) throw new Error(`the session is ${state}: it cannot take '${event}'`);
  return target;
}

/** Audio that may wait for the socket to open. 10 s at 48 kHz; what comes after it is a failure, never a silent loss. */
const WAITING_LIMIT = 960_000;

/**
 * One session. `emit` gets `{type: "state", state}`, every frame of the server as it came, and at a failure one
 * `{type: "lost", opened, code, reason, error}`: whether the socket ever opened, its close code and reason (RFC 6455
 * section 7.4), and the server's last `error` frame, if any.
 */
export class StreamSession {
  #url;
  #protocols;
  #start;
  #emit;
  #connect;
  #socket = null;
  #state = "idle";
  #opened = false;
  #waiting = [];
  #waitingBytes = 0;
  #error = null;

  /** `protocols`: subprotocols to offer. `start`: the fields of the start frame. `connect`: makes a WebSocket of a URL. */
  constructor({ url, protocols = [], start, emit, connect = (address, offered) => new WebSocket(address, offered) }) {
    this.#url = url;
    this.#protocols = protocols;
    this.#start = start;
    this.#emit = emit;
    this.#connect = connect;
  }

  get state() {
    return this.#state;
  }

  /** Bytes given to `send` that have not left this machine. */
  get buffered() {
    return this.#waitingBytes + (this.#socket?.bufferedAmount ?? 0);
  }

  connect() {
    this.#go("connect");
    const socket = this.#connect(this.#url, this.#protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#onOpen();
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code, reason }) => this.#lose(code, reason);
    this.#socket = socket;
  }

  /** Queue `pcm` (an ArrayBuffer). False once the session takes no more audio. */
  send(pcm) {
    if (this.#state !== "connecting" && this.#state !== "live") return false;
    if (this.#opened) return this.#transmit(pcm);
    if (this.#waitingBytes + pcm.byteLength > WAITING_LIMIT) {
      this.#socket.close();
      this.#lose(1006, "the connection did not open in time");
      return false;
    }
    this.#waiting.push(pcm);
    this.#waitingBytes += pcm.byteLength;
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
    if (this.#opened) this.#transmit(JSON.stringify({ type: "end" }));
  }

  /** Hang up, whatever is still to come. */
  abort() {
    if (!TRANSITIONS[this.#state].abort) return;
    this.#go("abort");
    this.#socket.close(1000);
  }

  #command(message) {
    if (this.#state === "live") this.#transmit(JSON.stringify(message));
  }

  /** False once the other side has closed, which `onclose` is about to tell. */
  #transmit(data) {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  #onOpen() {
    if (!TRANSITIONS[this.#state].lost) return;
    this.#opened = true;
    this.#transmit(JSON.stringify({ type: "start", ...this.#start }));
    for (const pcm of this.#waiting) this.#transmit(pcm);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#state === "ending") this.#transmit(JSON.stringify({ type: "end" }));
  }

  #onFrame(data) {
    if (!TRANSITIONS[this.#state].lost) return; // what was still on its way when we hung up
    const message = parse(data);
    if (message === null) {
      this.#socket.close(4000, "not a frame of the protocol");
      this.#lose(4000, "not a frame of the protocol");
      return;
    }
    if (message.type === "error") this.#error = message;
    if (message.type === "ready" && this.#state !== "live") this.#go("ready");
    this.#emit(message);
    if (message.type === "done" && this.#state === "ending") {
      this.#go("done");
      this.#socket.close(1000);
    }
  }

  #lose(code, reason) {
    if (!TRANSITIONS[this.#state].lost) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#go("lost");
    this.#emit({ type: "lost", opened: this.#opened, code, reason, error: this.#error });
  }

  #go(event) {
    const before = this.#state;
    this.#state = next(before, event);
    if (this.#state !== before) this.#emit({ type: "state", state: this.#state });
  }
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
