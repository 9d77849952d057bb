// What the server refused, in words, and what to do about it. Pure.

const BY_CODE = {
  offline: ["No connection", "Nothing answered. Is the server still running?"],
  unauthenticated: ["This server asks for an API key", ""],
  forbidden: ["This is not allowed", ""],
  quota_exceeded: ["That was all, for now", ""],
  overloaded: ["The server is busy", "Nothing is broken: try again in a moment."],
  shutting_down: ["The server is stopping", "Try again when it is back."],
  not_found: ["It is gone", "It was deleted meanwhile, or is somebody else’s."],
  recording_gone: ["The recording is gone", "It is not kept any more. Upload it again."],
  conflict: ["That came too late", ""],
  corrupt_audio: ["This is no recording that can be read", ""],
  unsupported_audio: ["This is no recording that can be read", ""],
  frame_too_large: ["This recording is too large", ""],
  store_unavailable: ["The server’s store does not answer", "Jobs that were taken in are safe. Try again in a moment."],
};

const FINAL = new Set(["corrupt_audio", "unsupported_audio", "frame_too_large", "recording_too_long", "forbidden"]);

/** `{title, detail, final}` of a Refused, or of any other error. `final`: the same again gives the same. */
export function explain(error) {
  const [title, own] = BY_CODE[error.code] ?? ["That did not work", ""];
  const said = error.code === "offline" ? "" : sentence(error.detail ?? error.message ?? "");
  return { title, detail: [own, said].filter(Boolean).join(" "), final: FINAL.has(error.code) };
}

/** `text` with a capital at its beginning and a stop at its end. */
export function sentence(text) {
  if (!text) return "";
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
