# SPDX-License-Identifier: MIT
"""The comparison as text, and as a file of values."""
from bench_compare import mean
from bench_table import BOOT, COLUMNS, DISK, TMPFS, text

WHERE = {TMPFS: "tmpfs", DISK: "disk"}
TITLES = {TMPFS: "files on tmpfs", DISK: "files on a RAM disk: Linux on ext4, Mapache on mapfs"}


def figure(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def ratio(row):
    return "-" if row.ratio is None else f"{row.ratio:.2f}" if row.ratio >= 0.005 else f"{row.ratio:.4f}"


def verdict(row):
    return {None: "", True: "met", False: "over"}[row.met]


def in_short(rows):
    """The last lines: the means, and how many aims are met."""
    parts = [("geometric mean of", rows)]
    if len({row.column for row in rows}) > 1:
        parts = [(WHERE[c] + ", mean of", [row for row in rows if row.column == c]) for c in COLUMNS] + parts
    for what, some in parts:
        value, count = mean(some)
        if value:
            yield f"{what} {count} ratios: {value:.3f}"
    aims = [row for row in rows if row.met is not None]
    yield f"aims met: {sum(row.met for row in aims)} of {len(aims)}"
    slower = [row.name for row in rows if row.ratio and row.ratio > 1.005]
    yield f"slower than the better Linux: {len(slower)}" + "".join(f" {name}" for name in slower)


def table(rows, linux):
    titles = [t.title for t in linux]
    for column in COLUMNS:
        some = [row for row in rows if row.column == column]
        if not some:
            continue
        yield TITLES[column]
        yield "  ".join([f"{'name':25}", *(f"{title:>11}" for title in titles),
                         f"{'Mapache':>11}  {'ratio':>6}  {'floor':>10}  {'aim':>10}        unit"])
        for row in some:
            if row.failure:
                yield f"{row.name:25}  FAIL {row.failure}"
                continue
            yield "  ".join([f"{row.name:25}", *(f"{figure(value):>11}" for value in row.linux),
                             f"{figure(row.mapache):>11}", f"{ratio(row):>6}", f"{figure(row.floor):>10}",
                             f"{figure(row.aim):>10}", f"{verdict(row):4}", row.unit])
        yield ""
    yield from in_short(rows)
    for row in rows:
        if row.name == BOOT and row.aim < row.floor:
            yield f"{BOOT}: the firmware alone takes {figure(row.floor)}, the kernel " \
                  f"{figure(row.mapache - row.floor)} of it"


def tsv(rows, linux):
    titles = [t.title.replace(" ", "_") for t in linux]
    yield "\t".join(["name", "files", "unit", *titles, "mapache", "ratio", "floor", "aim", "met"])
    for row in rows:
        yield "\t".join([row.name, WHERE[row.column], row.unit, *map(text, row.linux),
                         "FAIL" if row.failure else text(row.mapache),
                         "-" if row.ratio is None else f"{row.ratio:.4f}", text(row.floor),
                         text(row.aim), {None: "-", True: "yes", False: "no"}[row.met]])
