// Recordings from the user: chosen with a button, or dropped anywhere on the page.

/** `onFiles` gets one or more Files. `overlay` shows while files are dragged over the page. */
export function listenForFiles({ buttons, input, overlay, onFiles }) {
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that choosing the same file again is a change, too
    if (files.length > 0) onFiles(files);
  });
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    overlay.hidden = false;
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) overlay.hidden = true; // out of the window, not into another element
  });
  document.addEventListener("drop", (event) => {
    overlay.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length > 0) onFiles(files);
  });
}

function carriesFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files") ?? false;
}
