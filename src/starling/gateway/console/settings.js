// What the user has chosen, kept in the browser. What was never chosen is left to the server.

const KEY = "starling.settings";

const choice = (...values) => (value) => values.includes(value);
const whole = (low, high) => (value) => Number.isInteger(value) && value >= low && value <= high;

// The limits of a session's hot words; the server's own, in core/hotwords.py.
const [MOST, LONGEST, TOGETHER] = [1000, 100, 20_000];

function phrases(value) {
  return Array.isArray(value) && value.length <= MOST && value.every((one) => typeof one === "string" && one.length <= LONGEST && /[\p{L}\p{N}]/u.test(one))
    && new TextEncoder().encode(value.join("")).length <= TOGETHER;
}

/** Each setting: what a good value is, and what holds until one is chosen. `wire`: an option of the protocol of the same name. */
export const SETTINGS = Object.freeze({
  language: { wire: true, valid: (value) => typeof value === "string" && /^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(value) },
  partial_interval_ms: { wire: true, valid: whole(100, 10_000) },
  endpoint_silence_ms: { wire: true, valid: whole(100, 10_000) },
  finished_silence_ms: { wire: true, valid: whole(100, 10_000) },
  vad: { wire: true, valid: choice("both", "silero", "webrtc", "off") },
  quality: { wire: true, valid: choice("fast", "balanced", "best") },
  hotwords: { wire: true, valid: phrases },
  play_along: { wire: false, valid: choice(true, false), initial: false },
  single_keys: { wire: false, valid: choice(true, false), initial: true },
  theme: { wire: false, valid: choice("light", "dark") },
});

export class Settings {
  #storage;
  #values;

  /** `storage`: a Storage, or null where the browser has none to give. */
  constructor(storage) {
    this.#storage = storage;
    this.#values = good(read(storage));
  }

  /** The chosen value, or the initial one, or undefined: the server's default. */
  get(name) {
    return this.#values[name] ?? SETTINGS[name].initial;
  }

  /** Choose; undefined goes back to the default. False, and nothing changes, if `value` is not a good one. */
  set(name, value) {
    if (value !== undefined && !SETTINGS[name].valid(value)) return false;
    if (value === undefined) delete this.#values[name];
    else this.#values[name] = value;
    this.#write();
    return true;
  }

  /** Leave every option of the protocol to the server again. */
  resetOptions() {
    for (const name of Object.keys(this.options)) delete this.#values[name];
    this.#write();
  }

  /** The chosen options, as `start` and `configure` take them. */
  get options() {
    return Object.fromEntries(Object.entries(this.#values).filter(([name]) => SETTINGS[name].wire));
  }

  #write() {
    try {
      this.#storage?.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      this.#storage = null; // full or forbidden: the choice holds until the page is closed
    }
  }
}

/** The page's own storage, or null where it is forbidden. */
export function browserStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function read(storage) {
  try {
    return JSON.parse(storage?.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

function good(values) {
  if (typeof values !== "object" || values === null) return {};
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => Object.hasOwn(SETTINGS, name) && SETTINGS[name].valid(value)));
}
