// The API's document as a page. Text is only ever set as text.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with children, which may be strings. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** `schema` without references, as deep as people read. */
function resolved(schema, all, depth = 0) {
  if (schema === null || typeof schema !== "object") return schema;
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, all, depth + 1));
  if (schema.$ref) return depth > 12 ? schema : resolved(all[schema.$ref.split("/").at(-1)] ?? {}, all, depth + 1);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, all, depth + 1)]));
}

/** What a value of `schema` looks like, in a word. */
function kind(schema = {}) {
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return [schema.type ?? "any", schema.format].filter(Boolean).join(", ");
}

/** An example of `schema`: its shape, with types in place of values. Where several are possible, that of each that has parts. */
function shape(schema = {}) {
  const whole = (schema.anyOf ?? []).filter((one) => one.properties);
  if (whole.length) return whole.length === 1 ? shape(whole[0]) : { "one of": whole.map(shape) };
  if (schema.type === "object" && schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, shape(value)]));
  }
  if (schema.type === "array") return [shape(schema.items)];
  return kind(schema);
}

function fields(rows) {
  const table = make("table"), frame = make("div", { class: "wide" }, table);
  for (const [name, schema, required, said] of rows) {
    table.append(make("tr", {}, make("td", {}, make("code", {}, name), required ? " *" : ""), make("td", {}, kind(schema)), make("td", {}, said ?? "")));
  }
  return frame;
}

function bodyOf(content = {}) {
  return Object.entries(content).map(([type, { schema = {} }]) => {
    const required = new Set(schema.required ?? []);
    const rows = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, one, required.has(name), one.description]);
    return make("div", {}, make("p", {}, make("code", {}, type)), rows.length ? fields(rows) : make("pre", {}, JSON.stringify(shape(schema), null, 2)));
  });
}

/** A form that asks for real: of requests that change nothing only. */
function trial(path, parameters) {
  const form = make("form"), answer = make("pre", { hidden: "" });
  for (const one of parameters.filter((one) => one.in !== "header")) {
    form.append(make("label", {}, one.name, make("input", { name: one.name, "data-in": one.in, autocomplete: "off" })));
  }
  form.append(make("button", { type: "submit" }, "Ask"), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const input of form.querySelectorAll("input")) {
      if (input.dataset.in === "path") url = url.replace(`{${input.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.append(input.name, input.value);
    }
    const key = document.getElementById("key").value;
    answer.hidden = false;
    try {
      const response = await fetch(query.size ? `${url}?${query}` : url, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
      const text = (await response.text()).slice(0, 100_000);
      let said = text;
      try { said = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
      answer.textContent = `${response.status} ${response.statusText}\n\n${said}`;
    } catch (error) {
      answer.textContent = `nobody answered: ${error.message}`;
    }
  });
  return form;
}

function operation(path, method, told) {
  const parameters = told.parameters ?? [];
  const body = make("div", { class: "body" });
  if (told.description) body.append(make("p", {}, told.description));
  if (parameters.length) body.append(make("h3", {}, "Parameters"), fields(parameters.map((one) => [`${one.name} (${one.in})`, one.schema, one.required, one.description])));
  if (told.requestBody) body.append(make("h3", {}, "Body"), ...bodyOf(told.requestBody.content));
  body.append(make("h3", {}, "Answers"));
  for (const [status, answer] of Object.entries(told.responses ?? {})) {
    const good = Number(status) < 400;
    body.append(make("p", {}, make("code", {}, status), ` ${answer.description ?? ""}`), ...(good ? bodyOf(answer.content) : []));
  }
  const streams = "text/event-stream" in (told.responses?.["200"]?.content ?? {});
  if (method === "get" && !streams && !path.includes("/audio/")) body.append(make("h3", {}, "Try"), trial(path, parameters));
  return make("details", { id: `${method}-${path}` },
    make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("code", {}, path), told.summary ?? ""), body);
}

const main = document.getElementById("operations");
try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const document_ = await response.json();
  const all = document_.components?.schemas ?? {};
  const groups = new Map();
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((one) => one in methods)) {
      const told = resolved(methods[method], all);
      const group = told.tags?.[0] ?? "server";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operation(path, method, told));
    }
  }
  const ours = ([one]) => (one === "recordings" ? 0 : one === "server" ? 2 : 1);  // what most come for is first
  main.replaceChildren(...[...groups].sort((a, b) => ours(a) - ours(b)).flatMap(([name, found]) => [make("h2", {}, name), ...found]));
} catch (error) {
  main.textContent = `The document could not be read: ${error.message}`;
}
