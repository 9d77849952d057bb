// Follows one job over its stream of events, and over streams that break.
import { Refused } from "./api.js";
import { Events } from "./sse.js";

const PAUSE_MS = 2000;
const MOST_PAUSE_MS = 15_000;

/**
 * Tell `on.segment(segment)`, `on.state(job)` and `on.over(job)` what becomes of a job until it is over or `signal` is aborted.
 * `on.away(refused)`: the stream broke, and is opened again. Anything but a broken stream ends it: `on.refused(refused)`.
 */
export async function follow(api, taskId, on, signal) {
  let last = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const events = new Events();
      const reader = (await api.stream(`/api/v1/asr/events/${taskId}`, { headers, signal })).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        failures = 0;
        for (const { event, data, id } of events.feed(value)) {
          last = id || last;
          const said = JSON.parse(data);
          if (event === "segment") on.segment(said);
          else if (event === "end") return on.over(said);
          else on.state(said);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status > 0 && error.status < 500 && error.status !== 429) return on.refused(error);
      on.away(error);
    }
    failures += 1;
    await pause(Math.min(MOST_PAUSE_MS, PAUSE_MS * failures), signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
