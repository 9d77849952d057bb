// The one place where the page says what went wrong and what to do.

export class Notice {
  #box;
  #title;
  #detail;
  #retry;
  #dismiss;
  #onRetry;
  #timer = null;

  /** `onRetry`: called when it is time to go on. `onDismiss`: when the user does not want to. */
  constructor(box, { onRetry, onDismiss }) {
    this.#onRetry = onRetry;
    this.#box = box;
    this.#title = box.querySelector("strong");
    this.#detail = box.querySelector("p");
    this.#retry = box.querySelector("[data-act=retry]");
    this.#dismiss = box.querySelector("[data-act=dismiss]");
    this.#retry.addEventListener("click", onRetry);
    this.#dismiss.addEventListener("click", () => {
      this.hide();
      onDismiss();
    });
  }

  /** Show an Explanation; `action` names the button, if trying again can help. */
  show({ title, detail, retry, wait }, action) {
    this.#say(title, detail, { retry, dismiss: "Dismiss" });
    this.#count(Math.ceil(wait), action);
  }

  /** Tell of what passes by itself and asks for nothing. */
  showCalm({ title, detail }) {
    clearTimeout(this.#timer);
    this.#say(title, detail, { retry: false, dismiss: null, calm: true });
  }

  /** Show an Explanation, and go on by itself in `wait` seconds unless the user does so at once, or cancels. */
  showReconnecting({ title, detail }, wait) {
    this.#say(title, detail, { retry: true, dismiss: "Cancel" });
    this.#retry.disabled = false;
    this.#countDown(wait);
  }

  /** The attempt is under way: all stays as it is until its outcome is known. */
  wait() {
    clearTimeout(this.#timer);
    this.#retry.disabled = true;
    this.#retry.textContent = "Reconnecting…";
  }

  hide() {
    clearTimeout(this.#timer);
    this.#box.hidden = true;
  }

  #say(title, detail, { retry, dismiss, calm = false }) {
    this.#box.role = calm ? "status" : "alert";
    this.#box.toggleAttribute("data-calm", calm);
    if (this.#title.textContent !== title) this.#title.textContent = title; // the same words are not read out again
    if (this.#detail.textContent !== detail) this.#detail.textContent = detail;
    this.#retry.hidden = !retry;
    this.#dismiss.hidden = dismiss === null;
    this.#dismiss.textContent = dismiss ?? "";
    this.#box.hidden = false;
  }

  #countDown(left) {
    clearTimeout(this.#timer);
    this.#retry.textContent = `Reconnecting in ${left} s`;
    this.#timer = setTimeout(() => (left > 1 ? this.#countDown(left - 1) : this.#onRetry()), 1000);
  }

  #count(left, action) {
    clearTimeout(this.#timer);
    this.#retry.disabled = left > 0;
    this.#retry.textContent = left > 0 ? `${action} in ${left} s` : action;
    if (left > 0) this.#timer = setTimeout(() => this.#count(left - 1, action), 1000);
  }
}
