// SPDX-License-Identifier: MIT
// The map: a grid of cells, line by line, each for `scale` blocks; and the strip, which has all.
const CELL = 11; // pixels, the gap with them
const map = { canvas: byId("map"), strip: byId("strip"), first: 0, scale: 1, columns: 1, rows: 1, cell: -1, pinned: -1 };

const cells = () => map.columns * map.rows;

const wholeScale = () => Math.ceil(image.image.blocks / cells());

// Lines begin at multiples of their length, so that moving does not shift columns.
function moveTo(first) {
  const line = map.columns * map.scale;
  const lines = Math.max(0, Math.ceil(image.image.blocks / line) - map.rows);
  map.first = Math.min(Math.max(0, Math.floor(first / line)), lines) * line;
}

// How many blocks of each use, and how many that are chosen, `n` pieces of `scale` blocks have.
function amounts(first, scale, n) {
  const all = new Float64Array(n * USES), wanted = new Float64Array(n);
  const border = (piece) => first + Math.round(piece * scale); // of the strip, `scale` is no integer
  const end = Math.min(border(n), image.image.blocks);
  let piece = 0;
  for (let run = runOf(first); run < runs.n && runs.start[run] < end; run++) {
    const to = Math.min(runs.start[run + 1], end), seen = isChosen(run);
    for (let at = Math.max(runs.start[run], first); at < to;) {
      while (border(piece + 1) <= at) piece++;
      const next = Math.min(to, border(piece + 1));
      all[piece * USES + runs.use[run]] += next - at;
      if (seen) wanted[piece] += next - at;
      at = next;
    }
  }
  return { all, wanted };
}

// The parts of a piece, from 0 to 1: what is used first; a little of something is still seen.
function shares(all, piece, smallest) {
  const list = [];
  let sum = 0;
  for (let use = 0; use < USES; use++) {
    const n = all[piece * USES + use];
    if (n) list.push([use, n]);
    sum += n;
  }
  list.sort((a, b) => (a[0] === FREE) - (b[0] === FREE) || b[1] - a[1]);
  for (const share of list) share[1] = Math.max(share[1] / sum, smallest);
  sum = list.reduce((total, share) => total + share[1], 0);
  for (const share of list) share[1] /= sum;
  return list;
}

function drawMap() {
  const { context, width, height } = contextOf(map.canvas);
  const columns = Math.max(8, Math.floor(width / CELL)), rows = Math.floor(height / CELL);
  if (columns !== map.columns || rows !== map.rows) {
    const whole = map.scale >= wholeScale();
    Object.assign(map, { columns, rows });
    if (whole || map.scale > wholeScale()) map.scale = wholeScale();
    moveTo(map.first);
  }
  const { all, wanted } = amounts(map.first, map.scale, cells());
  const dim = chosen.file >= 0 || chosen.use >= 0;
  for (let i = 0; i < cells() && map.first + i * map.scale < image.image.blocks; i++) {
    let x = (i % columns) * CELL;
    const y = Math.floor(i / columns) * CELL;
    context.globalAlpha = dim && !wanted[i] ? 0.18 : 1;
    for (const [use, share] of shares(all, i, 0.2)) {
      context.fillStyle = colours.use[use];
      context.fillRect(x, y, share * (CELL - 1), CELL - 1);
      x += share * (CELL - 1);
    }
  }
  context.globalAlpha = 1;
  outline(context, map.pinned, colours.accent);
  outline(context, map.cell < 0 ? -1 : map.first + map.cell * map.scale, colours.ink);
  byId("scale").textContent = map.scale === 1 ? "one cell is one block" :
    `one cell is ${count(map.scale)} blocks (${size(map.scale * BLOCK_BYTES)})`;
  drawStrip();
}

function outline(context, block, colour) {
  const cell = Math.floor((block - map.first) / map.scale);
  if (block < 0 || cell < 0 || cell >= cells()) return;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect((cell % map.columns) * CELL, Math.floor(cell / map.columns) * CELL, CELL - 1, CELL - 1);
}

function drawStrip() {
  const { context, width, height } = contextOf(map.strip);
  const n = Math.max(1, Math.min(Math.floor(width), image.image.blocks)), scale = image.image.blocks / n;
  const { all, wanted } = amounts(0, scale, n);
  const dim = chosen.file >= 0 || chosen.use >= 0;
  for (let i = 0; i < n; i++) {
    let y = 2;
    context.globalAlpha = dim && !wanted[i] ? 0.18 : 1;
    for (const [use, share] of shares(all, i, 0.15)) {
      context.fillStyle = colours.use[use];
      context.fillRect(i * width / n, y, width / n + 0.5, share * (height - 4));
      y += share * (height - 4);
    }
  }
  context.globalAlpha = 1;
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  const shown = Math.min(cells() * map.scale, image.image.blocks - map.first);
  context.strokeRect(1 + map.first / image.image.blocks * (width - 2), 1,
    Math.max(3, shown / image.image.blocks * (width - 2)), height - 2);
}

// Twice or half as much, with the block at `cell` staying where it is as nearly as lines allow.
function zoom(factor, cell) {
  const scale = Math.min(wholeScale(), Math.max(1, Math.floor(map.scale * factor)));
  const at = cell >= 0 ? cell : Math.floor(cells() / 2);
  const block = Math.min(map.first + at * map.scale, image.image.blocks - 1);
  map.scale = scale;
  moveTo(block - Math.floor(at / map.columns) * map.columns * scale);
  map.cell = -1;
  drawMap();
}

