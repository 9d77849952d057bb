// Server-sent events out of a stream of text (WHATWG HTML, section 9.2.6): EventSource can send no key, fetch can. Pure.

export class Events {
  #rest = "";
  #name = "";
  #data = [];
  #id = "";

  /** The events that `text` completes: `[{event, data, id}]`. */
  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    const found = [];
    for (const line of lines) {
      const event = this.#take(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event !== null) found.push(event);
    }
    return found;
  }

  #take(line) {
    if (line === "") {
      const event = this.#data.length ? { event: this.#name || "message", data: this.#data.join("\n"), id: this.#id } : null;
      this.#name = "";
      this.#data = [];
      return event;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.#id = value;
    return null;
  }
}
