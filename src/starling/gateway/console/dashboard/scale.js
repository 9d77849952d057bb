// From what was measured to where it is drawn. Pure.

/** The smallest of 1, 2, 2.5, 4, 5 and 10 times a power of ten that is `value` or more. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 4, 5, 10]) if (step * power >= value * (1 - 1e-9)) return step * power;
  return 10 * power;
}

/** The top of an axis for `columns`: never below `least`, so that little noise does not look like much. */
export function top(columns, least) {
  let most = least;
  for (const column of columns) for (const value of column) if (value !== null && value > most) most = value;
  return ceiling(most);
}

/**
 * The pieces of a line: `[[x, y], ...]`, broken where nothing was measured or nobody looked for longer than `gap` seconds.
 * `x` goes from 0 at `from` to `width` at `until`, `y` from `height` at 0 to 0 at `most`.
 */
export function pieces(times, values, { from, until, most, width, height, gap }) {
  const found = [];
  let piece = null;
  let before = -Infinity;
  times.forEach((at, number) => {
    const value = values[number];
    if (value === null || at < from) {
      piece = null;
      return;
    }
    if (piece === null || at - before > gap) found.push((piece = []));
    piece.push([((at - from) / (until - from)) * width, height - (Math.min(value, most) / most) * height]);
    before = at;
  });
  return found;
}

/** `pieces` as the `d` of an SVG path; a lone point is a dot of a line. */
export function line(found) {
  return found.map((piece) => `M${piece.map(place).join("L")}${piece.length === 1 ? "h0.01" : ""}`).join("");
}

/** What is below the same, down to `height`. */
export function area(found, height) {
  return found.filter((piece) => piece.length > 1).map((piece) => `M${place([piece[0][0], height])}L${piece.map(place).join("L")}L${place([piece.at(-1)[0], height])}Z`).join("");
}

/** Where in `times`, which grow, the moment nearest to `at` is; -1 if there is none. */
export function nearest(times, at) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at - times[low - 1] <= times[low] - at ? low - 1 : high;
}

function place([x, y]) {
  return `${Number(x.toFixed(2))},${Number(y.toFixed(2))}`;
}
