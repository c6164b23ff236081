# SPDX-License-Identifier: MIT
"""The section of docs/figures.md about vmbench: made of docs/figures.tsv and what it is held against."""
import os

import bench_aims
import bench_compare
import bench_linux
import bench_table
import bench_wall
import build
from bench_report import figure, in_short, ratio
from bench_table import DISK, TMPFS

AGAIN = os.path.join(build.TREE, "docs/growth/again.tsv")
PAGES = 4096  # of what BEYOND says
STORED = os.path.join(build.TREE, "docs/figures.tsv")

INTRODUCTION = """\
## Beside Linux

Retired instructions of one static program, `usr/bench/vmbench.c`, on two lean Linux kernels (6.1.192 and 6.12.95;
`usr/bench/linux/*.tsv`, whose heads say how they were built and run) and on Mapache's release preset, on the same
machine of QEMU. `tools/bench` measures and prints this table, `tools/bench --html FILE` makes a page of it,
`tools/bench --check` names what has become more than 3% worse than `docs/figures.tsv` or is over an aim that it met
there, and `tools/bench --linux IMAGE` runs a Linux kernel side by side. Two runs agree to the instruction; `tools/test bench` sees to that. (Of the
disk's lines two builds may differ by some hundreds: the image of the disk holds these documents, too.)

In short:

"""

MACHINE = """
### The machine

QEMU's arguments are Linux's, word for word: `-M virt -m 1G -smp 1 -icount shift=0,sleep=off
-rtc base=2026-01-01,clock=vm -seed 1 -nographic -no-reboot -global virtio-mmio.force-legacy=false`, no disk and no
network. So are vmbench's order and its directories, `/tmp` and `/mnt/ram`. What differs:

| | Linux | Mapache | why |
| --- | --- | --- | --- |
| `-initrd` | an initramfs with vmbench and an image of ext4 of 64 MiB, which vmbench copies to `/dev/ram0` | `disk.img`, an image of mapfs of 128 MiB, which is the RAM disk | each boots as it does |
| `-append` | `console=ttyS0 quiet ramdisk_size=65536 norandmaps` | `root=ram0 norandmaps` | both turn randomization off; the other words are about the console and the root |
| vmbench is | process 1 | the job of `/bin/init`, with `-d /tmp -d /mnt/ram` | as process 1 it would mount a second tmpfs on `/tmp`, and each path would cross two mounts instead of one |
| `/mnt/ram` | where ext4 is mounted | a directory of the root | the root is on the RAM disk |

vmbench is compiled by the same compiler with the same options. It differs from the one that gave Linux's figures
in two places: it prints four digits of figures below ten, of which 3% are seen then; and user_loop is batches of 200,000 turns,
shorter than a tick of Linux's clock, for four digits show the tick. `usr/bench/linux/build` makes the Linux Images from
Debian's packages of their sources and `lean.config`. Linux 6.1 built again from the same source and run by
`tools/bench --linux` gives its figures again: 42 of 88 to the instruction, the others within 2.2%
(`usr/bench/linux/beside-6.1.tsv`). 6.12 was not built again, and Debian's package is of a later one (6.12.117 in
November 2026; `build` says so).
"""

BEYOND = """
### What lines leave out

A line measures its own call. mprotect_4096 does not touch the pages between its calls, nor do parent and children of
fork_exit_wait between forks: what was stored to since the last fork the next one write-protects anew. A right that
comes back, and a page that a fork shares, are given here by the next fault on the page; Linux visits each page in the
call. Who goes through such pages in sequence, either way, gets 32 of them with a fault. Of 16 MiB
(`tools/growth again`: 4096 pages) one costs, calls and accesses together, {protect} instructions when they are made
read-only and writable and then stored to, and {hide} when they are made inaccessible and accessible and then loaded from.
Two calls of Linux are {linux} a page (2/4096 of its mprotect_4096); what its accesses take after them, and rights
taken away altogether, were not measured. Who stores in random order pays a fault for most pages, {scattered} instructions a
page (`scattered`): {times} times as much as Linux's calls.

Some lines meet what was used last: a thread keeps the directories of its last paths, four of them (`fs/path.c`),
and stat and open_close name the same one each time. Who goes round among two to four directories takes 820
to 886 instructions for a stat where the same one each time takes 764; among five or more each path is walked whole,
which is 1,687 (`tools/run --icount --mem 1G -- /bench/growth turns /tmp 1 2 3 4 5 64`).
"""

