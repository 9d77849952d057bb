// The microphone as a source of audio: chunks of 100 ms, 16-bit, one channel.

const RATE = 16_000;

/** What the audio thread gets to hand over its last chunk. It does so at once, unless its device is gone. */
const FLUSH_MS = 500;

/** Chunks of digital silence after which the user is told: 3 s. */
const MUTE_CHUNKS = 30;

/** The room as it is: cleaning meant for calls takes words away from a recogniser. */
const CONSTRAINTS = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };

/**
 * Why there is no microphone. `reason`: "insecure", "unsupported", "unreachable" (the server, for the
 * code of the audio thread), "vanished", "silent", or the name of getUserMedia's DOMException.
 */
export class MicrophoneError extends Error {
  constructor(reason, options) {
    super(`no microphone: ${reason}`, options);
    this.reason = reason;
  }
}

/**
 * A source: `open`, `start(sink)`, `stop`. The sink has `push(pcm)` (an ArrayBuffer), `finished()`,
 * `failed(error)` (no more comes) and `noticed(error)` (something the user should know).
 * `live`: it plays in real time, so that latencies mean something.
 */
export class Microphone {
  kind = "microphone";
  title = "Microphone";
  live = true;
  sampleRate = RATE;
  #stream = null;
  #context = null;
  #capture = null;
  #stopped = false;

  /** Ask for the microphone. Raises MicrophoneError. */
  async open() {
    this.#stopped = false;
    if (!window.isSecureContext) throw new MicrophoneError("insecure");
    if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new MicrophoneError("unsupported");
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
      const input = await this.#listen();
      await this.#load();
      await this.#context.resume();
      if (this.#context.state === "closed") return; // stopped while it opened
      this.#capture = new AudioWorkletNode(this.#context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      input.connect(this.#capture);
    } catch (error) {
      this.#release();
      if (!this.#stopped) throw error instanceof MicrophoneError ? error : new MicrophoneError(error.name, { cause: error });
    }
    if (this.#stopped) this.#release();
  }

  start(sink) {
    if (this.#capture === null) return;
    let mute = 0; // chunks of nothing at all since the start; a room is never that still
    this.#capture.port.onmessage = ({ data }) => {
      if (data === null) return;
      sink.push(data);
      if (mute === null) return;
      mute = new Int16Array(data).some((sample) => sample !== 0) ? null : mute + 1;
      if (mute === MUTE_CHUNKS) sink.noticed(new MicrophoneError("silent"));
    };
    for (const track of this.#stream.getAudioTracks()) track.onended = () => sink.failed(new MicrophoneError("vanished"));
  }

  /** Stop listening; what was already heard is pushed before this resolves. */
  async stop() {
    this.#stopped = true;
    const port = this.#capture?.port;
    if (port && this.#context.state === "running") {
      const push = port.onmessage;
      const last = new Promise((resolve) => {
        port.onmessage = (event) => (event.data === null ? resolve() : push?.(event));
      });
      port.postMessage("stop");
      await Promise.race([last, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
    }
    this.#release();
  }

  /** The stream's entry into an audio graph of 16 kHz, or of the device's own rate where the browser cannot convert (Firefox). */
  async #listen() {
    this.#context = new AudioContext({ sampleRate: RATE });
    try {
      return this.#context.createMediaStreamSource(this.#stream);
    } catch (error) {
      if (error.name !== "NotSupportedError") throw error;
      await this.#context.close();
      this.#context = new AudioContext();
      return this.#context.createMediaStreamSource(this.#stream);
    } finally {
      this.sampleRate = this.#context.sampleRate;
    }
  }

  async #load() {
    try {
      await this.#context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
    } catch (error) {
      throw new MicrophoneError("unreachable", { cause: error });
    }
  }

  #release() {
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    if (this.#context && this.#context.state !== "closed") this.#context.close();
    this.#stream = null;
    this.#capture = null;
  }
}
