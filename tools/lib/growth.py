# SPDX-License-Identifier: MIT
"""tools/growth: see USAGE."""
import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile

import bench
import bench_boot
import bench_compare
import build
import gnuplot
import guest
import outfile
import tool

USAGE = """\
tools/growth [--quick] [--write | --check] [--from DIR] [PLOT]...

Measures in instructions what an operation costs when there is more of what it works among: areas,
resident pages, names of a folder, memory of the machine.  Prints a table (plot, series, size,
instructions), all of them or only these PLOTs (areas, fork-areas, fork-pages, munmap, again, tmpfs, mapfs,
tmpfs-list, mapfs-list, boot).

--write   puts the tables and their drawings (by gnuplot) into docs/growth, for docs/growth.md
--check   fits each series, and fails when one grows faster than PLOTS says, or costs at one of its sizes
          more than 3% more than docs/growth has (which is of the release preset): instructions repeat,
          so that a failure is the kernel's
--quick   fewer and smaller sizes, in a minute
--from    takes the tables from DIR (docs/growth, say) instead of measuring
Exit status: 0; 1 when a series grows too fast or costs more than stored; 2 when an option means nothing, a table cannot be
read, or nothing can be built."""

FLAT, LOG, LINEAR = "flat", "logarithmic", "linear"

AREAS = (10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000)
PAGES = (16, 64, 256, 1024, 4096, 16384, 65536, 262144)
MANY_PAGES = PAGES[3:]
NAMES = (10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000)
MIB = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
QUICK_MOST = {AREAS: 10000, PAGES: 65536, MANY_PAGES: 65536, NAMES: 10000, MIB: 8192}

TO = os.path.join(build.TREE, "docs/growth")
STORED_PRESET = "release"
SCRIPT = os.path.join(build.TREE, "usr/bench/growth.gnuplot")
MOST = 1 << 64  # of whatever is counted
FEWEST = 3  # sizes that a shape can be told by
HEAD = f"# {gnuplot.LICENCE}\nseries\tsize\tinstructions\n"
MEMORY = "2G"
INODES = NAMES[-1] + 1000
TMPFS, MAPFS = "/tmp", "/"


class Plot:
    """One drawing: its series by name, each with the shape that it must not outgrow."""

    def __init__(self, sizes, command, series, over, log_y=False):
        self.sizes = sizes
        self.command = command  # growth's words before the sizes; None: boots
        self.series = series  # as growth prints them -> shape
        self.over = over  # the axis
        self.log_y = log_y


PLOTS = {
    "areas": Plot(AREAS, ["areas"], {"fault": LOG, "split": LOG, "merge": LOG}, "areas of the space"),
    "fork-areas": Plot(AREAS, ["areas"], {"fork": LINEAR}, "areas of the space", log_y=True),
    "fork-pages": Plot(PAGES, ["pages"], {"fork": LINEAR}, "resident pages of 4 KiB"),
    "munmap": Plot(PAGES, ["pages"], {"munmap": LINEAR}, "resident pages of 4 KiB", log_y=True),
    "again": Plot(MANY_PAGES, ["again"], {"protect": FLAT, "hide": FLAT, "scattered": FLAT, "child": FLAT}, "resident pages of 4 KiB"),
    "tmpfs": Plot(NAMES, ["names", TMPFS], {"create": FLAT, "unlink": FLAT, "look-up": FLAT}, "names of the folder"),
    "mapfs": Plot(NAMES, ["names", MAPFS], {"create": LOG, "unlink": LOG, "look-up": LOG}, "names of the folder"),
    "tmpfs-list": Plot(NAMES, ["names", TMPFS], {"list": LINEAR}, "names of the folder", log_y=True),
    "mapfs-list": Plot(NAMES, ["names", MAPFS], {"list": LINEAR}, "names of the folder", log_y=True),
    "boot": Plot(MIB, None, {"kernel": FLAT, "firmware": FLAT}, "MiB of memory", log_y=True),
}

# --- Measuring ------------------------------------------------------------------------------------


