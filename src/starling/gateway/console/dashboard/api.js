// Requests to the server's API: with the key where there is one, and every failure in one shape.

const PATIENCE_MS = 20_000;

/** What the server answered instead, or "offline" with status 0 where nothing answered. `wait`: seconds before it makes sense again. */
export class Refused extends Error {
  constructor({ status, code, detail, wait = 0 }) {
    super(detail);
    Object.assign(this, { status, code, detail, wait });
  }
}

export const OFFLINE = Object.freeze({ status: 0, code: "offline", detail: "Nothing answered." });

export class Api {
  #access;

  /** `access`: of access.js. */
  constructor(access) {
    this.#access = access;
  }

  get headers() {
    return this.#access.key ? { Authorization: `Bearer ${this.#access.key}` } : {};
  }

  /** The answer to a request, as JSON; null if it has no body. @throws {Refused} */
  async json(path, options = {}) {
    const response = await this.#send(path, options);
    return response.status === 204 ? null : await read(() => response.json());
  }

  /** The same as text. */
  async text(path) {
    const response = await this.#send(path, {});
    return read(() => response.text());
  }

  /** The same as it comes: chunks of text for as long as `signal` is not aborted. */
  async stream(path, { headers = {}, signal }) {
    const response = await this.#send(path, { headers, signal });
    return response.body.pipeThrough(new TextDecoderStream());
  }

  /** The same as a Blob. */
  async blob(path, signal) {
    const response = await this.#send(path, { signal });
    return read(() => response.blob());
  }

  async #send(path, { method = "GET", headers = {}, signal = AbortSignal.timeout(PATIENCE_MS) }) {
    let response;
    try {
      response = await fetch(path, { method, cache: "no-store", headers: { ...this.headers, ...headers }, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(OFFLINE);
    }
    if (response.ok) return response;
    throw await refusal(response.status, response.headers.get("Retry-After"), () => response.json());
  }
}

/** What an answer that is none comes to. `body`: makes its JSON, or throws. */
export async function refusal(status, retryAfter, body) {
  const wait = Number(retryAfter) || 0;
  try {
    const found = await body();
    const said = found.error ?? found;
    if (typeof said.code === "string") return new Refused({ status, code: said.code, detail: said.detail ?? said.message ?? "", wait });
  } catch {
    // refused by something in between
  }
  return new Refused({ status, code: "refused", detail: `Something answered with status ${status}.`, wait });
}

async function read(body) {
  try {
    return await body();
  } catch {
    throw new Refused(OFFLINE);
  }
}
