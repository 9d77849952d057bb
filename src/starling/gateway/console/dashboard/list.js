// The list of recordings: what is looked for, the page that is shown, and how many of each there are.
import { STATUSES, isOver } from "./job.js";
import { Pages } from "./pages.js";
import { Table } from "./table.js";

const PER_PAGE = 25;
const TYPING_MS = 250;
const $ = (id) => document.getElementById(id);

export class List {
  #api;
  #table;
  #pages = new Pages();
  #status = "";
  #search = "";
  #jobs = null; // null: not asked yet
  #counts = null;
  #turn = 0;
  #onChange;

  /** `onChange()`: something else is looked for: ask now. The rest: see Table. */
  constructor(api, { onChange, onOpen, onAct }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#table = new Table({ onOpen, onAct });
    this.#makeFilter();
    let typing = null;
    $("search").addEventListener("input", ({ target }) => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#look(() => (this.#search = target.value.trim())), TYPING_MS);
    });
    $("older").addEventListener("click", () => this.#turnTo(() => this.#pages.older()));
    $("newer").addEventListener("click", () => this.#turnTo(() => this.#pages.newer()));
    $("nothing").querySelector("button").addEventListener("click", () => this.#clear());
    this.#table.wait(4);
  }

  /** Whether something is under way among what is shown, or waits. */
  get busy() {
    return (this.#jobs ?? []).some((job) => !isOver(job)) || (this.#counts?.queued ?? 0) + (this.#counts?.running ?? 0) > 0;
  }

  get empty() {
    return this.#jobs?.length === 0;
  }

  /** Forget everything: somebody else looks. */
  reset() {
    this.#jobs = this.#counts = null;
    this.#pages.first();
    this.#table.wait(4);
    $("nothing").hidden = true;
    $("pager").hidden = true;
  }

  /** Ask, and show what is there. An answer that somebody did not wait for is left. @throws {Refused} */
  async refresh() {
    const turn = (this.#turn += 1);
    const query = new URLSearchParams({ limit: PER_PAGE, search: this.#search, cursor: this.#pages.cursor });
    if (this.#status) query.append("status", this.#status);
    const [page, counts] = await Promise.all([this.#api.json(`/api/v1/asr/history?${query}`), this.#api.json("/api/v1/asr/queue/status")]);
    if (turn !== this.#turn) return;
    if (page.tasks.length === 0 && this.#pages.hasNewer) {
      this.#pages.newer(); // the last of this page was deleted
      return this.refresh();
    }
    this.#jobs = page.tasks;
    this.#counts = counts;
    this.#pages.next = page.cursor;
    this.#show();
  }

  focus(taskId) {
    this.#table.focus(taskId);
  }

  /** Show the newest, whatever is looked for: something was handed in. */
  toFirst() {
    if (this.#pages.number > 1) this.#pages.first();
  }

  #show() {
    this.#table.show(this.#jobs);
    $("jobs").hidden = this.empty;
    this.#explain();
    $("pager").hidden = !this.#pages.hasNewer && !this.#pages.hasOlder;
    $("newer").disabled = !this.#pages.hasNewer;
    $("older").disabled = !this.#pages.hasOlder;
    $("page").textContent = `Page ${this.#pages.number}`;
    for (const label of $("filter").children) {
      const { status } = label.dataset;
      const count = status ? this.#counts[status] : Object.keys(STATUSES).reduce((sum, name) => sum + this.#counts[name], 0);
      label.querySelector(".count").textContent = count.toLocaleString("en");
    }
  }

  #explain() {
    const box = $("nothing");
    box.hidden = !this.empty;
    if (!this.empty) return;
    const sought = this.#search !== "" || this.#status !== "";
    box.querySelector("h3").textContent = sought ? "Nothing found" : "No recordings yet";
    box.querySelector("p").textContent = this.#search
      ? `No recording${this.#status ? ` that is ${STATUSES[this.#status].toLowerCase()}` : ""} has “${this.#search}” in its name.`
      : sought
        ? `No recording is ${STATUSES[this.#status].toLowerCase()}.`
        : "Drop one anywhere on this page, or choose one. It becomes a transcript with the time of every word.";
    box.querySelector("button").textContent = sought ? "Show all" : "Choose a recording";
    box.querySelector("button").dataset.does = sought ? "clear" : "upload";
  }

  #clear() {
    if ($("nothing").querySelector("button").dataset.does === "upload") return $("upload").click();
    this.#look(() => {
      this.#search = $("search").value = "";
      this.#status = "";
      for (const input of $("filter").querySelectorAll("input")) input.checked = input.value === "";
    });
    $("search").focus();
  }

  #look(change) {
    change();
    this.#pages.first();
    this.#turn += 1; // what was asked before is not wanted any more
    this.#onChange();
  }

  #turnTo(change) {
    change();
    this.#turn += 1;
    this.#onChange();
    $("recordings").scrollIntoView({ block: "start" });
  }

  #makeFilter() {
    for (const [status, text] of [["", "All"], ...Object.entries(STATUSES)]) {
      const label = document.createElement("label");
      const input = document.createElement("input");
      const count = document.createElement("span");
      label.dataset.status = status;
      input.type = "radio";
      input.name = "status";
      input.value = status;
      input.checked = status === "";
      count.className = "count";
      label.append(input, `${text} `, count);
      input.addEventListener("change", () => this.#look(() => (this.#status = status)));
      $("filter").append(label);
    }
  }
}
