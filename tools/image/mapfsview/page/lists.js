// SPDX-License-Identifier: MIT
// All around the map: the head, the legend, the files, the log, the groups, the charts.
const PAGE_FILES = 25;
let shownFiles = PAGE_FILES;

function drawHead() {
  const info = image.image;
  const name = info.name.replace(/.*\//, "");
  document.title = `${name}: mapfs`;
  byId("title").textContent = info.label ? `${info.label} (${name})` : name;
  byId("subtitle").textContent = `mapfs, ${size(info.blocks * BLOCK_BYTES)}, made ${info.made.slice(0, 19)} UTC, UUID ${info.uuid}`;
  const state = image.log.groups.length ? ["to be recovered", "bad"] : info.clean ? ["clean", "good"] : ["not clean", "bad"];
  const free = image.uses[FREE][1];
  const whole = image.parts[0], files = image.parts.reduce((sum, n) => sum + n, 0);
  const tiles = [
    [state[0], "state", state[1]],
    [count(free), `free blocks, ${(100 * free / info.blocks).toFixed(1)} %`],
    [count(info.inodes_used), `of ${count(info.inodes)} inodes in use`],
    [plural(image.log.groups.length, "group"), "in the log, not in place"],
    [files ? `${(100 * whole / files).toFixed(1)} %` : "none", "of the files in one part"],
    [image.n_findings ? plural(image.n_findings, "finding") : "nothing", "found by fsck", image.n_findings ? "bad" : "good"],
  ];
  byId("tiles").replaceChildren(...tiles.map(([value, name, kind]) =>
    element("div", { class: `tile ${kind || ""}` }, element("b", {}, value), element("span", {}, name))));
}

function drawFindings() {
  if (!image.n_findings) return;
  const left = image.n_findings - image.findings.length;
  byId("findings").hidden = false;
  byId("findings").replaceChildren(element("h2", {}, "What fsck finds"),
    element("ul", {}, ...image.findings.map((line) => element("li", {}, line)),
      ...(left ? [element("li", {}, `and ${count(left)} more`)] : [])));
}

// --- Choosing one thing

function choose(what, value) {
  const again = chosen[what] === value;
  chosen.file = chosen.use = -1;
  if (!again) chosen[what] = value;
  for (const button of document.querySelectorAll("[data-use], [data-file]")) {
    const of = button.dataset.use !== undefined ? "use" : "file";
    button.setAttribute("aria-pressed", String(Number(button.dataset[of]) === chosen[of]));
  }
  if (chosen.file >= 0) pinFile(chosen.file, runs.ofFile[chosen.file][0]);
  else drawMap();
}

function pinFile(index, run) {
  const file = image.files[index];
  const rows = [["is", `${file[TYPE]}, ${file[MODE]}`], ["inode", String(file[INO])], ["size", plural(file[BYTES], "byte")],
    ["blocks", count(file[BLOCKS])], ["parts", count(file[PARTS])], ["modified", file[MODIFIED]]];
  const list = element("dl");
  for (const [name, value] of rows) list.append(element("dt", {}, name), element("dd", {}, value));
  byId("details").replaceChildren(element("h3", {}, file[PATH]), list,
    element("code", {}, `tools/mapfsview ${image.image.name} tree ${file[INO]}`));
  const first = run === undefined ? -1 : runs.start[run]; // it may have no block
  if (first >= 0 && (first < map.first || first >= map.first + cells() * map.scale)) moveTo(first - Math.floor(map.rows / 3) * map.columns * map.scale);
  map.pinned = first;
  drawMap();
}

function drawLegend() {
  byId("legend").replaceChildren(...image.uses.flatMap(([name, n], use) => n === 0 ? [] : [
    element("button", { type: "button", "data-use": use, "aria-pressed": "false", title: `${name}: ${size(n * BLOCK_BYTES)}`,
      onclick: () => choose("use", use) },
    element("i", { style: `background: var(--use-${use})` }), name, element("span", { class: "count" }, count(n)))]));
}

// --- Files

function matching() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean), order = byId("order").value;
  const list = [];
  image.files.forEach((file, index) => {
    const text = file[PATH].toLowerCase();
    if (words.every((word) => text.includes(word) || String(file[INO]) === word)) list.push(index);
  });
  const by = {
    parts: (a, b) => b[PARTS] - a[PARTS] || b[BYTES] - a[BYTES],
    bytes: (a, b) => b[BYTES] - a[BYTES],
    path: (a, b) => a[PATH] < b[PATH] ? -1 : 1,
    ino: (a, b) => a[INO] - b[INO],
  }[order];
  return list.sort((a, b) => by(image.files[a], image.files[b]));
}

// Where on the disk a file is, from its first block to its last.
function drawExtents(canvas, index) {
  const { context, width, height } = contextOf(canvas);
  context.fillStyle = colours.use[FREE];
  context.fillRect(0, 0, width, height);
  for (const run of runs.ofFile[index]) {
    context.fillStyle = colours.use[runs.use[run]];
    context.fillRect(runs.start[run] / image.image.blocks * width, 1,
      Math.max(2, (runs.start[run + 1] - runs.start[run]) / image.image.blocks * width), height - 2);
  }
}

function fileRow(index) {
  const file = image.files[index];
  return element("button", { type: "button", class: "file", "data-file": index, title: file[PATH],
    "aria-pressed": String(index === chosen.file), onclick: () => choose("file", index) },
  element("span", { class: "path" }, file[PATH]), element("span", { class: "number" }, size(file[BYTES])),
  element("span", { class: "number" }, plural(file[PARTS], "part")), element("canvas", {}));
}

