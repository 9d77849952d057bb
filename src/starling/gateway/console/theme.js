// Dark or light: the system's choice until the user makes one. Loaded before the first paint.
import { Settings, browserStorage } from "./settings.js";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** "light" or "dark", as it is shown now. */
export function shownTheme() {
  return root.dataset.theme ?? (dark.matches ? "dark" : "light");
}

/** Show the other theme and remember it. Choosing what the system shows anyway goes back to following the system. */
export function toggleTheme(settings) {
  const theme = shownTheme() === "dark" ? "light" : "dark";
  settings.set("theme", theme === (dark.matches ? "dark" : "light") ? undefined : theme);
  apply(settings);
}

/** Call `listener` whenever another theme is shown. */
export function onThemeChange(listener) {
  dark.addEventListener("change", listener);
  new MutationObserver(listener).observe(root, { attributeFilter: ["data-theme"] });
}

function apply(settings) {
  const theme = settings.get("theme");
  if (theme === undefined) delete root.dataset.theme;
  else root.dataset.theme = theme;
}

apply(new Settings(browserStorage()));
