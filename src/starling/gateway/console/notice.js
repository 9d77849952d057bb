// The one place where the page says what went wrong and what to do.

export class Notice {
  #box;
  #title;
  #detail;
  #retry;
  #timer = null;

  /** `onRetry`: called when the user wants to go on. */
  constructor(box, { onRetry }) {
    this.#box = box;
    this.#title = box.querySelector("strong");
    this.#detail = box.querySelector("p");
    this.#retry = box.querySelector("[data-act=retry]");
    this.#retry.addEventListener("click", onRetry);
    box.querySelector("[data-act=dismiss]").addEventListener("click", () => this.hide());
  }

  /** Show an Explanation; `action` names the button, if trying again can help. */
  show({ title, detail, retry, wait }, action) {
    this.#title.textContent = title;
    this.#detail.textContent = detail;
    this.#retry.hidden = !retry;
    this.#box.hidden = false;
    this.#count(Math.ceil(wait), action);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#box.hidden = true;
  }

  #count(left, action) {
    clearTimeout(this.#timer);
    this.#retry.disabled = left > 0;
    this.#retry.textContent = left > 0 ? `${action} in ${left} s` : action;
    if (left > 0) this.#timer = setTimeout(() => this.#count(left - 1, action), 1000);
  }
}
