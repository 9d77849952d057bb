// The words of a recording on the page: each goes to where it is said, and the one that is heard is lit.
import { clockTime } from "/captions-view.js";
import { Words } from "./words.js";

/** Words that the recognizer is less sure of than this are marked. */
const UNSURE = 0.5;

export class Transcript {
  #box = document.getElementById("transcript");
  #words = new Words();
  #segments = new Map();
  #lit = null;
  #onSeek;

  /** `onSeek(seconds)`: the user wants to be there. */
  constructor({ onSeek }) {
    this.#onSeek = onSeek;
    this.#box.addEventListener("click", ({ target }) => {
      const { start } = target.closest("[data-start]")?.dataset ?? {};
      if (start !== undefined && window.getSelection().isCollapsed) onSeek(Number(start));
    });
  }

  get length() {
    return this.#segments.size;
  }

  /** What was said, as plain text. */
  get text() {
    return [...this.#box.querySelectorAll(".said p")].map((one) => one.textContent).join("\n");
  }

  clear() {
    this.#words.clear();
    this.#segments.clear();
    this.#lit = null;
    this.#box.replaceChildren();
    this.#box.scrollTop = 0;
  }

  /** Say in place of a text why there is none. */
  explain(text) {
    const note = element("p", "no-text");
    note.textContent = text;
    this.#box.replaceChildren(note);
  }

  /** Show one segment of the API; one that is known already is replaced. */
  add(segment) {
    if (this.#segments.size === 0) this.#box.replaceChildren();
    if (this.#segments.has(segment.id) || !segment.text.trim()) return;
    const item = element("div", "said");
    const time = element("button", "to");
    time.type = "button";
    time.dataset.start = segment.start;
    time.textContent = clockTime(segment.start);
    time.setAttribute("aria-label", `Go to ${clockTime(segment.start)}`);
    const text = element("p");
    text.dir = "auto";
    if (segment.channel > 0) item.dataset.channel = segment.channel;
    const words = segment.words.length > 0 ? segment.words : [{ word: segment.text, start: segment.start, end: segment.end, confidence: null }];
    const shown = words.map(({ word, start, end, confidence }, number) => {
      const span = element("span", "word");
      span.textContent = word;
      span.dataset.start = start;
      if (confidence !== null && confidence < UNSURE) {
        span.classList.add("unsure");
        span.title = `Not sure: ${Math.round(confidence * 100)} %`;
      }
      if (number > 0) text.append(" ");
      text.append(span);
      return { start, end, span };
    });
    item.append(time, text);
    this.#segments.set(segment.id, { start: segment.start, item });
    this.#place(item, segment.start);
    this.#words.add(shown);
  }

  /** Light the word that is heard at `time`. `follows`: and keep it in view. */
  light(time, follows) {
    const word = this.#words.at(time);
    const span = word !== null && time < word.end + 0.3 ? word.span : null;
    if (span === this.#lit) return;
    this.#lit?.removeAttribute("data-lit");
    this.#lit = span;
    if (span === null) return;
    span.setAttribute("data-lit", "");
    if (follows) this.#keepInView(span);
  }

  /** Go to the next word (1), or the one before (-1), as seen from `time`. */
  step(time, by) {
    const word = this.#words.step(time, by);
    if (word === null) return;
    this.#onSeek(word.start);
    this.#keepInView(word.span);
  }

  #keepInView(span) {
    const [box, own] = [this.#box.getBoundingClientRect(), span.getBoundingClientRect()];
    if (own.top >= box.top + 8 && own.bottom <= box.bottom - 8) return;
    span.scrollIntoView({ block: "center" });
  }

  /** Segments of several channels come each in its own order. */
  #place(item, start) {
    let before = this.#box.lastElementChild;
    while (before && Number(before.querySelector("[data-start]").dataset.start) > start) before = before.previousElementSibling;
    if (before) before.after(item);
    else this.#box.prepend(item);
  }
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