def figures_of(said):
    """(series, size) -> instructions.  BadTable: growth said something else."""
    table = {}
    for row in said.splitlines():
        try:
            read_row(table, row)
        except ValueError:
            raise BadTable(f"/bench/growth said {row!r}: not series, size that ascends and instructions") from None
    return {(series, n): value for series, points in table.items() for n, value in points}


class Machine:
    """Boots with the root on a RAM disk that holds /bench/growth alone, which is the first process."""

    def __init__(self, preset, folder):
        directory = build.build(preset, ["mapache.elf", "image"])
        self.kit = build.kit_of(directory)
        self.vmbench = bench.vmbench_of(self.kit)
        tree = os.path.join(folder, "root")
        for name in ("bench", "dev", "proc", "tmp"):
            os.makedirs(os.path.join(tree, name))
        shutil.copy(os.path.join(directory, "usr/bench/growth"), os.path.join(tree, "bench"))
        self.large = self.image(tree, "560M", "--inodes", str(INODES))
        self.small = self.image(tree, "8M")
        self.done = {}

    def image(self, tree, size, *options):
        path = f"{tree}.{size}"
        subprocess.run([self.kit.tool("mkfs"), *options, path, size, tree], check=True,
                       stdout=subprocess.DEVNULL)
        return path

    def run(self, words):
        """(series, size) -> instructions, of one run of growth."""
        machine = guest.Machine(self.kit, image=None, mem=MEMORY, icount=True,
                                append="root=ram0 norandmaps init=/bench/growth",
                                qemu=["-initrd", self.large if MAPFS in words else self.small])
        return figures_of(guest.output_of(machine, words))

    def measure(self, words, sizes):
        """The same, once for all plots that it is for."""
        words = (*words, *map(str, sizes))
        if words not in self.done:
            self.done[words] = self.run(words)
        return self.done[words]

    def measure_boot(self, sizes):
        found = {}
        for mib in sizes:
            found["firmware", mib] = bench_boot.of_firmware(self.kit, self.vmbench, f"{mib}M")
            whole = bench_boot.of_mapache(self.kit, self.vmbench, f"{mib}M")
            found["kernel", mib] = whole - found["firmware", mib]
        return found


def measure(names, options):
    """plot -> series -> [(size, instructions)]"""
    tables = {}
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        machine = Machine(options.preset, folder)
        for name in names:
            plot = PLOTS[name]
            sizes = [n for n in plot.sizes if not options.quick or n <= QUICK_MOST[plot.sizes]]
            print(f"growth: {name}", file=sys.stderr)
            values = machine.measure(plot.command, sizes) if plot.command else machine.measure_boot(sizes)
            tables[name] = {series: [(n, values[series, n]) for n in sizes] for series in plot.series}
    return tables


# --- Tables ---------------------------------------------------------------------------------------


def rows_of(table):
    return "".join(f"{series}\t{n}\t{value}\n" for series in table for n, value in table[series])


class BadTable(tool.Refused):
    """A file that is not what --write makes."""


def read_row(table, row):
    series, n, value = row.split("\t")
    points, n, value = table.setdefault(series, []), int(n), int(value)
    least = points[-1][0] if points else 0
    if not least < n < MOST or not 0 < value < MOST:
        raise ValueError(row)
    points.append((n, value))


def read_table(folder, name):
    table, path = {}, os.path.join(folder, name + ".tsv")
    with open(path, errors="replace") as rows:
        for at, row in enumerate(rows, 1):
            if not row.startswith(("#", "series")):
                try:
                    read_row(table, row)
                except ValueError:
                    raise BadTable(f"{path}, line {at}: not series, size that ascends and instructions") from None
    for series in PLOTS[name].series:
        if len(table.get(series, [])) < FEWEST:
            raise BadTable(f"{path} has not {FEWEST} sizes of {series}")
    return table


def drawing(table, plot):
    """table: the text of a file"""
    return gnuplot.drawing(SCRIPT, table, series=" ".join(plot.series), over=plot.over, log_y=int(plot.log_y))


