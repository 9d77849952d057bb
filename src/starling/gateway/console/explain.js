// What went wrong, in words, and what to do about it. Pure.
import { clockTime } from "./captions-view.js";
import { DURATION_LIMIT, SIZE_LIMIT } from "./recording.js";

/**
 * @typedef {{title: string, detail: string, retry: boolean, returns: boolean, wait: number, remedy: "language" | "settings" | null}} Explanation
 * `returns`: the server is likely to be back by itself. `wait`: seconds before trying again makes sense. `remedy`: what must be left to the server first, or it cannot help.
 */

const MICROPHONE = {
  insecure: {
    title: "The microphone needs a secure page",
    detail: "Browsers give it to https pages and to localhost only. Open this page as http://localhost on the machine it runs on, or put it behind https.",
  },
  unsupported: {
    title: "This browser cannot record",
    detail: "Capturing audio needs a browser of 2021 or later. A recording still works: open one.",
  },
  NotAllowedError: {
    title: "The microphone is blocked",
    detail: "Allow it for this page, with the icon beside the address, and in the system's privacy settings. Then try again.",
    retry: true,
  },
  NotFoundError: {
    title: "No microphone found",
    detail: "Plug one in or switch it on, then try again. A recording works without one.",
    retry: true,
  },
  NotReadableError: {
    title: "The microphone is busy",
    detail: "Another program holds it. Close that program, then try again.",
    retry: true,
  },
  silent: {
    title: "The microphone gives no sound",
    detail: "It may be muted, on itself or in the system, or the browser uses another one than you speak into.",
  },
  vanished: {
    title: "The microphone went away",
    detail: "It was unplugged or switched off. What was said until then is captioned.",
    retry: true,
  },
};

const RECORDING = {
  "too-large": (name) => ({
    title: "This file is too large for a page",
    detail: `${name} is over ${SIZE_LIMIT / 1024 / 1024} MB. Cut it, or run “starling transcribe” on it.`,
  }),
  "too-long": (name) => ({
    title: "This recording is too long for a page",
    detail: `${name} is over ${DURATION_LIMIT / 3600} hours. Cut it, or run “starling transcribe” on it.`,
  }),
  empty: (name) => ({ title: "This file is empty", detail: `${name} has no bytes in it.` }),
  unreadable: (name) => ({
    title: "No sound could be read from this file",
    detail: `${name} is not audio that this browser decodes. WAV, MP3, M4A, FLAC, Ogg and WebM usually are.`,
  }),
};

/** By the `code` of the server's error frame. */
const ERRORS = {
  overloaded: { title: "The server is full", detail: "It has as many sessions as it can serve well. Nothing is broken: try again in a moment." },
  shutting_down: { title: "The server is stopping", detail: "Listen again when it is back.", returns: true },
  idle_timeout: { title: "The session timed out", detail: "The server heard nothing for too long and ended it." },
  slow_consumer: { title: "This page fell behind", detail: "It could not keep up with the captions, so the server let go. Close heavy tabs and reconnect." },
  invalid_option: { title: "The server does not take these settings", detail: "Change the setting it names, or reset the settings." },
  forbidden: { title: "The server does not talk to this page", detail: "It only takes sessions from addresses it knows. Open the console at the server's own address." },
  unauthenticated: { title: "This server wants an API key", detail: "Enter yours under Settings, then try again.", again: true },
  quota_exceeded: { title: "That was all, for now", detail: "What this API key may use is used up. Nothing is broken: try again later." },
  superseded: { title: "The session went on somewhere else", detail: "Another connection took it over. What was already captioned is kept.", again: true },
  not_resumable: { title: "The session could not go on", detail: "The server has let it go meanwhile. A new one begins where it can.", returns: true },
  results_lost: { title: "The session could not go on", detail: "More was missed than the server keeps. A new one begins where it can.", returns: true },
  dismissed: { title: "An operator ended the session", detail: "What was already captioned is kept." },
  model_unavailable: { title: "The server has no model", detail: "Its weights are missing or damaged. “starling doctor” on the server says which." },
};

/** By close code (RFC 6455 section 7.4.1), where no error frame came. */
const CLOSES = {
  1001: ERRORS.shutting_down,
  1006: { title: "The connection broke", detail: "The server or the network went away.", returns: true },
  1011: { title: "The server made a mistake", detail: "Its log says which. What was already captioned is kept." },
  1012: ERRORS.shutting_down,
  1013: ERRORS.overloaded,
  4000: { title: "This is not a Starling server", detail: "It answered with something that is not the protocol. Something between this page and the server may be in the way." },
};

/** The explanation of a failure that `Run` emitted. @returns {Explanation} */
export function explain(failure) {
  return { retry: false, returns: false, wait: 0, remedy: null, ...describe(failure) };
}

function describe({ stage, error, ...connection }) {
  switch (stage) {
    case "microphone":
      return MICROPHONE[error.reason] ?? { title: "The microphone did not start", detail: `The browser says: ${error.reason}.`, retry: true };
    case "recording":
      return RECORDING[error.reason](error.file);
    case "segment":
      return { title: "One sentence has no text", detail: `The server could not read it: ${error.message}` };
    case "server":
      return { ...lost(connection, error), retry: false };
    default:
      return connection.opened || error ? lost(connection, error) : refused(connection);
  }
}

function lost({ code, reason, until, away }, error) {
  const known = error ? ERRORS[error.code] : CLOSES[code];
  const said = error?.message ?? reason;
  const kept = known?.returns && until > 0 && `What was said until ${clockTime(until)} is kept.`;
  const tried = away > 0 && !error && `No connection could be made again within ${Math.max(1, Math.round(away))} s.`;
  const detail = [kept, known?.detail, tried, said && `The server says: ${said}`].filter(Boolean).join(" ");
  return {
    title: known?.title ?? "The session ended early",
    detail: detail || `The connection closed with code ${code}. What was already captioned is kept.`,
    returns: known?.returns ?? false,
    retry: error ? error.retryable || known?.again || known?.returns || error.code === "invalid_option" : true,
    wait: error?.retry_after ?? 0,
    remedy: error?.code === "invalid_option" ? remedyFor(said) : null,
  };
}

function remedyFor(message) {
  return message.startsWith("language") ? "language" : "settings";
}

function refused({ server }) {
  if (server === null) {
    return { title: "The server does not answer", detail: "Is it still running? Start it with “starling serve”, then reconnect.", retry: true, returns: true };
  }
  if (server.error) {
    const { code, message, retryable, retry_after: wait } = server.error;
    const known = ERRORS[code];
    return {
      title: known?.title ?? "The server refused the session",
      detail: [known?.detail, `The server says: ${message}`].filter(Boolean).join(" "),
      retry: retryable || (known?.again ?? false),
      returns: retryable,
      wait: wait ?? 0,
    };
  }
  if (!server.ready) {
    return { title: "The server is not ready", detail: "It is starting up or shutting down. Give it a few seconds.", retry: true, returns: true };
  }
  return { title: "The server refused the session", detail: `It is up, but would not take one more: ${ERRORS.overloaded.detail}`, retry: true };
}
