// SPDX-License-Identifier: MIT
"use strict";
const page = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function figure(value) {
  if (value === null) return "–";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 0.01 || value === 0 ? value.toFixed(2) : value.toFixed(4);
}

// --- Columns: what a row shows, and what it is sorted by

const columns = [
  { id: "name", title: "Line", of: (row) => row.name },
  ...page.linux.map((title, i) => ({ id: "linux-" + i, title, of: (row) => row.linux[i] })),
  { id: "mapache", title: "Mapache", of: (row) => row.mapache },
  { id: "ratio", title: "Ratio", of: (row) => row.ratio },
  { id: "clock", title: "Clock", of: (row) => row.clock },
  { id: "floor", title: "Floor", of: (row) => row.floor },
  { id: "aim", title: "Aim", of: (row) => row.aim },
  { id: "verdict", title: "Aim met", of: (row) => (row.met === null ? null : row.mapache / row.aim) },
];
const order = { column: null, descending: false };

function sorted(rows) {
  if (!order.column) return rows;
  const sign = order.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [order.column.of(a), order.column.of(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

const tests = {
  all: () => true,
  over: (row) => row.met === false || row.failure,
  met: (row) => row.met === true,
  slower: (row) => row.ratio > 1.005,
  disk: (row) => row.files === "disk",
};

function chosen() {
  const words = byId("search").value.toLowerCase().split(/\s+/);
  const test = tests[byId("show").value];
  return sorted(page.rows.filter((row) => test(row) && words.every((word) => row.name.includes(word))));
}

// --- The logarithmic scale: decades of instructions, or of the better Linux's

function scale() {
  const relative = byId("scale").value === "relative";
  const [first, last] = relative ? [-2, 2] : [0, 10];
  return {
    first, last, relative,
    label: (power) => (relative ? (power < 0 ? (10 ** power).toFixed(-power) : 10 ** power) + "×" :
      ["1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M", "1G", "10G"][power]),
    at: (row, value) => {
      const base = relative ? row.better : 1;
      if (value === null || !base) return null;
      const place = (Math.log10(Math.max(value / base, 1e-12)) - first) / (last - first);
      return 100 * Math.min(1, Math.max(0, place));
    },
  };
}

function track(row, along) {
  const bars = [...row.linux, row.mapache];
  const height = 24 / bars.length;
  const element = make("div", { className: "track", role: "img" });
  element.style.setProperty("--decades", along.last - along.first);
  element.setAttribute("aria-label", `Mapache ${figure(row.mapache)}, ` +
    page.linux.map((title, i) => `${title} ${figure(row.linux[i])}`).join(", "));
  bars.forEach((value, i) => {
    const place = along.at(row, value);
    if (place === null) return;
    const mine = i === row.linux.length;
    const bar = make("i", { className: mine ? "mapache" + (row.met === false ? " over" : "") : "linux-" + i });
    bar.style.cssText = `top: ${2 + i * height}px; height: ${height - 2}px; width: max(2px, ${place}%)`;
    element.append(bar);
  });
  const marks = [["mark floor", row.floor], ["mark aim", row.aim], ["one", along.relative ? row.better : null]];
  for (const [name, value] of marks) {
    const place = along.at(row, value);
    if (place === null) continue;
    const mark = make("i", { className: name });
    mark.style.left = place + "%";
    element.append(mark);
  }
  return element;
}

// --- The table

function verdict(row) {
  if (row.failure) return make("span", { className: "verdict failed" }, "failed: " + row.failure);
  if (row.met === null) return "–";
  const over = Math.ceil(100 * (row.mapache / row.aim - 1));
  return make("span", { className: "verdict " + (row.met ? "met" : "over") }, row.met ? "met" :
    over < 1000 ? `${over}% over` : `${Math.round(row.mapache / row.aim)} times`);
}

function nameCell(row) {
  const what = make("summary", {}, row.name);
  if (row.files === "disk") what.append(make("span", { className: "files" }, "RAM disk"));
  const inside = make("details", {}, what, make("p", {}, row.unit));
  if (row.composition) inside.append(make("p", {}, `floor ${figure(row.floor)} = ${row.composition}`));
  if (row.met === false && row.note) inside.append(make("p", {}, row.note));
  return make("td", { className: "name" }, inside);
}

function tableRow(row, along) {
  const element = make("tr", {}, nameCell(row), make("td", { className: "chart" }, track(row, along)));
  for (const column of columns.slice(1)) {
    const cell = make("td", { className: column.id },
      column.id === "verdict" ? verdict(row) : figure(column.of(row)));
    cell.dataset.label = column.title;
    cell.classList.toggle("slower", ["ratio", "clock"].includes(column.id) && column.of(row) > 1.005);
    element.append(cell);
  }
  return element;
}

function headCell(column) {
  const button = make("button", { type: "button" }, column.title);
  button.addEventListener("click", () => sortBy(column));
  const head = make("th", { scope: "col" }, button);
  head.dataset.column = column.id;
  return head;
}

function sortBy(column) {
  if (order.column !== column) Object.assign(order, { column, descending: false });
  else if (!order.descending) order.descending = true;
  else order.column = null;
  show();
}

function showHeads(along) {
  for (const head of document.querySelectorAll("#heads [data-column]")) {
    const mine = order.column && order.column.id === head.dataset.column;
    if (mine) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  const axis = byId("axis");
  axis.replaceChildren();
  for (let power = along.first; power <= along.last; power++) {
    const label = make("span", {}, String(along.label(power)));
    label.style.left = (100 * (power - along.first)) / (along.last - along.first) + "%";
    axis.append(label);
  }
  byId("order").value = order.column ? order.column.id + (order.descending ? "-" : "") : "";
}

function show() {
  const along = scale(), rows = chosen();
  byId("rows").replaceChildren(...rows.map((row) => tableRow(row, along)));
  byId("count").textContent = `${rows.length} of ${page.rows.length} lines`;
  showHeads(along);
}

// --- What does not change

function showTiles() {
  for (const tile of page.tiles)
    byId("tiles").append(make("div", { className: "tile " + tile.mood }, make("b", {}, tile.value), make("span", {}, tile.what)));
}

function showLegend() {
  const marks = [...page.linux.map((title, i) => ["linux-" + i, title]), ["mapache", "Mapache"],
    ["mapache over", "Mapache, over its aim"], ["mark floor", "floor"], ["mark aim", "aim"]];
  for (const [name, title] of marks)
    byId("legend").append(make("span", {}, make("i", { className: name }), title));
}

function showControls() {
  const [name, ...others] = columns.map(headCell);
  const chart = make("th", { className: "chart", scope: "col" }, make("div", { className: "axis", id: "axis" }));
  byId("heads").append(name, chart, ...others);
  byId("order").append(make("option", { value: "" }, "as measured"));
  for (const column of columns) {
    byId("order").append(make("option", { value: column.id }, column.title + ", rising"),
      make("option", { value: column.id + "-" }, column.title + ", falling"));
  }
  byId("order").addEventListener("change", (event) => {
    const id = event.target.value;
    order.column = columns.find((column) => column.id === id.replace(/-$/, "")) || null;
    order.descending = id.endsWith("-");
    show();
  });
  for (const id of ["search", "show", "scale"]) byId(id).addEventListener("input", show);
}

showTiles();
showLegend();
showControls();
show();
