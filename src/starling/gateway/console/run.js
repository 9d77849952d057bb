// One take from its source to its last caption: opens the source, holds the session, and begins another when that is lost.
import { Latency } from "./latency.js";
import { StreamSession } from "./session.js";

/** What a server says to a page that it will not let come back either. A full one has kept its place. */
const FINAL = ["unauthenticated", "forbidden"];

/**
 * `emit` gets
 * - `{type: "phase", phase}`: opening, connecting, live, away, ending, leaving, closed, failed (see session.js);
 * - `{type: "ready", ready}`: the server's frame;
 * - `{type: "audio", pcm, sent, bytes}`: an Int16Array on its way; seconds of the take and bytes sent so far;
 * - `{type: "captions", changes, heard, until}`: what changed; seconds that captions cover of this connection, and of the take;
 * - `{type: "latency", ...}`: see Latency; only of live sources;
 * - `{type: "failure", failure}`: for `explain`. Those that end the run come after the phase `failed`.
 */
export class Run {
  #url;
  #options;
  #access;
  #emit;
  #session = null;
  #latency = new Latency();
  #phase = "new";
  #offset = 0;
  #sent = 0;
  #bytes = 0;
  #wanted = true;
  #goodbye = null; // the server's error frame once it is stopping

  /** `options`: gives the fields of the start frame that the user chose, asked at each connection. `access`: see Access. */
  constructor({ source, take, options, access, url, emit }) {
    this.source = source;
    this.take = take;
    this.#url = url;
    this.#options = options;
    this.#access = access;
    this.#emit = emit;
  }

  get phase() {
    return this.#phase;
  }

  /** True from opening until closed or failed. */
  get active() {
    return ["opening", "connecting", "live", "away", "ending", "leaving"].includes(this.#phase);
  }

  /** False once the user ended the run, who then wants none of it back. */
  get wanted() {
    return this.#wanted;
  }

  /** Begin, or go on after a failure: a recording from its last settled word, a microphone from now. */
  async start() {
    if (this.active) return;
    const resumed = this.#session !== null;
    this.#goodbye = null;
    this.#wanted = true;
    this.#enter("opening");
    const server = await this.#access.probe();
    if (!server?.ready) return this.#fail(unreachable(server)); // the user is not asked for a microphone that nothing would hear
    if (this.#phase !== "opening") return; // stopped while the server was asked
    try {
      await this.source.open();
    } catch (error) {
      return this.#fail(error.reason === "unreachable" ? unreachable(null) : { stage: this.source.kind, error });
    }
    if (this.#phase !== "opening") return; // stopped while it opened
    if (resumed) this.#resume();
    this.#connect();
    this.source.start(this.#sink(), this.#offset);
  }

  /** End politely: what was heard is still captioned. A second call hangs up. */
  async stop() {
    this.#wanted = false;
    if (this.#phase === "opening") {
      this.#enter("closed");
      await this.source.stop();
    } else if (this.#phase === "ending" || this.#phase === "leaving") {
      this.#session.abort();
    } else if (this.active) {
      await this.source.stop();
      this.#latency.force(now());
      this.#end();
    }
  }

  /** End the open segment now. */
  finalize() {
    this.#latency.force(now());
    this.#session?.finalize();
  }

  /** The network is there again: what is tried now and then is tried at once. */
  hurry() {
    this.#session?.hurry();
  }

  /** Options from the next segment on. */
  configure(options) {
    this.#session?.configure(options);
  }

  #resume() {
    if (this.source.kind === "recording") {
      this.#offset = this.take.settledUntil;
      this.#captions(this.take.forgetInterrupted());
    } else {
      this.#offset = this.#sent;
    }
    this.#sent = this.#offset;
    this.#latency = new Latency();
    this.take.resume(this.#offset);
  }

  #connect() {
    const audio = { encoding: "pcm_s16le", sample_rate: this.source.sampleRate, channels: 1 };
    this.#session = new StreamSession({
      url: this.#url,
      protocols: this.#access.protocols,
      start: { audio, client_ref: "console", ...this.#options() },
      emit: (message) => this.#onMessage(message),
      turnedAway: async () => {
        const server = await this.#access.probe();
        return FINAL.includes(server?.error?.code) ? server.error : null;
      },
    });
    this.#session.connect();
  }

  #sink() {
    return {
      push: (buffer) => this.#onAudio(buffer),
      buffered: () => this.#session.buffered,
      finished: () => this.#end(),
      noticed: (error) => this.#emit({ type: "failure", failure: { stage: this.source.kind, error } }),
      failed: (error) => {
        this.#emit({ type: "failure", failure: { stage: this.source.kind, error } });
        this.stop();
      },
    };
  }

  #onAudio(buffer) {
    const pcm = new Int16Array(buffer);
    if (!this.#session.send(buffer)) return;
    this.#bytes += buffer.byteLength;
    this.#sent += pcm.length / this.source.sampleRate;
    this.#latency.heard(this.#sent - this.#offset, now());
    this.#emit({ type: "audio", pcm, sent: this.#sent, bytes: this.#bytes });
  }

  #onMessage(message) {
    if (message.type === "state") this.#onState(message.state);
    else if (message.type === "ready") this.#emit({ type: "ready", ready: message });
    else if (message.type === "lost") this.#onLost(message);
    else if (message.type === "error" && message.code === "shutting_down") this.#onGoodbye(message);
    else if (message.type === "error") {
      this.#emit({ type: "failure", failure: { stage: message.segment_id === undefined ? "server" : "segment", error: message } });
    } else if (message.type === "result") {
      const change = this.take.apply(message);
      if (change) this.#captions([change], message.end);
    }
    const latency = this.source.live ? this.#latency.take(message, now()) : null;
    if (latency) this.#emit({ type: "latency", ...latency });
  }

  #onState(state) {
    if (state === "closed") this.#captions(this.take.interrupt()); // hung up: what was provisional stays as it is
    if (state === "closed" && this.#goodbye && this.#wanted) this.#onLost({ opened: true, error: this.#goodbye });
    else if (state !== "failed") this.#enter(state);
  }

  /** The server takes no more audio: nothing more is recorded for it, and what it still has to say is waited for. */
  #onGoodbye(error) {
    if (this.#goodbye) return;
    this.#goodbye = error;
    this.source.stop();
    this.#end();
    this.#emit({ type: "failure", failure: { stage: "server", error, until: this.take.wordsUntil } });
  }

  async #onLost(lost) {
    this.#captions(this.take.interrupt());
    this.source.stop();
    this.#enter("failed");
    const server = lost.opened || lost.error ? null : await this.#access.probe();
    this.#emit({ type: "failure", failure: { stage: "connection", ...lost, server, until: this.take.wordsUntil } });
  }

  #captions(changes, heard = 0) {
    if (changes.length > 0) this.#emit({ type: "captions", changes, heard, until: this.#offset + heard });
  }

  #end() {
    if (["connecting", "live", "away"].includes(this.#session.state)) this.#session.end();
  }

  #fail(failure) {
    if (this.#phase !== "opening") return;
    this.#enter("failed");
    this.#emit({ type: "failure", failure });
  }

  #enter(phase) {
    this.#phase = phase;
    this.#emit({ type: "phase", phase });
  }
}

/** The failure of a connection that was not even tried, or was refused. `server`: what `Access.probe` told. */
function unreachable(server) {
  return { stage: "connection", opened: false, error: null, server };
}

function now() {
  return performance.now() / 1000;
}