// The block in the middle of the map, one cell a block, and its details.
function showBlock(block) {
  map.scale = 1;
  moveTo(block - Math.floor(map.rows / 2) * map.columns);
  pin(block, 1);
}

// --- What is in a cell

function describeRun(run, block) {
  const file = image.files[runs.file[run]], use = runs.use[run];
  const rows = [["is", useName(use)]];
  if (file) rows.push(["of", `${file[PATH]} (inode ${file[INO]})`]);
  if (file && (use === USE["file data"] || use === USE["unwritten"])) {
    const logical = runs.logical[run] + block - runs.start[run];
    rows.push(["file block", count(logical)], ["file bytes", `${count(logical * BLOCK_BYTES)} on`]);
  }
  rows.push(["its run", `${count(runs.start[run])} .. ${count(runs.start[run + 1] - 1)} (${plural(runs.start[run + 1] - runs.start[run], "block")})`]);
  return rows;
}

function describeRange(first, end) {
  const { all } = amounts(first, end - first, 1);
  const rows = [], owners = new Set();
  for (let use = 0; use < USES; use++)
    if (all[use]) rows.push([useName(use), plural(all[use], "block")]);
  for (let run = runOf(first); run < runs.n && runs.start[run] < end; run++)
    if (runs.file[run] >= 0) owners.add(image.files[runs.file[run]][PATH]);
  const names = [...owners];
  if (names.length) rows.push([plural(names.length, "owner"), names.slice(0, 6).join(", ") + (names.length > 6 ? ", ..." : "")]);
  return rows;
}

function describe(block, n) {
  const end = Math.min(block + n, image.image.blocks);
  const rows = end - block === 1 ? describeRun(runOf(block), block) : describeRange(block, end);
  const group = groupOf(block);
  if (group >= 0) rows.push(["group", String(group)]);
  return { title: end - block === 1 ? `Block ${count(block)}` : `Blocks ${count(block)} .. ${count(end - 1)}`, rows };
}

function pin(block, n) {
  const { title, rows } = describe(block, n);
  const list = element("dl");
  for (const [name, value] of rows) list.append(element("dt", {}, name), element("dd", {}, value));
  const file = runs.file[runOf(block)];
  byId("details").replaceChildren(element("h3", {}, title), list,
    element("code", {}, `tools/mapfsview ${image.image.name} block ${block}`));
  if (n === 1 && file >= 0)
    byId("details").append(element("code", {}, `tools/mapfsview ${image.image.name} inode ${image.files[file][INO]}`));
  map.pinned = block;
  drawMap();
}

function tip(event, text) {
  const box = byId("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  box.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}

// --- Pointer and keys

function cellAt(event) {
  const box = map.canvas.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / CELL), y = Math.floor((event.clientY - box.top) / CELL);
  const cell = y * map.columns + x;
  return x < 0 || y < 0 || x >= map.columns || cell >= cells() ||
    map.first + cell * map.scale >= image.image.blocks ? -1 : cell;
}

map.canvas.addEventListener("pointermove", (event) => {
  const cell = cellAt(event);
  if (cell !== map.cell) {
    map.cell = cell;
    drawMap();
  }
  if (cell < 0) return tip(event, "");
  const { title, rows } = describe(map.first + cell * map.scale, map.scale);
  tip(event, `${title}: ${rows.filter(([name]) => name !== "its run").map(([name, value]) => name === "is" ? value : `${name} ${value}`).join(", ")}`);
});
map.canvas.addEventListener("pointerleave", (event) => {
  map.cell = -1;
  tip(event, "");
  drawMap();
});
map.canvas.addEventListener("click", (event) => {
  const cell = cellAt(event);
  if (cell >= 0) pin(map.first + cell * map.scale, map.scale);
});
map.canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 0.5 : 2, cellAt(event));
}, { passive: false });
map.canvas.addEventListener("keydown", (event) => {
  const line = map.columns * map.scale;
  const move = { ArrowUp: -line, ArrowDown: line, PageUp: -line * map.rows, PageDown: line * map.rows }[event.key];
  const step = { ArrowLeft: -map.scale, ArrowRight: map.scale }[event.key];
  if (move) {
    moveTo(map.first + move);
    drawMap();
  } else if (step) {
    const from = map.pinned >= 0 ? map.pinned : map.first;
    pin(Math.min(Math.max(0, from + step), image.image.blocks - 1), map.scale);
  } else if (event.key === "+" || event.key === "=") {
    zoom(0.5, -1);
  } else if (event.key === "-") {
    zoom(2, -1);
  } else {
    return;
  }
  event.preventDefault();
});

function dragStrip(event) {
  if (!event.buttons) return;
  const box = map.strip.getBoundingClientRect();
  const block = (event.clientX - box.left) / box.width * image.image.blocks;
  moveTo(block - cells() * map.scale / 2);
  drawMap();
}
map.strip.addEventListener("pointerdown", dragStrip);
map.strip.addEventListener("pointermove", dragStrip);

byId("zoom-in").addEventListener("click", () => zoom(0.5, -1));
byId("zoom-out").addEventListener("click", () => zoom(2, -1));
byId("zoom-all").addEventListener("click", () => zoom(Infinity, -1));
byId("go").addEventListener("submit", (event) => {
  event.preventDefault();
  const block = Number(byId("go-block").value.replace(/[ ,_]/g, ""));
  if (Number.isInteger(block) && block >= 0 && block < image.image.blocks) showBlock(block);
  else byId("details").replaceChildren(`There is no such block: they go from 0 to ${count(image.image.blocks - 1)}.`);
});
