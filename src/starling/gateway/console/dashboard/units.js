// Numbers for people. Pure.

const TWO = (value) => String(value).padStart(2, "0");

/** Bytes, in decimal units. */
export function bytes(value) {
  if (value < 1e6) return `${Math.max(value > 0 ? 1 : 0, Math.round(value / 1e3))} kB`;
  if (value < 1e9) return `${figure(value / 1e6)} MB`;
  return `${figure(value / 1e9)} GB`;
}

/** Seconds of waiting. */
export function latency(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${figure(seconds)} s`;
}

/** Three digits at most, and none that says nothing. */
export function figure(value) {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toFixed(value >= 10 ? 1 : 2)));
}

/** Seconds of sound as people say them: `42 s`, `3 min`, `1 h 5 min`. */
export function span(seconds) {
  if (seconds < 60) return `${figure(Math.max(0, seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** A moment, in the reader's own time: the hour alone if it is of the day of `now`. */
export function moment(date, now = new Date()) {
  const hour = `${TWO(date.getHours())}:${TWO(date.getMinutes())}`;
  if (date.toDateString() === now.toDateString()) return hour;
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year })}, ${hour}`;
}
