// What a job of the API is to a person. Pure.
import { sentence } from "./problems.js";
import { bytes, figure, span } from "./units.js";

export const STATUSES = Object.freeze({
  queued: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
});

/** Whether nothing more happens to it by itself. */
export function isOver({ status }) {
  return !["queued", "running"].includes(status);
}

/** What may be done with it: of "retry", "cancel", "delete". */
export function actions(job) {
  if (!isOver(job)) return ["cancel", "delete"];
  return job.status !== "done" && job.kept ? ["retry", "delete"] : ["delete"];
}

/** Its status in words. */
export function statusText({ status, progress, position }) {
  if (status === "running") return `${Math.floor(progress * 100)} %`;
  if (status === "queued" && position > 0) return `Waiting, ${position} before it`;
  return STATUSES[status] ?? status;
}

/** What is known of it, as `[name, text]`. `moment`: makes words of a Date. */
export function facts(job, moment) {
  const { created, started, finished, duration, size, media_type: media, codec, language, attempts, channels } = job;
  const took = job.status === "done" && started && finished ? (new Date(finished) - new Date(started)) / 1000 : null;
  return [
    ["Length", duration === null ? (isOver(job) ? "not known" : "not known yet") : span(duration)],
    ["Handed in", moment(new Date(created))],
    took !== null && ["Transcribed in", took > 0 && duration ? `${span(took)}, ${figure(duration / took)}× real time` : span(took)],
    ["Recording", [media.replace(/^(audio|video)\//, ""), codec, bytes(size)].filter((part, at, all) => part && all.indexOf(part) === at).join(", ")],
    ["Language", language],
    channels === "separate" && ["Channels", "one text each"],
    attempts > 1 && ["Attempts", String(attempts)],
  ].filter(Boolean);
}

/** The name for a file of its text. */
export function fileName({ name }, extension) {
  const stem = name.replace(/\.[^.]*$/, "") || "recording";
  return `${stem}.${extension}`;
}

/** Why it failed, or what may be missing in its text, in words. `begun`: some of its text is there. */
export function trouble({ status, error, warnings = [] }, begun = false) {
  if (status === "done" && warnings.length > 0) {
    return { title: "About this recording", detail: warnings.map(({ message }) => sentence(message)).join(" ") };
  }
  if (status === "cancelled") return { title: "Cancelled", detail: "Nobody works on it any more. What was found until then is not kept as a text." };
  if (!error) return null;
  if (status !== "failed") return { title: "It is tried again", detail: sentence(error.message) };
  const title = begun ? "It was not transcribed to its end" : "It could not be transcribed";
  return { title, detail: error.retryable ? `${sentence(error.message)} Trying again may help.` : sentence(error.message) };
}