function drawFiles() {
  const list = matching();
  const left = image.n_files - image.files.length;
  byId("files-count").textContent = `${count(list.length)} of ${plural(image.n_files, "inode")}` +
    (left ? `; ${count(left)} small ones are not listed` : "") +
    (image.merged ? "; they are in too many parts to be drawn" : "");
  byId("files").replaceChildren(...list.slice(0, shownFiles).map(fileRow));
  for (const row of byId("files").children) drawExtents(row.querySelector("canvas"), Number(row.dataset.file));
  byId("more").hidden = list.length <= shownFiles;
}

byId("search").addEventListener("input", () => { shownFiles = PAGE_FILES; drawFiles(); });
byId("order").addEventListener("change", () => { shownFiles = PAGE_FILES; drawFiles(); });
byId("more").addEventListener("click", () => { shownFiles += PAGE_FILES; drawFiles(); });

// --- Log and groups

function table(heads, rows) {
  return element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map(([name, number]) => element("th", number ? { class: "number" } : {}, name)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, i) =>
      element("td", heads[i][1] ? { class: "number" } : {}, cell)))))));
}

// The blocks [first, first + n) of the disk as a bar, by use.
function bar(first, n, kind) {
  const pieces = [];
  for (let run = runOf(first); run < runs.n && runs.start[run] < first + n; run++) {
    const blocks = Math.min(runs.start[run + 1], first + n) - Math.max(runs.start[run], first);
    const last = pieces[pieces.length - 1];
    if (last && last.use === runs.use[run]) last.blocks += blocks;
    else pieces.push({ use: runs.use[run], blocks });
  }
  return element("div", { class: `bar ${kind || ""}` }, ...pieces.map(({ use, blocks }) => element("i",
    { style: `width: ${100 * blocks / n}%; background: var(--use-${use})`, title: `${useName(use)}: ${plural(blocks, "block")}` })));
}

function drawLog() {
  const log = image.log;
  const heads = log.heads.map(([sequence, offset, good], which) => !good ? `head ${which} is damaged` :
    `head ${which}: group ${sequence} at offset ${count(offset)}${which === log.head ? " (counts)" : ""}`);
  const outlook = log.fault ? `What is in the log cannot be told: a head ${log.fault}.` :
    log.groups.length ? `A mount puts ${plural(log.moved, "block")} in place, from ${plural(log.groups.length, "group")}.` :
      "All of it is in place: there is nothing to recover.";
  byId("log").replaceChildren(
    element("p", { class: "note" }, `Two heads and a ring of ${count(log.ring)} blocks from block ${count(log.start)} on. ${heads.join("; ")}. ${outlook}`),
    bar(log.start + 2, log.ring, "ring"));
  if (log.groups.length)
    byId("log").append(table([["group", 1], ["offset", 1], ["blocks", 1], ["committed"], ["copies of"]],
      log.groups.map(([sequence, offset, blocks, , time, kinds]) => [String(sequence), count(offset), count(blocks), time.slice(0, 23),
        Object.entries(kinds).map(([kind, n]) => `${kind}: ${n}`).join(", ")])));
}

function drawGroups() {
  byId("groups").replaceChildren(table([["group", 1], ["blocks"], ["free", 1], ["free inodes", 1], ["used for"]],
    image.groups.map(([first, n, free, inodes, damaged], i) => [String(i), `${count(first)} .. ${count(first + n - 1)}`,
      damaged ? "damaged" : count(free), count(inodes), bar(first, n)])));
}

// --- Charts

function chart(place, rows, empty) {
  const most = Math.max(...rows.map(([, n]) => n), 1);
  const shown = rows.filter(([, n]) => n);
  byId(place).replaceChildren(element("div", { class: "chart" }, ...shown.flatMap(([name, n, value]) => [
    element("span", { class: "name" }, name), element("i", { style: `width: ${100 * n / most}%` }), element("span", { class: "value" }, value)])),
  ...(shown.length ? [] : [empty]));
}

const powerName = (i) => i === 0 ? "1" : `${count(2 ** i)} .. ${count(2 ** (i + 1) - 1)}`;

function drawCharts() {
  const blocks = [], pieces = [];
  for (let run = 0; run < runs.n; run++) {
    if (runs.use[run] !== FREE) continue;
    const n = runs.start[run + 1] - runs.start[run], i = Math.floor(Math.log2(n));
    blocks[i] = (blocks[i] || 0) + n;
    pieces[i] = (pieces[i] || 0) + 1;
  }
  chart("free", Array.from(blocks, (n, i) => [`${powerName(i)} blocks`, n || 0, `${plural(pieces[i] || 0, "run")}, ${size((n || 0) * BLOCK_BYTES)}`]),
    "No block is free.");
  chart("parts", image.parts.map((n, i) => [`${powerName(i)} part${i ? "s" : ""}`, n, plural(n, "file")]), "No file has blocks.");
}

// --- All

function drawCanvases() {
  readColours();
  drawMap();
  for (const row of byId("files").children) drawExtents(row.querySelector("canvas"), Number(row.dataset.file));
}

drawHead();
drawFindings();
drawLegend();
map.scale = Infinity; // the whole disk, as soon as the map's size is known
drawMap();
byId("details").append(element("p", { class: "note" }, "Click on a block, or on a file below."));
drawFiles();
drawLog();
drawGroups();
drawCharts();
addEventListener("resize", drawCanvases);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCanvases);
