// One job, over the page: what is known of it, its player, its words as they come, and what can be done with it.
import { copy, download } from "/share.js";
import { follow } from "./follow.js";
import { STATUSES, actions, facts, fileName, isOver, trouble } from "./job.js";
import { Player } from "./player.js";
import { explain } from "./problems.js";
import { Transcript } from "./transcript.js";
import { moment } from "./units.js";

const TYPES = { text: ["txt", "text/plain"], srt: ["srt", "application/x-subrip"], vtt: ["vtt", "text/vtt"], json: ["json", "application/json"] };
const VERBS = { retry: "Retry", cancel: "Cancel", delete: "Delete" };
const $ = (id) => document.getElementById(id);

export class Drawer {
  #api;
  #box = $("drawer");
  #player;
  #transcript;
  #job = null;
  #following = null;
  #on;

  /** `on.act(verb, job, button)`, `on.closed(job)`, `on.changed()`, `on.say(text, button)`, `on.failed(error)`. */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
    this.#transcript = new Transcript({ onSeek: (time) => this.#player.seek(time) });
    this.#player = new Player(api, { onTime: (time) => this.#transcript.light(time, this.#player.playing) });
    $("close").addEventListener("click", () => this.close());
    this.#box.addEventListener("close", () => this.#left());
    this.#box.addEventListener("click", ({ target, clientX }) => {
      if (target === this.#box && clientX < this.#box.getBoundingClientRect().left) this.close(); // beside it
    });
    this.#box.addEventListener("keydown", (event) => this.#onKey(event));
    $("copy").addEventListener("click", async ({ currentTarget }) => {
      const button = currentTarget;
      if (await copy(this.#transcript.text)) on.say("Transcript copied", button);
    });
    for (const button of document.querySelectorAll("[data-format]")) button.addEventListener("click", () => this.#download(button.dataset.format));
  }

  get taskId() {
    return this.#job?.task_id ?? null;
  }

  /** Show `job` and follow it. */
  open(job) {
    this.#stop();
    this.#transcript.clear();
    this.#transcript.explain(isOver(job) ? "Fetching the transcript…" : "Words appear here as they are found.");
    this.#show(job);
    if (!this.#box.open) this.#box.showModal();
    $("job-name").focus({ preventScroll: true });
    this.#player.load(job);
    this.#following = new AbortController();
    follow(
      this.#api,
      job.task_id,
      {
        segment: (segment) => {
          this.#transcript.add(segment);
          this.#trouble();
        },
        state: (now) => this.#show(now),
        over: (now) => this.#over(now),
        away: () => ($("job-status").textContent = "Reconnecting to the server"),
        refused: (error) => this.#refused(error),
      },
      this.#following.signal,
    );
  }

  close() {
    if (this.#box.open) this.#box.close();
  }

  #over(job) {
    this.#show(job);
    this.#on.changed();
    if (this.#transcript.length > 0) return;
    const texts = { done: "Nobody speaks in this recording.", failed: "There is no text.", cancelled: "There is no text." };
    this.#transcript.explain(texts[job.status] ?? "");
  }

  #refused(error) {
    if (error.status === 401) this.#on.failed(error);
    const { title, detail } = explain(error);
    this.#transcript.explain(`${title}. ${detail}`);
  }

  #show(job) {
    this.#job = job;
    $("job-name").textContent = job.name;
    this.#status(job);
    $("job-facts").replaceChildren(
      ...facts(job, moment).map(([name, text]) => {
        const group = document.createElement("div");
        const [term, value] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        value.textContent = text;
        group.append(term, value);
        return group;
      }),
    );
    this.#trouble();
    for (const button of document.querySelectorAll("#copy, [data-format]")) button.hidden = job.status !== "done";
    $("original").hidden = !job.kept;
    $("original").href = `/api/v1/asr/audio/${job.task_id}`;
    this.#acts(job);
  }

  #trouble() {
    const said = trouble(this.#job, this.#transcript.length > 0);
    $("job-trouble").hidden = said === null;
    $("job-trouble").toggleAttribute("data-calm", this.#job.status !== "failed");
    $("job-trouble").querySelector("strong").textContent = said?.title ?? "";
    $("job-trouble").querySelector("p").textContent = said?.detail ?? "";
  }

  #status(job) {
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = job.progress;
    bar.ariaLabel = "Progress";
    const text = document.createElement("span");
    text.className = "state";
    text.dataset.status = job.status;
    text.textContent = job.status === "running" ? `Running, ${Math.floor(job.progress * 100)} %` : STATUSES[job.status] ?? job.status;
    $("job-status").replaceChildren(text, ...(job.status === "running" ? [bar] : []));
  }

  #acts(job) {
    const wanted = actions(job);
    const there = [...$("job-acts").children].map((button) => button.dataset.verb);
    if (wanted.join() === there.join()) return;
    $("job-acts").replaceChildren(
      ...wanted.map((verb) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = verb === "retry" && job.error?.retryable !== false ? "firm" : "quiet"; // what fails again is not urged
        button.dataset.verb = verb;
        button.textContent = VERBS[verb];
        button.addEventListener("click", () => this.#on.act(verb, this.#job, button));
        return button;
      }),
    );
  }

  async #download(format) {
    const [extension, type] = TYPES[format];
    try {
      const text = await this.#api.text(`/api/v1/asr/result/${this.#job.task_id}?format=${format}`);
      download(fileName(this.#job, extension), type, text);
    } catch (error) {
      this.#on.failed(error);
    }
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    const onControl = event.target.closest("button, a, input");
    if (event.key === " " && !onControl) this.#player.toggle();
    else if (event.key === "ArrowLeft" && !onControl) this.#transcript.step(this.#player.time, -1);
    else if (event.key === "ArrowRight" && !onControl) this.#transcript.step(this.#player.time, 1);
    else return;
    event.preventDefault();
  }

  #stop() {
    this.#following?.abort();
    this.#following = null;
    this.#player.unload();
  }

  #left() {
    const job = this.#job;
    this.#stop();
    this.#job = null;
    this.#on.closed(job);
  }
}
