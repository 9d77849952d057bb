// Text out of the page: to the clipboard, to a file.

/** Copy `text`. False where the browser lets no page do it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text); // pages that are not secure have no clipboard but this
  }
}

/** Offer `text` as a file to save. */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The name for a file of `takes`: that of the recording, or the moment it began. */
export function fileName(takes, extension) {
  const [take] = takes;
  if (takes.length === 1 && take.title.includes(".")) return `${take.title.replace(/\.[^.]*$/, "")}.${extension}`;
  const two = (value) => String(value).padStart(2, "0");
  const { began } = take;
  const date = `${began.getFullYear()}-${two(began.getMonth() + 1)}-${two(began.getDate())}`;
  return `starling ${date} ${two(began.getHours())}.${two(began.getMinutes())}.${extension}`;
}

function copySelected(text) {
  const area = document.createElement("textarea");
  const focus = document.activeElement;
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focus?.focus();
  return copied;
}
