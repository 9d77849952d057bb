// Wires the page: buttons, keys and dropped files to runs; what runs say to captions, meter, readings and notices.
import { Access, tabStorage } from "./access.js";
import { Captions } from "./captions.js";
import { CaptionsView, clockTime } from "./captions-view.js";
import { explain } from "./explain.js";
import { toSrt, toText } from "./export.js";
import { listenForFiles } from "./files.js";
import { Meter } from "./meter.js";
import { Microphone } from "./microphone.js";
import { Notice } from "./notice.js";
import { Readings, SettingsForm } from "./panel.js";
import { Backoff } from "./reconnect.js";
import { Recording } from "./recording.js";
import { Run } from "./run.js";
import { Settings, browserStorage } from "./settings.js";
import { copy, download, fileName } from "./share.js";
import { listenForKeys } from "./shortcuts.js";
import { onThemeChange, toggleTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`;

const settings = new Settings(browserStorage());
const access = new Access(tabStorage());
const captions = new Captions();
const view = new CaptionsView({ scroller: $("captions"), settled: $("settled"), provisional: $("provisional"), jump: $("jump") });
const meter = new Meter($("meter"), { still: window.matchMedia("(prefers-reduced-motion: reduce)").matches });
const readings = new Readings();
const notice = new Notice($("notice"), { onRetry: () => retry(), onDismiss: () => giveUp() });
const backoff = new Backoff();
const form = new SettingsForm(settings, {
  onOption(changes) {
    run?.configure(changes);
    form.note(run?.active ? "From the next sentence on." : "");
  },
});

/** What a remedy of explain.js does is on its button. */
const REMEDIES = { language: "Use the server’s language", settings: "Use the server’s settings" };

/** How long a connection may be lost before more is said of it: most are back by then. */
const AWAY_MS = 1500;

let remedy = null;

/** @type {Run | null} */
let run = null;
let began = null; // when the run connected, in seconds
let served = false; // whether the server ever took the run
let ticking = null;
let awayTimer = null;
let sentPart = 0; // of a recording, 0 to 1
let heardPart = 0;

// --- runs ---------------------------------------------------------------------------------------------------------------

function begin(source) {
  const take = captions.begin({ title: source.title, began: new Date() });
  const started = new Run({ source, take, options: () => settings.options, access, url, emit: (event) => run === started && HANDLERS[event.type](event) });
  run = started;
  readings.clear({ live: source.live });
  meter.clear();
  $("elapsed").textContent = "0:00";
  began = null;
  served = false;
  backoff.reset();
  notice.hide();
  sentPart = heardPart = 0;
  again();
}

/** Start the run, or go on with it. While it reconnects, the notice stays until it is known whether that helped. */
function again() {
  if (backoff.tried) notice.wait();
  else notice.hide();
  run.start();
}

/** The user wants no more attempts. */
function giveUp() {
  if (!backoff.tried) return;
  backoff.reset();
  if (run.active) run.stop();
  else showStatus("Stopped");
}

function retry() {
  if (remedy) form.reset(remedy === "language" ? remedy : null);
  again();
}

function toggle() {
  if (run?.active) run.stop();
  else begin(new Microphone());
}

function openFiles(files) {
  const [file, ...others] = files;
  if (run?.active) {
    notice.show({ title: "One thing at a time", detail: `Stop what is running, then open ${file.name} again.`, retry: false, wait: 0 });
    return;
  }
  begin(new Recording(file, { playAlong: settings.get("play_along") }));
  if (others.length > 0) say(`One recording at a time: ${file.name} was taken.`);
}

const HANDLERS = {
  phase({ phase }) {
    const recording = run.source.kind === "recording";
    const before = $("status").dataset.phase;
    $("status").dataset.phase = phase;
    showStatus(statusText(phase, recording ? run.source.title : null));
    if (backoff.tried && (phase === "live" || phase === "closed")) {
      backoff.reset();
      notice.hide();
    }
    showAway(phase, before);
    $("listen").dataset.does = run.active ? "stop" : "listen";
    $("listen-text").textContent = ["ending", "leaving"].includes(phase) ? "Stop now" : run.active ? "Stop" : "Listen";
    $("finalize").disabled = !["live", "away"].includes(phase);
    $("open").disabled = run.active;
    $("progress").hidden = !recording;
    if (phase === "connecting" && recording) showRecording();
    if (phase === "closed" && recording && run.source.pcm) progress(1, 1);
    tick(phase);
    showTools();
  },
  ready({ ready }) {
    served = true;
    readings.ready(ready);
    form.effective(ready);
  },
  audio({ pcm, sent, bytes }) {
    readings.sent({ seconds: sent, bytes });
    if (run.source.kind === "microphone") meter.push(pcm, run.source.sampleRate);
    else progress(sent / run.source.duration, null);
  },
  captions({ changes, until, heard }) {
    view.show(changes);
    showTools();
    readings.words(run.take.count);
    if (run.source.kind === "recording" && heard > 0) {
      progress(null, until / run.source.duration);
      if (!run.source.live) readings.speed(heard / (now() - began));
    }
  },
  latency(latency) {
    readings.latency(latency);
  },
  failure({ failure }) {
    const said = explain(failure);
    const wait = served && run.wanted && said.returns && failure.stage === "connection" ? backoff.next() : null;
    if (wait !== null) {
      showStatus("Reconnecting");
      notice.showReconnecting(said, wait);
      return;
    }
    backoff.reset();
    ({ remedy } = said);
    if (failure.server?.error?.code === "unauthenticated" || failure.error?.code === "unauthenticated") askForKey();
    notice.show(said, REMEDIES[remedy] ?? (failure.stage === "connection" ? "Reconnect" : "Try again"));
    showTools();
  },
};

function showStatus(text) {
  $("status-text").textContent = text;
  document.title = run.active ? `${text} – Starling` : "Starling";
}

function statusText(phase, title) {
  const texts = {
    opening: title ? `Reading ${title}` : "Waiting for the microphone",
    connecting: "Connecting",
    live: title ? `Captioning ${title}` : "Listening",
    away: "Reconnecting",
    leaving: "Reconnecting",
    ending: title ? `Captioning ${title}` : "Finishing the last words",
    closed: "Done",
    failed: served ? "Stopped" : "Not started",
  };
  return texts[phase];
}

/** While the connection is being made again: nothing more than the status at first, and after a while what it means. */
function showAway(phase, before) {
  const isAway = (one) => one === "away" || one === "leaving";
  clearTimeout(awayTimer);
  if (isAway(phase)) awayTimer = setTimeout(() => notice.showCalm(meaning(phase)), isAway(before) ? 0 : AWAY_MS);
  else if (isAway(before)) notice.hide();
}

function meaning(phase) {
  const title = "Reconnecting to the server";
  if (phase === "leaving") return { title, detail: "Its last captions are still to come. “Stop now” does without them." };
  if (run.source.kind === "recording") return { title, detail: "The connection was lost. The recording goes on where it was." };
  return { title, detail: "The connection was lost. Go on speaking: what you say is kept, and captioned then." };
}

function showRecording() {
  meter.lay(run.source.pcm);
  progress(null, null);
}

/** Fractions of the recording sent and captioned; null: as before. */
function progress(sent, heard) {
  sentPart = sent ?? sentPart;
  heardPart = heard ?? heardPart;
  $("progress").value = Math.round(heardPart * 100);
  meter.progress(sentPart, heardPart);
}

function tick(phase) {
  if (phase === "connecting") began = now();
  const counting = run.active && !(["ending", "leaving"].includes(phase) && run.source.kind === "microphone"); // nothing is heard any more
  if (counting && ticking === null) ticking = setInterval(showElapsed, 250);
  if (counting) return;
  clearInterval(ticking);
  ticking = null;
  if (phase === "closed" && run.source.kind === "recording") showElapsed();
}

function showElapsed() {
  if (began !== null) $("elapsed").textContent = clockTime(now() - began);
}

function now() {
  return performance.now() / 1000;
}

// --- the transcript -----------------------------------------------------------------------------------------------------

function showTools() {
  $("welcome").hidden = !captions.isEmpty || ["live", "away", "ending", "leaving"].includes(run?.phase);
  $("export").hidden = captions.isEmpty;
  $("clear").disabled = run?.active ?? false;
}

async function copyAll() {
  if (captions.isEmpty) return;
  if (await copy(toText(captions.takes))) say("Transcript copied", $("copy"));
  else say("This browser lets no page copy");
}

function save(extension, type, text) {
  const takes = captions.takes.filter((take) => take.spoken.length > 0);
  download(fileName(takes, extension), type, text);
}

function clear() {
  notice.hide();
  giveUp();
  captions.clear();
  view.clear();
  showTools();
  $("listen").focus();
}

/** Tell screen readers; and let `button` show for a moment that it copied. */
function say(text, button = null) {
  $("said").textContent = text;
  button?.toggleAttribute("data-copied", true);
  setTimeout(() => button?.toggleAttribute("data-copied", false), 1500);
}

// --- controls -----------------------------------------------------------------------------------------------------------

$("host").textContent = location.host;
$("listen").addEventListener("click", toggle);
$("finalize").addEventListener("click", () => run.finalize());
listenForFiles({ buttons: [$("open"), $("choose")], input: $("file"), overlay: $("drop"), onFiles: openFiles });
$("copy").addEventListener("click", copyAll);
$("save-txt").addEventListener("click", () => save("txt", "text/plain", toText(captions.takes)));
$("save-srt").addEventListener("click", () => save("srt", "application/x-subrip", toSrt(captions.takes)));
$("clear").addEventListener("click", clear);
window.addEventListener("online", () => run?.hurry());
$("theme").addEventListener("click", () => toggleTheme(settings));
onThemeChange(() => meter.redraw());
$("session").addEventListener("click", async ({ currentTarget }) => {
  const button = currentTarget; // the event has none any more once copying is through
  if (await copy(button.textContent)) say("Session id copied", button);
});

// The key is asked for once the server wants one: most servers that a person runs for themselves want none.
$("api-key").value = access.key;
$("key-field").hidden = !access.key;
$("api-key").addEventListener("change", ({ target }) => (access.key = target.value));

function askForKey() {
  $("key-field").hidden = false;
  showPanel(true);
  $("api-key").focus();
}

function showPanel(open) {
  $("panel").toggleAttribute("data-open", open);
  $("panel-toggle").setAttribute("aria-expanded", String(open));
}

$("panel-toggle").addEventListener("click", () => showPanel(!$("panel").hasAttribute("data-open")));
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || !$("panel").hasAttribute("data-open")) return;
  showPanel(false);
  $("panel-toggle").focus();
});

listenForKeys(
  {
    " ": toggle,
    f: () => run?.finalize(),
    o: () => $("open").click(),
    j: () => view.toLatest(),
    c: copyAll,
    t: () => toggleTheme(settings),
  },
  () => settings.get("single_keys"),
);
