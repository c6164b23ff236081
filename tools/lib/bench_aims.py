# SPDX-License-Identifier: MIT
"""Floors and aims.

A floor is the least that a line can take with what it promises: the instructions of the steps that no design
can leave out, each done in the best known way.  usr/bench/primitives.tsv has the steps, measured or counted;
usr/bench/floors.tsv composes each line's floor of them, and has the aims that were set for single lines.

    aim = the least of   floor + (better Linux - floor) / 2   and   what was set for the line

A composition is a sum of terms `[COUNT] NAME`, COUNT being a number or a fraction: "2 call + 1/512 table".
"""
import os
import re
from fractions import Fraction

import build
from bench_machine import DISK, TMPFS
from bench_table import BadTable

FOLDER = os.path.join(build.TREE, "usr/bench")
COLUMN = {"-": (TMPFS,), "tmpfs": (TMPFS,), "disk": (DISK,), "both": (TMPFS, DISK)}


def each_row(path, width, read):
    """read(*cells) for each line.  BadTable: it has not so many cells, or read raises a ValueError."""
    with open(path, errors="replace") as lines:
        for at, line in enumerate(lines, 1):
            if line.strip() and not line.startswith("#"):
                cells = line.rstrip("\n").split("\t")
                if len(cells) != width:
                    raise BadTable(f"{path}, line {at}: {len(cells)} cells, not {width}")
                try:
                    read(*cells)
                except ValueError as error:
                    raise BadTable(f"{path}, line {at}: {error}") from None


def columns(files):
    if files not in COLUMN:
        raise ValueError(f"files are {files}, not one of {' '.join(COLUMN)}")
    return COLUMN[files]


def positive(text):
    if not re.fullmatch(r"\d+(\.\d+|/[1-9]\d*)?", text):
        raise ValueError(f"{text} is no number")
    return Fraction(text)


def compute(composition, primitives):
    total = Fraction(0)
    for term in composition.split(" + "):
        count, _, name = term.rpartition(" ")
        if name not in primitives:
            raise ValueError(f"no step is named {name}")
        total += (positive(count) if count else 1) * primitives[name]
    return total


class Primitives(dict):
    """name -> instructions; what and composition say the rest."""

    def __init__(self, path=os.path.join(FOLDER, "primitives.tsv")):
        super().__init__()
        self.what = {}
        each_row(path, 3, self.add)

    def add(self, name, instructions, what):
        measured = instructions[:1].isdigit() and " " not in instructions
        self[name] = positive(instructions) if measured else compute(instructions, self)
        self.what[name] = (what, None if measured else instructions)


class Floor:
    def __init__(self, composition, value, at_most):
        self.composition = composition
        self.value = value
        self.at_most = at_most  # the aim that was set, or None

    def aim(self, linux):
        """linux: the better one's figure, or None."""
        half = None if linux is None else self.value + max(0, linux - self.value) / 2
        return min((aim for aim in (half, self.at_most) if aim is not None), default=None)


def read_floors(path=os.path.join(FOLDER, "floors.tsv"), primitives=None):
    """(name, column) -> Floor."""
    primitives = primitives or Primitives()
    floors = {}

    def add(name, files, at_most, composition):
        for column in columns(files):
            floors[name, column] = Floor(composition, float(compute(composition, primitives)),
                                         None if at_most == "-" else float(positive(at_most)))

    each_row(path, 4, add)
    return floors


def read_notes(path=os.path.join(FOLDER, "notes.tsv")):
    """(name, column) -> why a line is over its aim."""
    notes = {}

    def add(name, files, note):
        notes.update({(name, column): note for column in columns(files)})

    each_row(path, 3, add)
    return notes
