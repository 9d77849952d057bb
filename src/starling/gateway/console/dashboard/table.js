// The table of jobs. Rows stay the same elements as long as their job is shown: nothing jumps, and the focus stays.
import { clockTime } from "/captions-view.js";
import { STATUSES, actions, isOver, statusText, trouble } from "./job.js";
import { moment } from "./units.js";

const ICONS = {
  retry: "M15.5 7.5A6 6 0 1 0 16 11M15.8 3.8v3.9h-3.9",
  cancel: "M6 6h8v8H6z",
  delete: "M4 6h12M8 6V4.2h4V6m-6.5 0 .7 10h7.6l.7-10M8.5 9v4.5m3-4.5v4.5",
};

const VERBS = { retry: "Retry", cancel: "Cancel", delete: "Delete" };

export class Table {
  #body = document.getElementById("rows");
  #rows = new Map();
  #onOpen;
  #onAct;

  /** `onOpen(job)`: show it. `onAct(verb, job, button)`: "retry", "cancel" or "delete" it. */
  constructor({ onOpen, onAct }) {
    this.#onOpen = onOpen;
    this.#onAct = onAct;
  }

  /** Rows that stand for what is still being asked. */
  wait(count) {
    this.#rows.clear();
    this.#body.replaceChildren(
      ...Array.from({ length: count }, () => {
        const row = make("tr", "skeleton");
        row.ariaHidden = "true";
        for (let cell = 0; cell < 6; cell += 1) row.append(make("td"));
        return row;
      }),
    );
  }

  show(jobs) {
    const rows = new Map(jobs.map((job) => [job.task_id, this.#rows.get(job.task_id) ?? new Row(this.#onOpen, this.#onAct)]));
    for (const job of jobs) rows.get(job.task_id).show(job);
    this.#rows = rows;
    const wanted = [...rows.values()].map(({ element }) => element);
    for (const child of [...this.#body.children]) if (!wanted.includes(child)) child.remove();
    wanted.forEach((element, at) => this.#body.children[at] !== element && this.#body.insertBefore(element, this.#body.children[at] ?? null));
  }

  /** Put the focus on a job's name, if it is shown. */
  focus(taskId) {
    this.#rows.get(taskId)?.focus();
  }
}

class Row {
  element = make("tr", "job");
  #job = null;
  #shown = "";
  #name = make("button", "job-link");
  #kind = make("span", "small kind");
  #status = make("span", "state");
  #bar = make("progress");
  #length = make("td", "number length");
  #when = make("td", "when");
  #tenant = make("td", "tenant");
  #acts = make("td", "acts");
  #onAct;

  constructor(onOpen, onAct) {
    this.#onAct = onAct;
    const head = make("th");
    head.scope = "row";
    this.#name.type = "button";
    this.#name.dir = "auto";
    head.append(this.#name, this.#kind);
    const status = make("td", "status-cell");
    this.#bar.max = 1;
    status.append(this.#status, this.#bar);
    this.element.append(head, status, this.#length, this.#when, this.#tenant, this.#acts);
    this.element.addEventListener("click", ({ target }) => {
      if (!target.closest(".acts") && window.getSelection().isCollapsed) onOpen(this.#job);
    });
  }

  focus() {
    this.#name.focus();
  }

  show(job) {
    this.#job = job;
    const text = JSON.stringify(job);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#name.textContent = job.name;
    this.#name.title = job.name;
    this.#kind.textContent = ["done", "failed"].includes(job.status) ? (trouble(job)?.detail ?? "") : "";
    this.#kind.title = this.#kind.textContent;
    this.#kind.hidden = this.#kind.textContent === "";
    this.#status.dataset.status = job.status;
    this.#status.textContent = statusText(job);
    this.#bar.hidden = job.status !== "running";
    this.#bar.value = job.progress;
    this.#bar.setAttribute("aria-label", `Progress of ${job.name}`);
    this.#length.textContent = job.duration === null ? "–" : clockTime(job.duration);
    const created = new Date(job.created);
    this.#when.textContent = moment(created);
    this.#when.title = created.toLocaleString();
    this.#tenant.textContent = job.tenant;
    this.#showActs(job);
    this.element.toggleAttribute("data-active", !isOver(job));
    this.element.ariaLabel = `${job.name}, ${STATUSES[job.status] ?? job.status}`;
  }

  #showActs(job) {
    const wanted = actions(job);
    const there = [...this.#acts.children].map((button) => button.dataset.verb);
    if (wanted.join() === there.join()) return;
    this.#acts.replaceChildren(...wanted.map((verb) => this.#button(verb, job)));
  }

  #button(verb, { name }) {
    const button = make("button", "icon");
    button.type = "button";
    button.dataset.verb = verb;
    button.title = VERBS[verb];
    button.ariaLabel = `${VERBS[verb]} ${name}`;
    button.append(icon(ICONS[verb]));
    button.addEventListener("click", () => this.#onAct(verb, this.#job, button));
    return button;
  }
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.ariaHidden = "true";
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

function make(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
