// The panel beside the captions: what is measured, and what can be set.

const READINGS = ["first-words", "final", "sent", "words", "model", "session"];
const NOTES = { "first-words-note": "after speech starts", "final-note": "after speech ends", "sent-note": "to the server", "words-note": "settled" };

const REFUSALS = {
  language: "That is no language tag: the server’s own is used.",
  hotwords: "Too many, too long, or a line without a letter: no words are expected.",
};

const field = (id) => document.getElementById(id);

/** What the run tells of itself. */
export class Readings {
  /** A new take begins: nothing is known of it yet. `live`: its latencies will be. */
  clear({ live }) {
    for (const id of READINGS) field(id).textContent = "–";
    for (const [id, text] of Object.entries(NOTES)) field(id).textContent = text;
    if (!live) for (const id of ["first-words-note", "final-note"]) field(id).textContent = "of live sound only";
    field("session").disabled = true;
  }

  ready({ model, session_id: id }) {
    field("model").textContent = model;
    field("session").textContent = id;
    field("session").title = `Copy ${id}`;
    field("session").disabled = false;
  }

  latency({ firstWords, final, wait }) {
    if (firstWords !== undefined) field("first-words").textContent = milliseconds(firstWords);
    if (final === undefined) return;
    field("final").textContent = milliseconds(final);
    field("final-note").textContent = wait === null ? NOTES["final-note"] : `${milliseconds(wait)} of it pause`;
  }

  sent({ seconds, bytes }) {
    field("sent").textContent = seconds < 600 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
    field("sent-note").textContent = bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  }

  words({ words, segments }) {
    field("words").textContent = words.toLocaleString();
    field("words-note").textContent = segments === 1 ? "in one caption" : `in ${segments} captions`;
  }

  /** `factor`: seconds of audio captioned per second. */
  speed(factor) {
    field("sent-note").textContent = `${factor < 10 ? factor.toFixed(1) : Math.round(factor)}× real time`;
  }
}

/** The form of settings. `onOption(changes)`: options of the protocol were chosen. */
export class SettingsForm {
  #form = field("settings");
  #settings;
  #defaults = {};

  constructor(settings, { onOption }) {
    this.#settings = settings;
    for (const control of this.#controls) if (control.type === "range") this.#defaults[control.name] = read(control);
    for (const name of ["vad", "quality"]) this.#defaults[name] = this.#form.elements[name].value;
    this.#show();
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", ({ target }) => this.#label(target));
    this.#form.addEventListener("change", ({ target }) => {
      const value = read(target);
      const good = this.#settings.set(target.name, value);
      target.setAttribute("aria-invalid", String(!good));
      if (!good) {
        this.#settings.set(target.name, undefined); // what is not shown is not sent
        this.note(REFUSALS[target.name] ?? "");
      } else this.note("");
      if (good && value !== undefined && target.name in settings.options) onOption({ [target.name]: value });
    });
    this.#form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.reset();
      this.note("Back to the server’s own, from the next session on.");
    });
  }

  /** Leave `name`, or every option of the protocol, to the server again. */
  reset(name = null) {
    if (name === null) this.#settings.resetOptions();
    else this.#settings.set(name, undefined);
    this.#show();
    this.note("");
  }

  /** The options in effect, as `ready` gives them: what is shown where nothing was chosen. */
  effective(ready) {
    for (const name of Object.keys(this.#defaults)) if (!(name in this.#settings.options)) this.#defaults[name] = ready[name];
    if (!this.#settings.get("language")) this.#form.elements.language.placeholder = ready.language;
    this.#show();
  }

  note(text) {
    field("settings-note").textContent = text;
  }

  get #controls() {
    return [...this.#form.elements].filter((control) => control.name);
  }

  #show() {
    for (const control of this.#controls) {
      const value = this.#settings.get(control.name) ?? this.#defaults[control.name] ?? "";
      if (control.type === "checkbox") control.checked = value;
      else control.value = Array.isArray(value) ? value.join("\n") : value;
      control.removeAttribute("aria-invalid");
      this.#label(control);
    }
  }

  #label(control) {
    if (control.type !== "range") return;
    const text = isLast(control) ? control.dataset.lastText : `${control.value} ms`;
    control.setAttribute("aria-valuetext", text);
    this.#form.querySelector(`[data-of=${control.name}]`).textContent = text;
  }
}

/** Whether the end of a scale is chosen that stands for something else than its number. */
function isLast(control) {
  return control.dataset.last !== undefined && control.value === control.max;
}

function read(control) {
  if (control.type === "checkbox") return control.checked;
  if (control.type === "range") return Number(isLast(control) ? control.dataset.last : control.value);
  if (control.name === "hotwords") return control.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return control.value.trim() || undefined;
}

function milliseconds(seconds) {
  return `${Math.round(seconds * 1000)} ms`;
}
