// The figures of the server: which charts there are, and what is in them. For operators.
import { Chart } from "./chart.js";
import { History } from "./history.js";
import { bytes, figure, latency } from "./units.js";

const whole = (value) => figure(value);
const speed = (value) => `${figure(value)}×`;

const SPECS = [
  { title: "CPU", note: "cores in use, over 15 s", unit: whole, least: 1, most: ({ cores }) => cores, lines: [{ name: "cpu", label: "cores" }] },
  { title: "Memory", note: "resident, all processes, what they share counted for each", unit: bytes, least: 1e8, lines: [{ name: "memory", label: "resident" }] },
  { title: "Live sessions", note: "open now", unit: whole, least: 4, lines: [{ name: "sessions", label: "open" }] },
  { title: "Queue", note: "recordings", unit: whole, least: 4, lines: [{ name: "queued", label: "waiting" }, { name: "running", label: "running" }] },
  { title: "Latency of finals", note: "from the decision that speech ended, over a minute", unit: latency, least: 0.2, lines: [{ name: "final_p50", label: "P50" }, { name: "final_p95", label: "P95" }, { name: "final_p99", label: "P99" }] },
  { title: "Throughput", note: "seconds of sound a second, over 15 s", unit: speed, least: 4, lines: [{ name: "live_audio", label: "live" }, { name: "recorded_audio", label: "recordings" }] },
  { title: "Workers", note: "recognizers that are ready, transcribers at work", unit: whole, least: 4, lines: [{ name: "recognizers", label: "recognizers" }, { name: "transcribers", label: "transcribing" }] },
  { title: "Errors a minute", note: "processes and jobs that failed, sessions and recordings that were refused", unit: whole, least: 4, lines: [{ name: "failures", label: "failed" }, { name: "refusals", label: "refused" }] },
];

const ERRORS = { sessions_refused: "Sessions refused", recordings_refused: "Recordings refused", process_failures: "Processes failed", callbacks_given_up: "Callbacks given up", jobs_failed: "Jobs failed" };

export class Figures {
  #api;
  #history = new History();
  #charts = SPECS.map((spec) => new Chart(spec, this.#history));
  #more;

  constructor(api) {
    this.#api = api;
    document.getElementById("charts").append(...this.#charts.map(({ element }) => element));
    this.#more = document.getElementById("more");
    this.#more.addEventListener("toggle", () => this.#more.open && this.#details().catch(() => {}));
  }

  /** Ask what is new and draw it. @throws {Refused} */
  async refresh() {
    const found = await this.#api.json(`/api/v1/stats/series?after=${this.#history.last}`);
    this.#history.add(found);
    for (const chart of this.#charts) chart.draw({ cores: found.cores });
    document.getElementById("figures-note").textContent = `${found.cores} ${found.cores === 1 ? "core" : "cores"}, ${bytes(found.memory_total)} of memory`;
    if (this.#more.open) await this.#details();
  }

  async #details() {
    const { processes, errors_by_reason: errors } = await this.#api.json("/api/v1/stats");
    const said = Object.entries(errors).flatMap(([what, reasons]) => Object.entries(reasons).map(([why, times]) => [ERRORS[what] ?? what, why, whole(times)]));
    rows("processes", Object.entries(processes).map(([name, { cpu, memory }]) => [name, figure(cpu), bytes(memory)]));
    rows("errors", said.length ? said : [["None", "", "0"]]);
  }
}

function rows(id, found) {
  document.getElementById(id).replaceChildren(
    ...found.map((cells) => {
      const row = document.createElement("tr");
      row.append(
        ...cells.map((text, number) => {
          const cell = document.createElement(number === 0 ? "th" : "td");
          if (number === 0) cell.scope = "row";
          if (number === cells.length - 1 || /^[\d.]+$/.test(text)) cell.className = "number";
          cell.textContent = text;
          return cell;
        }),
      );
      return row;
    }),
  );
}
