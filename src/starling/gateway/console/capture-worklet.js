// Runs on the audio thread: gathers the first channel into chunks of 100 ms and hands them over as 16-bit PCM.
import { toPcm16 } from "./pcm.js";

class Capture extends AudioWorkletProcessor {
  #chunk = new Float32Array(Math.round(sampleRate / 10));
  #filled = 0;
  #running = true;

  constructor() {
    super();
    this.port.onmessage = () => {
      // the only message: stop, and give what is left
      this.#running = false;
      this.#hand();
      this.port.postMessage(null);
    };
  }

  process([input]) {
    const samples = input[0];
    if (!this.#running) return false;
    for (let read = 0; samples && read < samples.length; ) {
      const part = samples.subarray(read, read + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      read += part.length;
      if (this.#filled === this.#chunk.length) this.#hand();
    }
    return true;
  }

  #hand() {
    if (this.#filled === 0) return;
    const pcm = toPcm16(this.#chunk.subarray(0, this.#filled)).buffer;
    this.#filled = 0;
    this.port.postMessage(pcm, [pcm]);
  }
}

registerProcessor("capture", Capture);
