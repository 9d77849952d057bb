// Wires the dashboard: who looks, what is asked how often, and what is done with jobs.
import { Access, tabStorage } from "/access.js";
import { listenForFiles } from "/files.js";
import { Notice } from "/notice.js";
import { Settings, browserStorage } from "/settings.js";
import { listenForKeys } from "/shortcuts.js";
import { toggleTheme } from "/theme.js";
import { Api } from "./api.js";
import { AskKey, confirmDelete } from "./dialogs.js";
import { Drawer } from "./drawer.js";
import { Figures } from "./figures.js";
import { isOver } from "./job.js";
import { List } from "./list.js";
import { Poll } from "./poll.js";
import { explain } from "./problems.js";
import { Uploads } from "./uploads.js";

const BUSY_MS = 1500;
const CALM_MS = 6000;
const FIGURES_MS = 5000;

const $ = (id) => document.getElementById(id);

const settings = new Settings(browserStorage());
const access = new Access(tabStorage());
const api = new Api(access);
const figures = new Figures(api);
const notice = new Notice($("notice"), { onRetry: () => begin(), onDismiss: () => {} });
const askKey = new AskKey(access, () => begin());
const list = new List(api, { onChange: () => jobs.poke(), onOpen: open, onAct: act });
const uploads = new Uploads(api, { onDone: uploaded, onLocked: () => locked() });
const drawer = new Drawer(api, {
  act,
  say,
  failed: trouble,
  changed: () => jobs.poke(),
  closed: (job) => {
    if (job) list.focus(job.task_id);
    if (location.hash) history.replaceState(null, "", location.pathname);
  },
});
const jobs = new Poll(() => watched(list.refresh()), () => (list.busy ? BUSY_MS : CALM_MS));
const server = new Poll(() => watched(figures.refresh()), () => FIGURES_MS);

let me = null;
let away = false;

// --- who looks ------------------------------------------------------------------------------------------------------------

/** Find out who this page is to the server, and show what there is for it. */
async function begin() {
  jobs.stop();
  server.stop();
  notice.hide();
  show("opening", "Connecting");
  try {
    me = await api.json("/api/v1/me");
  } catch (error) {
    if (error.status === 401 || (error.status === 429 && !me)) return locked(error);
    show("failed", error.status === 0 ? "No connection" : "Not connected");
    if (error.code === "store_unavailable") return notice.show(ABSENT, "");
    const said = explain(error);
    return error.status === 0 || error.status >= 500 ? notice.showReconnecting(said, 5) : notice.show({ ...said, retry: true, wait: error.wait }, "Try again");
  }
  uploads.limits = me;
  $("key").hidden = !me.keys;
  $("recordings").hidden = false;
  $("figures").hidden = !me.operator;
  document.body.toggleAttribute("data-operator", me.operator && me.keys);
  list.reset();
  live();
  jobs.start();
  if (me.operator) server.start();
  openHash();
}

const ABSENT = { title: "This server takes no recordings", detail: "It serves live captions only: its log says why. “starling doctor” on the server may say more.", retry: false, wait: 0 };

function locked(error = null) {
  jobs.stop();
  server.stop();
  drawer.close();
  $("recordings").hidden = $("figures").hidden = true;
  list.reset();
  show("failed", "Locked");
  askKey.ask(access.key && error ? explain(error).detail : "");
}

/** What a poll comes to for the whole page. */
async function watched(work) {
  try {
    await work;
    if (away) live();
  } catch (error) {
    if (error.status === 401) locked(error);
    else if (error.status === 0 || error.status >= 500) lost(error);
    else trouble(error);
    throw error;
  }
}

function live() {
  away = false;
  document.body.removeAttribute("data-away");
  notice.hide();
  show("steady", me.keys ? (me.operator ? "Operator" : me.tenant) : "Connected");
}

/** What is on the page stays, as it was last known. */
function lost(error) {
  if (away) return;
  away = true;
  document.body.setAttribute("data-away", "");
  show("away", "Reconnecting");
  const { title, detail } = explain(error);
  notice.showCalm({ title, detail: `${detail} What is shown is what was known last.` });
}

function show(phase, text) {
  $("status").dataset.phase = phase;
  $("status-text").textContent = text;
}

// --- jobs -----------------------------------------------------------------------------------------------------------------

function open(job) {
  history.replaceState(null, "", `#${job.task_id}`);
  drawer.open(job);
}

/** A page that was opened for one job shows it. */
async function openHash() {
  const taskId = location.hash.slice(1);
  if (!/^[0-9a-f]{32}$/.test(taskId) || drawer.taskId === taskId) return;
  try {
    drawer.open(await api.json(`/api/v1/asr/result/${taskId}`));
  } catch (error) {
    trouble(error);
  }
}

async function act(verb, job, button) {
  if (verb === "delete" && !(await confirmDelete(job.name, isOver(job) ? "with its transcript" : "and is not transcribed"))) return;
  button.disabled = true;
  try {
    await VERBS[verb](job);
    say({ retry: "It is done again", cancel: "Cancelled", delete: "Deleted" }[verb]);
    if (verb === "delete" && drawer.taskId === job.task_id) drawer.close();
    if (verb === "retry" && drawer.taskId === job.task_id) drawer.open({ ...job, status: "queued", progress: 0, error: null });
  } catch (error) {
    drawer.close();
    trouble(error);
  }
  button.disabled = false;
  jobs.poke();
}

const VERBS = {
  retry: ({ task_id: id }) => api.json(`/api/v1/asr/retry/${id}`, { method: "POST" }),
  cancel: ({ task_id: id }) => api.json(`/api/v1/asr/cancel/${id}`, { method: "POST" }),
  delete: ({ task_id: id }) => api.json(`/api/v1/asr/task/${id}`, { method: "DELETE" }),
};

function uploaded(_, file) {
  say(`${file.name} is handed in`);
  list.toFirst();
  jobs.poke();
}

function trouble(error) {
  if (error.status === 401) return locked(error);
  notice.show({ ...explain(error), retry: false, wait: 0 }, "");
  $("notice").scrollIntoView({ block: "nearest" });
}

/** Tell screen readers; and let `button` show for a moment that it copied. */
function say(text, button = null) {
  $("said").textContent = text;
  button?.toggleAttribute("data-copied", true);
  setTimeout(() => button?.toggleAttribute("data-copied", false), 1500);
}

// --- controls -------------------------------------------------------------------------------------------------------------

listenForFiles({ buttons: [$("upload")], input: $("file"), overlay: $("drop"), onFiles: (files) => me && uploads.add(files) });
$("theme").addEventListener("click", () => toggleTheme(settings));
$("key").addEventListener("click", () => askKey.ask(""));
window.addEventListener("hashchange", openHash);
const onPage = (action) => () => document.querySelector("dialog[open]") === null && action();
listenForKeys(
  { t: () => toggleTheme(settings), u: onPage(() => me && $("upload").click()), "/": onPage(() => $("search").focus()) },
  () => settings.get("single_keys"),
);

begin();
