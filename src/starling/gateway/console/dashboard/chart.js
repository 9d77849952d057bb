// One chart: what is now in figures, and a quarter of an hour as lines over an axis that begins at 0.
import { SPAN } from "./history.js";
import { area, line, nearest, pieces, top } from "./scale.js";
import { moment } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [240, 64];

export class Chart {
  #spec;
  #history;
  #card = html("article", "chart");
  #values = html("dl", "chart-values");
  #plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", role: "img", tabindex: "0" });
  #cross = svg("line", { class: "cross", y1: 0, y2: HEIGHT, visibility: "hidden" });
  #most = html("span", "chart-most");
  #when = html("span", "chart-when");
  #shown = null; // number of the point under the pointer; null: the newest
  #lines;
  #fill;

  /**
   * `spec`: `{title, note, lines: [{name, label}], unit(value), least, most(facts)?}`. `unit` makes words of a value; `least`: the
   * top of the axis at least.
   */
  constructor(spec, history) {
    this.#spec = spec;
    this.#history = history;
    const title = html("h3");
    title.textContent = spec.title;
    title.title = spec.note;
    this.#fill = svg("path", { class: "fill" });
    this.#lines = spec.lines.map((_, number) => svg("path", { class: `line line-${number}`, "vector-effect": "non-scaling-stroke" }));
    const grid = [0.5, HEIGHT / 2, HEIGHT - 0.5].map((y) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y, "vector-effect": "non-scaling-stroke" }));
    this.#cross.setAttribute("vector-effect", "non-scaling-stroke");
    this.#plot.append(...grid, this.#fill, ...this.#lines.toReversed(), this.#cross);
    const axis = html("div", "axis");
    const ago = html("span");
    ago.textContent = "15 min ago";
    axis.append(ago, this.#when);
    const frame = html("div", "frame");
    frame.append(this.#most, this.#plot);
    this.#card.append(title, this.#values, frame, axis);
    this.#listen();
  }

  get element() {
    return this.#card;
  }

  /** Draw what the history has now. `facts`: of the host. */
  draw(facts) {
    const times = this.#history.times;
    const columns = this.#spec.lines.map(({ name }) => this.#history.column(name));
    const most = this.#spec.most?.(facts) ?? top(columns, this.#spec.least);
    const until = this.#history.last;
    const shape = { from: until - SPAN, until, most, width: WIDTH, height: HEIGHT, gap: 3.5 * this.#history.step };
    const found = columns.map((column) => pieces(times, column, shape));
    found.forEach((one, number) => this.#lines[number].setAttribute("d", line(one)));
    this.#fill.setAttribute("d", area(found[0], HEIGHT));
    this.#most.textContent = this.#spec.unit(most);
    this.#write();
    this.#plot.setAttribute("aria-label", this.#summary(columns));
  }

  #write() {
    const times = this.#history.times;
    const at = this.#shown ?? times.length - 1;
    this.#values.replaceChildren(
      ...this.#spec.lines.map(({ name, label }, number) => {
        const group = html("div", `value-${number}`);
        const term = html("dt");
        const value = html("dd");
        term.textContent = label;
        const known = this.#history.column(name)[at];
        value.textContent = known === null || known === undefined ? "–" : this.#spec.unit(known);
        group.append(value, term);
        return group;
      }),
    );
    this.#when.textContent = this.#shown === null || !times.length ? "now" : moment(new Date(times[at] * 1000)) + `:${String(new Date(times[at] * 1000).getSeconds()).padStart(2, "0")}`;
    this.#cross.setAttribute("visibility", this.#shown === null ? "hidden" : "visible");
    if (this.#shown === null) return;
    const x = ((times[at] - (this.#history.last - SPAN)) / SPAN) * WIDTH;
    this.#cross.setAttribute("x1", x);
    this.#cross.setAttribute("x2", x);
  }

  #summary(columns) {
    const said = this.#spec.lines.map(({ label }, number) => {
      const known = columns[number].filter((value) => value !== null);
      if (known.length === 0) return `${label}: nothing measured`;
      return `${label}: ${this.#spec.unit(known.at(-1))} last, ${this.#spec.unit(Math.max(...known))} at most`;
    });
    return `${this.#spec.title}, ${this.#spec.note}. In the last 15 minutes: ${said.join("; ")}.`;
  }

  #show(number) {
    const { length } = this.#history.times;
    this.#shown = number === null || length === 0 ? null : Math.max(0, Math.min(length - 1, number));
    this.#write();
  }

  #listen() {
    this.#plot.addEventListener("pointermove", ({ clientX }) => {
      const { left, width } = this.#plot.getBoundingClientRect();
      this.#show(nearest(this.#history.times, this.#history.last - SPAN * (1 - (clientX - left) / width)));
    });
    this.#plot.addEventListener("pointerleave", () => this.#show(null));
    this.#plot.addEventListener("blur", () => this.#show(null));
    this.#plot.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.#show((this.#shown ?? this.#history.times.length - 1) + by);
    });
  }
}

function html(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
