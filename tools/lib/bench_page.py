# SPDX-License-Identifier: MIT
"""The comparison as one page of HTML, which needs nothing beside itself: bench_html/ has its parts."""
import json
import os

import outfile
from bench_compare import mean
from bench_report import WHERE, figure
from bench_table import BOOT, COLUMNS, DISK, TMPFS

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_html")
MEANS = {TMPFS: "of the better Linux: mean, files on tmpfs", DISK: "files on the RAM disk"}


def part(name):
    with open(os.path.join(FOLDER, name)) as text:
        return text.read()


def tile(value, what, good=None):
    return {"value": value, "what": what, "mood": {None: "", True: "good", False: "bad"}[good]}


def tiles(rows):
    for column in COLUMNS:
        value, _ = mean([row for row in rows if row.column == column])
        if value:
            yield tile(f"{value:.3f}", MEANS[column], value < 1)
    aims = [row for row in rows if row.met is not None]
    met = sum(row.met for row in aims)
    yield tile(f"{met} of {len(aims)}", "aims met", met == len(aims))
    slower = sum(row.ratio > 1.005 for row in rows if row.ratio)
    yield tile(str(slower), "lines slower than the better Linux", not slower)
    failures = sum(row.failure is not None for row in rows)
    if failures:
        yield tile(str(failures), "failures", False)
    for row in rows:
        if row.name == BOOT:
            yield tile(figure(row.mapache), "instructions from power-on to the first of a program, "
                       f"{figure(row.floor)} of them the firmware's", row.met)


def data(rows, linux):
    keys = ("name", "unit", "linux", "better", "mapache", "ratio", "floor", "aim", "met", "composition", "note",
            "clock", "failure")
    return {"linux": [table.title for table in linux],
            "rows": [{key: getattr(row, key) for key in keys} | {"files": WHERE[row.column]} for row in rows],
            "tiles": list(tiles(rows))}


def write(path, rows, linux):
    page = part("page.html")
    values = json.dumps(data(rows, linux)).replace("<", "\\u003c")  # nothing in it ends the script
    for mark, text in (("/*STYLE*/", part("style.css")), ("/*SCRIPT*/", part("page.js")), ("/*DATA*/", values)):
        page = page.replace(mark, text, 1)
    outfile.write(path, page)
