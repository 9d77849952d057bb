// Who this page is to the server: its API key, and what the server would say to a session of it.

const KEY = "starling.key";

export class Access {
  #storage;
  #key;

  /** `storage`: a Storage that ends with the tab, or null; the key is kept nowhere else. */
  constructor(storage) {
    this.#storage = storage;
    this.#key = read(storage);
  }

  get key() {
    return this.#key;
  }

  set key(value) {
    this.#key = value.trim();
    try {
      if (this.#key) this.#storage?.setItem(KEY, this.#key);
      else this.#storage?.removeItem(KEY);
    } catch {
      this.#storage = null; // full or forbidden: the key holds until the page is closed
    }
  }

  /** The subprotocols to offer: a page can show its key to a WebSocket in no other way. */
  get protocols() {
    return this.#key ? ["starling", `key.${this.#key}`] : [];
  }

  /**
   * What the server says to a session now: `{ready, error}`, or null if nothing answers. `error`: as in the protocol's frame, or
   * null. A page whose socket is refused is not told why; this is how it finds out.
   */
  async probe() {
    try {
      const headers = this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
      const response = await fetch("/v1/admission", { cache: "no-store", headers, signal: AbortSignal.timeout(3000) });
      return { ready: response.ok, error: response.ok ? null : await reason(response) };
    } catch {
      return null;
    }
  }
}

/** The page's storage that ends with its tab, or null where it is forbidden. */
export function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

async function reason(response) {
  try {
    const { error } = await response.json();
    return typeof error?.code === "string" ? { ...error, retry_after: Number(response.headers.get("Retry-After")) || 0 } : null;
  } catch {
    return null; // refused by something in between
  }
}

function read(storage) {
  try {
    return storage?.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}
