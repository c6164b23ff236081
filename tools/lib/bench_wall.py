# SPDX-License-Identifier: MIT
"""The clock on the wall, beside the instructions.

A fence, a walk of the page tables, a store that must be translated anew cost QEMU time and no instructions:
vmbench runs again without the clock of instructions and reads the time.  Kernels take turns, and the least of
some runs counts, for whatever else the machine does only adds.  It is QEMU's time, not a processor's.
"""
import os
import subprocess

import bench_aims
import bench_table
import build
from bench_report import WHERE, figure
from bench_table import CONTROL, WHOLE, BadTable

RUNS = 3
STORED = os.path.join(build.TREE, "docs/wall.tsv")


def least(table, run):
    table.failure.update(run.failure)
    for (name, column), value in run.value.items():
        before = table.value.get((name, column), value)
        table.put(name, column, min(before, value), run.unit[name].replace("insn", "ns"))


def measure(kernels, filters, runs=RUNS):
    """A table of nanoseconds for each of the kernels, which are (title, Kernel)."""
    tables = [bench_table.Table(title) for title, _ in kernels]
    for _ in range(runs):
        for table, (title, kernel) in zip(tables, kernels):
            output = kernel.boot(["-c", "time", *filters], icount=False)
            least(table, bench_table.parse(output, title))
    return tables


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours and theirs else "-"


def rows(tables, instructions):
    """instructions: (name, column) -> the ratio of instructions, for those that are known."""
    *linux, mapache = tables
    for key, ours in mapache.value.items():
        theirs = linux[0].value.get(key) if linux else None
        counted = instructions.get(key)
        yield [key[0], WHERE[key[1]], mapache.unit[key[0]], figure(theirs), figure(ours),
               ratio(ours, theirs), "-" if counted is None else f"{counted:.2f}"]


HEAD_LINES = 4  # of the file, HEADS the last one
HEADS = ["name", "files", "unit", "linux", "mapache", "ratio", "ratio_of_instructions"]


def text(tables, instructions):
    layout = "{:26} {:6} {:13} {:>14} {:>14} {:>7} {:>22}"
    yield layout.format(*HEADS)
    for row in rows(tables, instructions):
        yield layout.format(*row)
    yield from in_short(tables)
    yield from failures(tables)


def failures(tables):
    for table in tables:
        for (name, column), why in table.failure.items():
            yield f"{table.title}: {name} failed, files on {WHERE[column]}: {why}"


def measured(table):
    """Has it a line that a benchmark said?"""
    return any(name != WHOLE for name, _ in table.value)


def in_short(tables):
    *linux, mapache = tables
    if linux:
        keys = [key for key in mapache.value if key[0] not in CONTROL + (WHOLE,) and linux[0].value.get(key)]
        slower = [key[0] for key in keys if mapache.value[key] > linux[0].value[key]]
        yield f"slower by the clock: {len(slower)} of {len(keys)}: {' '.join(slower)}"


def machine():
    """What the times were taken on."""
    qemu = subprocess.run(["qemu-system-riscv64", "--version"], capture_output=True, text=True).stdout
    return f"{qemu.splitlines()[0]}, on {os.cpu_count()} processors"


def tsv(tables, instructions):
    yield "# SPDX-License-Identifier: MIT"
    yield "# Time in QEMU without its clock of instructions; the least of the runs: tools/bench --wall."
    yield f"# {machine()}"
    yield "# " + "\t".join(HEADS)
    for row in rows(tables, instructions):
        yield "\t".join(cell.replace(",", "") for cell in row)


class Stored:
    """What --tsv wrote.  BadTable: it is not that."""

    def __init__(self, path=STORED):
        with open(path, errors="replace") as lines:
            head = [line.removeprefix("# ").rstrip("\n") for line in lines if line.startswith("#")]
        if len(head) != HEAD_LINES or head[-1].split("\t") != HEADS:
            raise BadTable(f"{path} has not the head that tools/bench --wall --tsv gives")
        self.machine = head[-2]
        self.rows = []  # as they are written
        self.time = {}  # (name, column) -> Mapache's
        self.ratio = {}  # and Mapache / Linux, where it is known
        bench_aims.each_row(path, len(HEADS), self.add)
        if not self.rows:
            raise BadTable(f"{path} has no figures")

    def add(self, *row):
        name, files, _, _, mapache, ratio, _ = row
        column, = bench_aims.columns(files)
        self.rows.append(row)
        self.time[name, column] = bench_table.number(mapache)
        if ratio != "-":
            self.ratio[name, column] = bench_table.number(ratio)


def read_ratios():
    """(name, column) -> Mapache / Linux, of what is stored."""
    return Stored().ratio if os.path.exists(STORED) else {}