FLOORS = """
### Floors

The floor of a line is the least that it can take with what it promises: the steps that no design can leave out,
each in the best way known. Its aim is the least of floor + (better Linux - floor) / 2 and what was set for the line.
The steps, `usr/bench/primitives.tsv`:

| step | instructions | |
| --- | ---: | --- |
"""

COMPOSITIONS = """
What each line's floor is made of, `usr/bench/floors.tsv`; an aim in this table was set for the line:

| line | floor | set aim | steps |
| --- | ---: | ---: | --- |
"""

WALL_CLOCK = """
### By the clock

A fence or a walk of the page tables costs QEMU time and no instructions. So vmbench runs again without the clock of
instructions and reads the time: `tools/bench --wall --linux IMAGE --tsv docs/wall.tsv`, kernels by turns, the least of
the runs; Linux is 6.1. `--wall --check` names what takes half as long again as stored, or a quarter longer than Linux
though it is fewer instructions. It is QEMU's time and not a processor's. Above all, QEMU 7.2 flushes its TLB whenever SUM
changes, which Linux does around each access of its own to user memory, as Mapache does, but more often; so ratios
here tell of QEMU as much as of kernels. What they would show is a line that fences or walks so much more that it is
slower than Linux's by the clock: none is. By harts: [harts.md](harts.md).
"""


def name_of(name, column):
    return f"{name}, disk" if column == DISK else name


def lines(rows, titles):
    heads = ["line", *titles, "Mapache", "ratio", "floor", "aim", ""]
    yield f"| {' | '.join(heads)} |\n| --- |{' ---: |' * (len(heads) - 2)} --- |\n"
    for row in rows:
        cells = [name_of(row.name, row.column), *map(figure, row.linux), figure(row.mapache), ratio(row),
                 figure(row.floor), figure(row.aim), {None: "", True: "met", False: "**over**"}[row.met]]
        yield f"| {' | '.join(cells)} |\n"


def compositions(floors):
    for (name, column), floor in floors.items():
        if column == TMPFS or floors[name, TMPFS].composition != floor.composition:
            yield (f"| {name_of(name, column)} | {figure(floor.value)} | {figure(floor.at_most).replace('-', '')} "
                   f"| {floor.composition} |\n")


def over(rows):
    known = [row for row in rows if row.met is False and row.note]
    if known:
        yield "\n### Over the aim\n\nWhy, where it is known:\n\n"
        for row in known:
            yield f"- {name_of(row.name, row.column)}: {row.note}\n"


def wall():
    stored, heads = bench_wall.Stored(), bench_wall.HEADS
    yield WALL_CLOCK + f"\n{stored.machine}.\n\n"
    yield f"| {' | '.join(heads).replace('_', ' ')} |\n| --- | --- | --- |{' ---: |' * (len(heads) - 3)}\n"
    for row in stored.rows:
        yield f"| {' | '.join(row)} |\n"


def again(pages):
    """What tools/growth has stored of pages that are protected and used again: series -> instructions a page."""
    with open(AGAIN) as rows:
        cells = [row.split("\t") for row in rows if not row.startswith("#")]
    return {series: int(value) for series, size, value in cells if size == str(pages)}


def beyond(linux):
    """linux: tables"""
    values, calls = again(PAGES), sorted(2 * table.value["mprotect_4096", TMPFS] / PAGES for table in linux)
    times = [values["scattered"] / call for call in reversed(calls)]
    return BEYOND.format(**values, linux=f"{calls[0]:.0f} to {calls[-1]:.0f}", times=f"{times[0]:.1f} to {times[-1]:.1f}")


def section():
    primitives = bench_aims.Primitives()
    floors = bench_aims.read_floors(primitives=primitives)
    linux = bench_linux.tables()
    rows = bench_compare.join(bench_table.read(STORED, "Mapache"), linux, floors, bench_aims.read_notes())
    yield INTRODUCTION
    yield "".join(f"- {text}\n" for text in in_short(rows)) + "\n"
    yield from lines(rows, [table.title for table in linux])
    yield from over(rows)
    yield MACHINE
    yield beyond(linux)
    yield FLOORS
    for name, instructions in primitives.items():
        what, composition = primitives.what[name]
        yield f"| {name} | {figure(float(instructions))} | {what}{': ' + composition if composition else ''} |\n"
    yield COMPOSITIONS
    yield from compositions(floors)
    if os.path.exists(bench_wall.STORED):
        yield from wall()
