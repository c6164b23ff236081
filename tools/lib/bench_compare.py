# SPDX-License-Identifier: MIT
"""Figures beside each other: Mapache beside Linux and the aims, a run beside a stored one."""
import math

from bench_table import BESIDE, CONTROL, TMPFS

CONTROL_TOLERANCE = 0.001
WORSE = 0.03  # than stored: that much is named
LINUX_DIGITS = 2  # behind the point: an aim that is made of Linux's 0.12 is not known better than to 0.0025
LAST_DIGIT = 0.0001  # of what vmbench prints, where 3% are not much more


class Row:
    """One line of the comparison; what is not known is None."""

    def __init__(self, name, column, unit):
        self.name = name
        self.column = column
        self.unit = unit
        self.linux = []  # figures, one for each of Linux's tables
        self.better = None  # Linux, of those that are comparable
        self.mapache = None
        self.floor = None
        self.aim = None
        self.composition = None  # of the floor
        self.note = None  # why it is over its aim
        self.clock = None  # Mapache / Linux by the clock
        self.failure = None

    @property
    def ratio(self):
        return self.mapache / self.better if self.mapache and self.better else None

    @property
    def met(self):
        """Is the aim met, as far as Linux's digits say?  None: there is no aim, or no figure."""
        known = self.mapache is not None and self.aim is not None
        return round(self.mapache, LINUX_DIGITS) <= self.aim if known else None


def join(mapache, linux, floors, notes=None, clock=None):
    """Rows in the order of Mapache's run, those of the first column before those of the second."""
    keys = list(mapache.value) + list(mapache.failure)
    rows = []
    for name, column in sorted(keys, key=lambda key: key[1]):
        row = Row(name, column, mapache.unit.get(name, ""))
        row.linux = [table.value.get((name, column)) for table in linux]
        row.better = min((value for value, table in zip(row.linux, linux)
                          if value is not None and table.comparable), default=None)
        row.mapache = mapache.value.get((name, column))
        row.failure = mapache.failure.get((name, column))
        floor = floors.get((name, column))
        if floor:
            row.floor, row.composition = floor.value, floor.composition
            row.aim = None if name in CONTROL else floor.aim(row.better)
        row.note = (notes or {}).get((name, column))
        row.clock = (clock or {}).get((name, column))
        rows.append(row)
    return rows


def mean(rows):
    """The geometric mean of the benchmarks' ratios, and of how many."""
    ratios = [row.ratio for row in rows if row.ratio and row.name not in CONTROL + BESIDE]
    return (math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None), len(ratios)


def over(rows, before):
    """What is over its aim and was not before, as sentences; both are compared with the same Linux."""
    met = {(row.name, row.column): row.mapache for row in before if row.met}
    for row in rows:
        if row.met is False and (row.name, row.column) in met:
            yield (f"{row.name}{' on the disk' if row.column != TMPFS else ''} is {row.mapache:,.2f}, over its aim of "
                   f"{row.aim:,.2f}, stored {met[row.name, row.column]:,.2f}")


def differing_control(table, reference):
    """What says that two runs were not on the same machine, or not of the same program, or does not tell."""
    for name in CONTROL:
        ours, theirs = table.value.get((name, TMPFS)), reference.value.get((name, TMPFS))
        if None in (ours, theirs):
            yield f"{(table if ours is None else reference).title} has no {name}: not comparable"
        elif abs(ours - theirs) > CONTROL_TOLERANCE * theirs:
            yield f"{name} is {ours} in {table.title} and {theirs} in {reference.title}: not comparable"


def worse(table, stored, whole):
    """What is worse than stored, as sentences.  whole: a line that is stored must have been run."""
    for key, before in stored.value.items():
        now, name = table.value.get(key), f"{key[0]}{' on the disk' if key[1] != TMPFS else ''}"
        if key in table.failure:
            yield f"{name} failed: {table.failure[key]}"
        elif now is None and whole:
            yield f"{name} was not measured"
        elif now is not None and now > before * (1 + WORSE) + LAST_DIGIT:
            yield f"{name} is {now:,.2f}, stored {before:,.2f}: {100 * (now / before - 1):+.1f}%"
    for key in table.value:
        if key not in stored.value:
            yield f"{key[0]} is not stored: tools/bench --write"
