// Transcripts as files: plain text and SubRip. Pure.

/** Characters in a subtitle's line, and lines in a subtitle: what television allows (BBC subtitle guidelines, EBU-TT). */
const LINE = 42;
const LINES = 2;

/** Takes one after the other, a line per segment; with more than one take, each under its title. */
export function toText(takes) {
  const spoken = takes.filter((take) => take.spoken.length > 0);
  return spoken
    .map((take) => {
      const lines = take.spoken.map((segment) => oneLine(segment.text)).join("\n");
      return spoken.length > 1 ? `${take.title}\n\n${lines}\n` : `${lines}\n`;
    })
    .join("\n");
}

/** SubRip: numbered from 1, `HH:MM:SS,mmm`, times never overlap. Takes follow one another on one time line. */
export function toSrt(takes) {
  let offset = 0;
  let free = 0; // milliseconds up to which the time line is taken
  const blocks = [];
  for (const take of takes) {
    for (const cue of take.spoken.flatMap(cues)) {
      const start = Math.max(free, milliseconds(offset + cue.start));
      const end = Math.max(start + 1, milliseconds(offset + cue.end));
      blocks.push(`${blocks.length + 1}\n${srtTime(start)} --> ${srtTime(end)}\n${cue.lines.join("\n")}\n`);
      free = end;
    }
    offset += take.duration;
  }
  return blocks.join("\n");
}

/** `milliseconds` (whole, from 0) as `HH:MM:SS,mmm`. */
export function srtTime(total) {
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const rest = String(total % 1000).padStart(3, "0");
  return `${two(total / 3_600_000)}:${two((total / 60_000) % 60)}:${two((total / 1000) % 60)},${rest}`;
}

/** A segment as subtitles of at most two lines. Its time is shared out by the length of the text: word times are not asked for. */
export function cues({ text, start, end }) {
  const lines = wrap(oneLine(text), LINE);
  const groups = [];
  for (let i = 0; i < lines.length; i += LINES) groups.push(lines.slice(i, i + LINES));
  const total = lines.join("").length;
  let told = 0;
  return groups.map((group) => {
    const from = told;
    told += group.join("").length;
    const at = (characters) => start + ((end - start) * characters) / total;
    return { lines: group, start: at(from), end: at(told) };
  });
}

function wrap(text, width) {
  const lines = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function oneLine(text) {
  return text.replace(/\s+/g, " ").trim().replaceAll("-->", "->"); // an arrow inside a subtitle would be read as a time line
}

function milliseconds(seconds) {
  return Math.round(seconds * 1000);
}
