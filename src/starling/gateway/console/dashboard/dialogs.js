// The two questions that the page asks: for a key, and whether something shall be gone for good.

const $ = (id) => document.getElementById(id);

/** Asks for a key until it is given: nothing on the page works without. */
export class AskKey {
  #box = $("ask-key");
  #access;
  #onKey;

  /** `onKey()`: the user gave one; `access.key` has it. */
  constructor(access, onKey) {
    this.#access = access;
    this.#onKey = onKey;
    $("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!$("api-key").value.trim()) return;
      this.#access.key = $("api-key").value;
      this.#box.close();
      this.#onKey();
    });
  }

  /** `why`: what is wrong with the one there is; empty if there is none. */
  ask(why) {
    $("key-why").textContent = why;
    $("api-key").value = "";
    if (!this.#box.open) this.#box.showModal();
    $("api-key").focus();
  }
}

/** Asks whether to delete. The answer that does no harm has the focus. */
export function confirmDelete(name, detail) {
  const box = $("confirm");
  $("confirm-text").textContent = `“${name}” goes for good, ${detail}.`;
  box.showModal();
  $("confirm-no").focus();
  return new Promise((resolve) => {
    const ended = new AbortController();
    const answer = (yes) => {
      ended.abort();
      box.close();
      resolve(yes);
    };
    $("confirm-yes").addEventListener("click", () => answer(true), { signal: ended.signal });
    $("confirm-no").addEventListener("click", () => answer(false), { signal: ended.signal });
    box.addEventListener("close", () => answer(false), { signal: ended.signal });
  });
}