def write(folder, tables):
    """All that is drawn, or nothing."""
    files = {}
    for name, table in tables.items():
        files[name + ".tsv"] = HEAD + rows_of(table)
        files[name + ".svg"] = drawing(files[name + ".tsv"], PLOTS[name])
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        outfile.write(os.path.join(folder, name), text)


# --- Judging --------------------------------------------------------------------------------------

LINEAR_SHARE = 0.15  # of the cost at the largest size, that may be proportional to the size
FLAT_RISE = 0.25  # from the least cost to the greatest
LINEAR_EXPONENT = 1.15  # of the last step


def solve(matrix, right):
    """Gauss, with the largest pivot."""
    n = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    for i in range(n):
        best = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[best] = rows[best], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    found = [0.0] * n
    for i in reversed(range(n)):
        found[i] = (rows[i][n] - sum(rows[i][j] * found[j] for j in range(i + 1, n))) / rows[i][i]
    return found


def fit(points):
    """(a, b, c) of a + b log2(n) + c n by least squares; n counts in units of the largest size."""
    most = points[-1][0]
    terms = [(1.0, math.log2(n), n / most) for n, _ in points]
    matrix = [[sum(t[i] * t[j] for t in terms) for j in range(3)] for i in range(3)]
    return solve(matrix, [sum(t[i] * value for t, (_, value) in zip(terms, points)) for i in range(3)])


def fault_of(points, shape):
    """Why these points are not of that shape, or of one that grows less; None: they are."""
    values = [value for _, value in points]
    if shape == LINEAR:
        (n, low), (most, high) = points[-2:]
        exponent = math.log(high / low) / math.log(most / n)
        return f"grows as n^{exponent:.2f}" if exponent > LINEAR_EXPONENT else None
    rise = max(values) / min(values) - 1
    if shape == FLAT and rise > FLAT_RISE:
        return f"rises by {rise:.0%}"
    share = fit(points)[2] / values[-1]
    return f"{share:.0%} of its cost at {points[-1][0]:,} is proportional to that" if share > LINEAR_SHARE else None


def worse(points, stored):
    """Where these points are most above those that are stored, if by more than bench_compare.WORSE; else None."""
    before = dict(stored)
    by, n = max(((value / before[n] - 1, n) for n, value in points if n in before), default=(0, None))
    return f"{by:+.1%} at {n:,}, where {before[n]:,} are stored" if by > bench_compare.WORSE else None


def check(tables, stored):
    """stored: plot -> its table, of those that are to be compared"""
    good = True
    for name, table in tables.items():
        for series, shape in PLOTS[name].series.items():
            faults = [fault_of(table[series], shape), worse(table[series], stored.get(name, {}).get(series, []))]
            said = "; ".join(fault for fault in faults if fault)
            print(f"{name}\t{series}\t{shape}\t{said or 'ok'}")
            good = good and not said
    return good


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/growth", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    mode.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="source", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--preset", default=STORED_PRESET, choices=build.PRESETS, metavar="PRESET",
                        help="what to measure (%(default)s)")
    parser.add_argument("plots", nargs="*", metavar="PLOT", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    for name in options.plots:
        if name not in PLOTS:
            parser.error(f"no plot {name}: there are {', '.join(PLOTS)}")
    if options.write and options.quick:
        parser.error("docs/growth has all sizes")
    if options.write and options.preset != STORED_PRESET:
        parser.error("docs/growth is of the release preset")
    fault = outfile.fault_of(os.path.join(TO, "areas.tsv")) if options.write else None
    if fault:
        parser.error(f"cannot write {TO}: {fault}")
    return options


def run(options):
    names = options.plots or list(PLOTS)
    compared = options.check and options.preset == STORED_PRESET
    stored = {name: read_table(TO, name) for name in names} if compared else {}
    if options.source:
        tables = {name: read_table(options.source, name) for name in names}
    else:
        tables = measure(names, options)
    if options.write:
        write(TO, tables)
    if options.check:
        return 0 if check(tables, stored) else 1
    for name, table in tables.items():
        print("".join(f"{name}\t{row}\n" for row in rows_of(table).splitlines()), end="")
    return 0


def main(argv):
    return tool.end("growth", lambda: run(arguments(argv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
