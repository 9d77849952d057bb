// Single keys that do things, wherever typing or scrolling does not need them.

/** `actions`: from a key (lower case, as KeyboardEvent.key) to a function. `enabled`: asked before each. */
export function listenForKeys(actions, enabled) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !enabled()) return;
    const key = event.key.toLowerCase();
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (action === undefined || taken(event.target, key)) return;
    event.preventDefault();
    action();
  });
}

/** Whether the element with the focus has its own use for `key`. */
function taken(target, key) {
  if (target.closest("input:not([type=checkbox]), select, textarea")) return true;
  return key === " " && target.closest("button, a, input, summary, [tabindex]") !== null;
}
