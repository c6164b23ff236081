# SPDX-License-Identifier: MIT
"""The clock on the wall, beside the instructions.

A fence, a walk of the page tables, a store that must be translated anew cost QEMU time and no instructions:
vmbench runs again without the clock of instructions and reads the time.  Kernels take turns, and the least of
some runs counts, for whatever else the machine does only adds.  It is QEMU's time, not a processor's.

The check is for what the instructions do not show: a line that takes much longer than Linux beside it although it
is fewer instructions, or than what is stored.  Stored times may be another machine's, or a busier hour's: what the
lines of CONTROL take, which are the processor's alone, says how much slower it is now.
"""
import os
import subprocess
import sys

import bench_aims
import bench_table
import build
from bench_report import WHERE, figure
from bench_table import CONTROL, TMPFS, WHOLE, BadTable

RUNS = 3
SLOWER = 1.25  # than Linux: the least of three runs is within that from one time to the next
WORSE = 1.5  # than stored, which is of another day
STORED = os.path.join(build.TREE, "docs/wall.tsv")


def least(table, run):
    table.failure.update(run.failure)
    for (name, column), value in run.value.items():
        before = table.value.get((name, column), value)
        table.put(name, column, min(before, value), run.unit[name].replace("insn", "ns"))


def measure(kernels, words, runs=RUNS):
    """A table of nanoseconds for each of the kernels, which are (title, Kernel); words: vmbench's."""
    tables = [bench_table.Table(title) for title, _ in kernels]
    for _ in range(runs):
        for table, (title, kernel) in zip(tables, kernels):
            print(f"bench: running {title} ...", file=sys.stderr, flush=True)
            output = kernel.boot(["-c", "time", *words], icount=False)
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
    yield from in_short(tables, instructions)
    yield from failures(tables)


def failures(tables):
    for table in tables:
        for (name, column), why in table.failure.items():
            yield f"{table.title}: {name} failed, files on {WHERE[column]}: {why}"


def name_of(key):
    return key[0] if key[1] == TMPFS else f"{key[0]}, {WHERE[key[1]]}"


def compared(ours, theirs):
    """(key, ours / theirs) of the benchmarks that both have."""
    for key, value in ours.items():
        if key[0] not in CONTROL + (WHOLE,) and theirs.get(key):
            yield key, value / theirs[key]


def in_short(tables, instructions):
    *linux, mapache = tables
    if linux:
        ratios = dict(compared(mapache.value, linux[0].value))
        slower = [key for key in ratios if ratios[key] > 1]
        fewer = [key for key in slower if instructions.get(key, 1) < 1]
        for what, keys in (("slower by the clock", slower), ("of these in fewer instructions", fewer)):
            yield f"{what}: {len(keys)} of {len(ratios)}" + ": " * bool(keys) + "; ".join(map(name_of, keys))


def worse_than_linux(tables, instructions):
    """What is traded for instructions, as sentences."""
    *linux, mapache = tables
    for key, ratio in compared(mapache.value, linux[0].value if linux else {}):
        if ratio > SLOWER and instructions.get(key, 1) < 1:
            yield f"{name_of(key)} takes {ratio:.2f} times Linux's time and {instructions[key]:.2f} of its instructions"


def worse_than_stored(times, stored):
    """The same beside what is stored; (name, column) -> time."""
    control = [(name, TMPFS) for name in CONTROL]
    if not all(key in times and key in stored for key in control):
        yield f"without {' and '.join(CONTROL)} times are not comparable"
        return
    pace = max(times[key] / stored[key] for key in control)
    for key, ratio in compared(times, stored):
        if ratio > pace * WORSE:
            yield f"{name_of(key)} takes {ratio / pace:.2f} times what is stored"


def worse(tables, instructions):
    yield from worse_than_linux(tables, instructions)
    yield from worse_than_stored(tables[-1].value, Stored().time)


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
