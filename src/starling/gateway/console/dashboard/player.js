// Plays a recording from where the server keeps it. A player can send no key: a pass for this one recording stands for it.
import { clockTime } from "/captions-view.js";

/** Bytes of a recording that are fetched as a whole where a pass does not help, as behind several servers. */
const WHOLE = 256e6;

export class Player {
  #api;
  #audio = document.getElementById("audio");
  #box = document.getElementById("player");
  #note = document.getElementById("player-note");
  #play = document.getElementById("play");
  #position = document.getElementById("position");
  #time = document.getElementById("time");
  #speed = document.getElementById("speed");
  #job = null;
  #wanted = 0; // where to be, also while nothing is loaded
  #attempts = 0;
  #frame = null;
  #url = null;
  #onTime;

  /** `onTime(seconds)`: where the recording is, whenever that changed. */
  constructor(api, { onTime }) {
    this.#api = api;
    this.#onTime = onTime;
    this.#play.addEventListener("click", () => this.toggle());
    this.#position.addEventListener("input", () => this.seek(Number(this.#position.value)));
    this.#speed.addEventListener("change", () => (this.#audio.playbackRate = Number(this.#speed.value)));
    this.#audio.addEventListener("loadedmetadata", () => this.#loaded());
    this.#audio.addEventListener("error", () => this.#failed());
    for (const name of ["play", "pause", "ended"]) this.#audio.addEventListener(name, () => this.#running());
    for (const name of ["timeupdate", "seeked"]) this.#audio.addEventListener(name, () => this.#tell());
  }

  get time() {
    return this.#audio.readyState > 0 ? this.#audio.currentTime : this.#wanted;
  }

  get playing() {
    return !this.#audio.paused;
  }

  /** Make the recording of `job` ready to be played, if it is still kept. */
  async load(job) {
    this.unload();
    this.#job = job;
    this.#box.hidden = !job.kept;
    this.#position.max = job.duration || 1;
    this.#speed.value = "1";
    this.#show(0);
    if (job.kept) await this.#open();
    else this.#say("The recording is not kept any more.");
  }

  unload() {
    this.#job = null;
    this.#attempts = 0;
    this.#wanted = 0;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.#box.hidden = true;
    this.#note.hidden = true;
  }

  toggle() {
    if (this.#job === null || this.#box.hidden) return;
    if (this.playing) this.#audio.pause();
    else this.#audio.play().catch(() => {}); // what cannot be played has said so
  }

  /** Go to `time` seconds, and go on playing if it does. */
  seek(time) {
    this.#wanted = Math.max(0, time);
    if (this.#audio.readyState > 0) this.#audio.currentTime = this.#wanted;
    this.#show(this.#wanted);
    this.#onTime(this.#wanted);
  }

  async #open() {
    const job = this.#job;
    const path = `/api/v1/asr/audio/${job.task_id}`;
    try {
      await this.#api.json(`${path}/pass`, { method: "POST" });
    } catch (error) {
      if (job === this.#job) this.#say(`The recording cannot be played: ${error.detail ?? error.message}`);
      return;
    }
    if (job !== this.#job) return;
    this.#audio.src = path;
  }

  /** A pass is over after an hour, and when the server starts anew: another is asked for, once; then all of it is fetched. */
  async #failed() {
    const job = this.#job;
    if (job === null || !this.#audio.hasAttribute("src")) return;
    const unreadable = this.#audio.error?.code === MediaError.MEDIA_ERR_DECODE;
    this.#wanted = this.#audio.currentTime || this.#wanted;
    this.#attempts += 1;
    if (!unreadable && this.#attempts === 1) return this.#open();
    if (!unreadable && this.#attempts === 2 && job.size <= WHOLE) {
      try {
        const blob = await this.#api.blob(`/api/v1/asr/audio/${job.task_id}`);
        if (job !== this.#job) return;
        this.#url = URL.createObjectURL(new Blob([blob], { type: job.media_type }));
        this.#audio.src = this.#url;
        return;
      } catch {
        // said below
      }
    }
    if (job !== this.#job) return;
    this.#box.hidden = true;
    this.#say("This browser cannot play this kind of recording. Download it to hear it.");
  }

  #loaded() {
    const { duration } = this.#audio;
    if (Number.isFinite(duration)) this.#position.max = duration;
    this.#audio.playbackRate = Number(this.#speed.value);
    if (this.#wanted > 0) this.#audio.currentTime = this.#wanted;
    this.#show(this.#wanted);
  }

  #running() {
    this.#box.toggleAttribute("data-playing", this.playing);
    this.#play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    cancelAnimationFrame(this.#frame);
    if (this.playing) this.#step();
    else if (this.#job) this.#tell();
  }

  #step() {
    this.#tell();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#step());
  }

  #tell() {
    if (this.#job === null || this.#audio.readyState === 0) return;
    this.#wanted = this.#audio.currentTime;
    this.#show(this.#wanted);
    this.#onTime(this.#wanted);
  }

  #show(time) {
    const until = Number(this.#position.max);
    this.#position.value = time;
    const text = `${clockTime(time)} / ${clockTime(until)}`;
    if (this.#time.textContent !== text) this.#time.textContent = text;
    this.#position.setAttribute("aria-valuetext", `${clockTime(time)} of ${clockTime(until)}`);
  }

  #say(text) {
    this.#note.textContent = text;
    this.#note.hidden = false;
  }
}
