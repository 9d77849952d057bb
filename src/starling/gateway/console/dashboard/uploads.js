// Recordings on their way to the server: two at a time, each with a bar, a way to stop it, and what went wrong in words.
import { refusal, OFFLINE, Refused } from "./api.js";
import { explain } from "./problems.js";
import { bytes } from "./units.js";

const AT_ONCE = 2;

export class Uploads {
  #api;
  #list = document.getElementById("uploads");
  #waiting = [];
  #running = 0;
  #limits = { max_bytes: Infinity };
  #onDone;
  #onLocked;

  /** `onDone(submitted, file)`: the server has it. `onLocked()`: it asks for another key. */
  constructor(api, { onDone, onLocked }) {
    this.#api = api;
    this.#onDone = onDone;
    this.#onLocked = onLocked;
    window.addEventListener("beforeunload", (event) => this.active && event.preventDefault());
  }

  /** What the server takes, as `/api/v1/me` says. */
  set limits(limits) {
    this.#limits = limits;
  }

  get active() {
    return this.#running + this.#waiting.length > 0;
  }

  add(files) {
    for (const file of files) {
      const upload = new Upload(file, { onRetry: () => this.#enqueue(upload), onStop: () => this.#drop(upload) });
      this.#list.append(upload.element);
      if (file.size === 0) upload.fail({ title: "This file is empty", detail: "There are no bytes in it." });
      else if (file.size > this.#limits.max_bytes) upload.fail({ title: "This file is too large", detail: `The server takes ${bytes(this.#limits.max_bytes)} at most, this has ${bytes(file.size)}.`, final: true });
      else this.#enqueue(upload);
    }
  }

  #enqueue(upload) {
    upload.wait();
    this.#waiting.push(upload);
    this.#next();
  }

  #drop(upload) {
    this.#waiting = this.#waiting.filter((one) => one !== upload);
  }

  async #next() {
    if (this.#running >= AT_ONCE || this.#waiting.length === 0) return;
    const upload = this.#waiting.shift();
    this.#running += 1;
    try {
      this.#onDone(await upload.send(this.#api.headers), upload.file);
      upload.element.remove();
    } catch (error) {
      if (error === STOPPED) upload.element.remove();
      else {
        upload.fail(explain(error));
        if (error.status === 401) this.#onLocked();
      }
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }
}

const STOPPED = new Error("the user stopped it");

class Upload {
  file;
  element = make("li", "upload");
  #name = make("span", "upload-name");
  #bar = make("progress");
  #note = make("span", "upload-note small");
  #retry = make("button", "quiet");
  #stop = make("button", "quiet");
  #key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  #request = null;

  constructor(file, { onRetry, onStop }) {
    this.file = file;
    this.#name.textContent = file.name;
    this.#name.dir = "auto";
    this.#bar.max = 1;
    this.#bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.#retry.type = this.#stop.type = "button";
    this.#retry.textContent = "Try again";
    this.#retry.addEventListener("click", onRetry);
    this.#stop.addEventListener("click", () => {
      onStop();
      if (this.#request) this.#request.abort();
      else this.element.remove();
    });
    this.element.append(this.#name, this.#bar, this.#note, this.#retry, this.#stop);
  }

  wait() {
    delete this.element.dataset.failed;
    this.#retry.hidden = true;
    this.#bar.hidden = false;
    this.#bar.value = 0;
    this.#note.textContent = "Waiting";
    this.#stop.textContent = "Stop";
  }

  fail({ title, detail, final }) {
    this.element.dataset.failed = "";
    this.#bar.hidden = true;
    this.#retry.hidden = final || this.file.size === 0;
    this.#note.textContent = `${title}. ${detail}`;
    this.#stop.textContent = "Dismiss";
  }

  /** The server's answer. The same upload has the same key, so whatever came twice is one job. @throws {Refused} */
  send(headers) {
    this.wait();
    const request = new XMLHttpRequest(); // fetch tells nothing of how far an upload is
    this.#request = request;
    const form = new FormData();
    form.append("audio", this.file, this.file.name);
    request.open("POST", "/api/v1/asr/submit");
    for (const [name, value] of Object.entries({ ...headers, "Idempotency-Key": this.#key })) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => this.#progress(loaded, total));
    return new Promise((resolve, reject) => {
      request.addEventListener("abort", () => reject(STOPPED));
      request.addEventListener("error", () => reject(new Refused(OFFLINE)));
      request.addEventListener("load", async () => {
        if (request.status === 202) resolve(JSON.parse(request.responseText));
        else reject(await refusal(request.status, request.getResponseHeader("Retry-After"), () => JSON.parse(request.responseText)));
      });
      request.send(form);
    }).finally(() => (this.#request = null));
  }

  #progress(loaded, total) {
    this.#bar.value = total > 0 ? loaded / total : 0;
    this.#note.textContent = loaded < total ? `${bytes(loaded)} of ${bytes(total)}` : "Being looked at";
  }
}

function make(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
