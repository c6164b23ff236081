// SPDX-License-Identifier: MIT
// The layout as arrays that can be searched.  `image` is what mapfsview wrote, see its json.c.
const BLOCK_BYTES = 4096;
const USES = image.uses.length;
const USE = Object.fromEntries(image.uses.map(([name], use) => [name, use]));
const FREE = USE["free"];

// A file as an array of image.files.
const INO = 0, PATH = 1, TYPE = 2, BYTES = 3, BLOCKS = 4, PARTS = 5, MODE = 6, MODIFIED = 7;

const runs = (() => {
  const n = image.runs.length / 4;
  const all = { n, start: new Float64Array(n + 1), use: new Uint8Array(n), file: new Int32Array(n),
    logical: new Float64Array(n), ofFile: image.files.map(() => []) };
  for (let i = 0, at = 0; i < n; i++) {
    const [count, use, file, logical] = image.runs.slice(4 * i, 4 * i + 4);
    all.start[i] = at;
    all.use[i] = use;
    all.file[i] = file;
    all.logical[i] = logical;
    if (file >= 0) all.ofFile[file].push(i);
    all.start[i + 1] = at += count;
  }
  return all;
})();

// The run that a block is in.
function runOf(block) {
  let low = 0, high = runs.n;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (runs.start[middle] <= block) low = middle; else high = middle;
  }
  return low;
}

// Which group a block is in, or -1.
function groupOf(block) {
  return image.groups.findIndex(([first, n]) => block >= first && block < first + n);
}

const useName = (use) => image.uses[use][0];
const count = (n) => n.toLocaleString("en-US");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; bytes >= 1024 && i < units.length - 1; i++) bytes /= 1024;
  return `${Number.isInteger(bytes) ? bytes : bytes.toFixed(1)} ${units[i]}`;
}

const byId = (id) => document.getElementById(id);

// An element; children that are no elements are text, never markup.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// The colours of the theme; asked for once a theme.
let colours;
function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = { ink: style.getPropertyValue("--ink"), accent: style.getPropertyValue("--accent"), use: [] };
  for (let use = 0; use < USES; use++) colours.use.push(style.getPropertyValue(`--use-${use}`).trim());
}
readColours();

// A canvas as large as it is shown, in real pixels; the context counts in those of CSS.
function contextOf(canvas) {
  const ratio = devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width: box.width, height: box.height };
}

// What is looked at: the file or the use that is shown alone.
const chosen = { file: -1, use: -1 };
const isChosen = (run) => (chosen.file < 0 || runs.file[run] === chosen.file) &&
  (chosen.use < 0 || runs.use[run] === chosen.use);
