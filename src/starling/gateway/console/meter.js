// The level meter: live sound scrolls by, a recording lies there whole and fills up as it is captioned.
import { levels } from "./pcm.js";

/** Pixels from bar to bar, and of a bar. */
const PITCH = 4;
const BAR = 2;

/** Live bars per second, and the number of them that is kept. */
const RATE = 20;
const KEPT = 1024;

export class Meter {
  #canvas;
  #still;
  #bars = [];
  #count = 0;
  #head = 0;
  #drawn = 0;
  #frame = null;
  #recording = null;
  #overview = [];
  #sent = 0;
  #heard = 0;

  /** `still`: do not scroll between chunks (reduced motion). */
  constructor(canvas, { still }) {
    this.#canvas = canvas;
    this.#still = still;
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  /** Show `pcm` (Int16Array, `rate` Hz) coming in. */
  push(pcm, rate) {
    const fresh = levels(pcm, Math.max(1, Math.round((pcm.length / rate) * RATE)));
    this.#bars = [...this.#bars, ...fresh].slice(-KEPT);
    this.#count += fresh.length;
    this.#request();
  }

  /** Show the whole of a recording; `progress` then fills it. */
  lay(pcm) {
    this.#recording = pcm;
    this.#overview = [];
    this.progress(0, 0);
  }

  /** Fractions of the recording: sent, and captioned. */
  progress(sent, heard) {
    this.#sent = sent;
    this.#heard = heard;
    this.#request();
  }

  clear() {
    this.#recording = null;
    this.#bars = [];
    this.redraw();
  }

  /** Draw anew: another size, other colours. */
  redraw() {
    this.#request();
  }

  #request() {
    this.#frame ??= requestAnimationFrame((now) => this.#draw(now / 1000));
  }

  #draw(now) {
    this.#frame = null;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const colours = { strong: style.color, middle: style.caretColor, faint: style.outlineColor };
    if (this.#recording) this.#drawRecording(pen, width, height, colours);
    else this.#drawLive(pen, width, height, colours, now);
  }

  #drawRecording(pen, width, height, { strong, middle, faint }) {
    const count = Math.max(1, Math.floor(width / PITCH));
    if (this.#overview.length !== count) this.#overview = overview(this.#recording, count);
    this.#overview.forEach((level, i) => {
      const place = (i + 1) / count;
      drawBar(pen, i * PITCH, height, level, place <= this.#heard ? strong : place <= this.#sent ? middle : faint);
    });
  }

  #drawLive(pen, width, height, { strong, faint }, now) {
    const passed = Math.min(0.1, now - this.#drawn);
    this.#drawn = now;
    this.#head = this.#still ? this.#count : Math.min(this.#count, Math.max(this.#count - 4, this.#head + passed * RATE));
    for (let x = width - BAR, i = 0; x > -PITCH; x -= PITCH, i += 1) {
      const place = this.#bars.length - 1 - (this.#count - Math.floor(this.#head)) - i;
      const level = this.#bars[place] ?? 0;
      drawBar(pen, x - (this.#head % 1) * PITCH, height, level, level > 0.05 ? strong : faint);
    }
    if (this.#head < this.#count) this.#request();
  }
}

/** Loudness of `count` parts of a recording, the loudest drawn full: a quiet recording has a shape, too. */
function overview(pcm, count) {
  const bars = levels(pcm, count);
  const loudest = Math.max(...bars, 0.05);
  return bars.map((level) => level / loudest);
}

function drawBar(pen, x, height, level, colour) {
  const length = Math.max(BAR, level ** 1.5 * height);
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, (height - length) / 2, BAR, length, BAR / 2);
  pen.fill();
}
