# SPDX-License-Identifier: MIT
"""Tables of figures: what vmbench prints, and the files that keep it.

A figure has a name and a column: TMPFS, or DISK when the same benchmark ran on a file system over the RAM
disk.  A file has a line a name: name, tmpfs, disk, unit, a dash where there is none; further columns are not
read.  usr/bench/linux/*.tsv and docs/figures.tsv are such files.
"""
import math

import outfile
import tool
from bench_machine import DISK, TMPFS

COLUMNS = (TMPFS, DISK)
WHOLE = "whole_run"  # vmbench's "# done": everything, also what lies between the measured windows
BOOT = "boot_128m"
BESIDE = (WHOLE, BOOT)  # no benchmarks of vmbench's table
CONTROL = ("user_loop", "user_copy")  # these are the processor's alone
HEADINGS = "# name\ttmpfs\tdisk\tunit\n"


class BadTable(tool.Refused):
    """A file, or what a machine said, that is no table of figures."""


class Table:
    def __init__(self, title):
        self.title = title
        self.comparable = True  # same machine, same program
        self.value = {}  # (name, column) -> number
        self.unit = {}  # name -> text
        self.failure = {}  # (name, column) -> why

    def put(self, name, column, value, unit):
        self.value[name, column] = value
        self.unit[name] = unit

    def names(self):
        return list(self.unit)


def text(value):
    """A figure as vmbench prints it."""
    if value is None:
        return "-"
    return f"{value:.{4 if value < 10 else 2 if value < 1000 else 0}f}"


def said_number(title, line, word):
    """A short time may be none."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BadTable(f"{title} said {line!r}: {word} is no figure")
    return value


def parse(output, title):
    """vmbench's output: lines name, value, unit; each '# dir' line opens the next column.  BadTable: a value is none."""
    table, column = Table(title), -1
    begun = False
    for line in output.splitlines():
        begun = begun or line.startswith("# vmbench")
        fields = line.split("\t")
        if not begun:
            continue
        if line.startswith("# dir "):
            column += 1
        elif line.startswith("# done: "):
            table.put(WHOLE, TMPFS, said_number(title, line, line.split()[2]), "insn")
        elif len(fields) >= 3 and fields[1] == "FAIL":
            table.failure[fields[0], column] = fields[2]
        elif len(fields) >= 3:
            table.put(fields[0], column, said_number(title, line, fields[1]), fields[2])
    return table


def wanted(name, filters):
    """Is it asked for?  A filter is a part of a name, or =NAME."""
    return not filters or any(name == f[1:] if f.startswith("=") else f in name for f in filters)


def fault_of_filters(filters, names):
    """Why these filters mean nothing among these names, None: each means one at least."""
    if "" in filters:
        return "an empty name is part of every one"
    unknown = [word for word in filters if not any(wanted(name, [word]) for name in names)]
    return f"no benchmark is named {' '.join(unknown)}" if unknown else None


def number(text):
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def read_line(table, line):
    name, tmpfs, disk, unit, *_ = line.rstrip("\n").split("\t")
    for column, value in zip(COLUMNS, (tmpfs, disk)):
        if value != "-":
            table.put(name, column, number(value), unit)


def read(path, title):
    """BadTable: a line of it is none, or it has none."""
    table = Table(title)
    with open(path, errors="replace") as lines:
        for at, line in enumerate(lines, 1):
            if line.strip() and not line.startswith("#"):
                try:
                    read_line(table, line)
                except ValueError:
                    raise BadTable(f"{path}, line {at}: not name, two figures and a unit") from None
    if not table.value:
        raise BadTable(f"{path} has no figures")
    return table


def write(path, table, head):
    lines = head + HEADINGS
    for name in table.names():
        cells = [text(table.value.get((name, column))) for column in COLUMNS]
        lines += "\t".join([name, *cells, table.unit[name]]) + "\n"
    outfile.write(path, lines)
