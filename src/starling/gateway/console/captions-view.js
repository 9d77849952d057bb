// Captions on the page: finals in a list that screen readers are told about, provisional ones in a list below that is silent.

/** Closer to the end than this, in pixels, and the view follows what is said. */
const NEAR_END = 48;

export class CaptionsView {
  #scroller;
  #settled;
  #provisional;
  #jump;
  #items = new Map();
  #take = null;
  #follows = true;
  #top = 0;
  #unseen = 0;

  /** `jump`: the button that goes back to following. */
  constructor({ scroller, settled, provisional, jump }) {
    this.#scroller = scroller;
    this.#settled = settled;
    this.#provisional = provisional;
    this.#jump = jump;
    scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(scroller);
    jump.addEventListener("click", () => this.toLatest());
  }

  /** Show what changed in the model of captions.js. */
  show(changes) {
    for (const { kind, segment, take } of changes) {
      if (kind === "removed") this.#remove(segment);
      else if (kind === "settled") this.#settle(segment, take);
      else this.#update(segment);
    }
    this.#follow();
  }

  clear() {
    this.#items.clear();
    this.#settled.replaceChildren();
    this.#provisional.replaceChildren();
    this.#take = null;
    this.toLatest();
  }

  /** Go to the end and stay there. */
  toLatest() {
    this.#follows = true;
    this.#unseen = 0;
    this.#follow();
  }

  #update(segment) {
    const item = this.#item(segment);
    item.show(segment);
    if (item.element.parentNode !== this.#provisional) insertInOrder(this.#provisional, item.element);
  }

  #settle(segment, take) {
    const item = this.#item(segment);
    item.show(segment);
    this.#head(take);
    insertInOrder(this.#settled, item.element);
    if (!this.#follows) this.#unseen += 1;
  }

  #remove(segment) {
    this.#items.get(segment.key)?.element.remove();
    this.#items.delete(segment.key);
  }

  #item(segment) {
    let item = this.#items.get(segment.key);
    if (item === undefined) {
      item = new Item(segment);
      this.#items.set(segment.key, item);
    }
    return item;
  }

  /** The heading of `take`, above its first words; the first take needs none. */
  #head(take) {
    if (this.#take === take) return;
    if (this.#take !== null) {
      const heading = element("h2", "take");
      heading.textContent = `${take.title}, ${take.began.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
      const item = element("li");
      item.append(heading);
      this.#settled.append(item);
    }
    this.#take = take;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#follows = atEnd || (this.#follows && scrollTop >= this.#top);
    this.#top = scrollTop;
    if (this.#follows) this.#unseen = 0;
    this.#showJump();
  }

  #follow() {
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#showJump();
  }

  #showJump() {
    this.#jump.hidden = this.#follows;
    this.#jump.querySelector("span").textContent = this.#unseen > 0 ? `Jump to latest (${this.#unseen} new)` : "Jump to latest";
  }
}

/** One segment as a list item: its time, the words that stay, the words that may still change. */
class Item {
  #time = element("time");
  #stable = element("span", "stable");
  #tail = element("span", "tail");

  constructor({ start }) {
    const words = element("p");
    words.append(this.#stable, this.#tail);
    this.element = element("li", "segment");
    this.element.append(this.#time, words);
    this.element.dataset.start = start;
  }

  show({ text, stable, state, start }) {
    this.element.dataset.state = state;
    this.#time.textContent = clockTime(start);
    this.#time.dateTime = `PT${start.toFixed(3)}S`;
    write(this.#stable, stable);
    write(this.#tail, text.slice(stable.length));
  }
}

/** Seconds as `m:ss`, or `h:mm:ss`. */
export function clockTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A final that overtook an earlier one goes below it all the same. */
function insertInOrder(list, item) {
  let last = list.lastElementChild;
  while (last?.dataset.start !== undefined && Number(last.dataset.start) > Number(item.dataset.start)) last = last.previousElementSibling;
  if (last === null) list.prepend(item);
  else last.after(item);
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
