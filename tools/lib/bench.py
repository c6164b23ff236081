# SPDX-License-Identifier: MIT
"""tools/bench: see USAGE."""
import argparse
import math
import os
import sys

import build
import guest

USAGE = """\
tools/bench [OPTION]... [FILTER]...

Runs /bench/vmbench on Mapache (the release preset) under QEMU's instruction clock and prints its
lines beside those that two lean Linux kernels had on the same machine with the same program
(usr/bench/linux/*.tsv; their heads say how): retired instructions, so that figures repeat.

Columns: the better Linux, Mapache, and Mapache / Linux; files are on tmpfs, and, second, on mapfs
beside Linux's ext4, both on a RAM disk.  The last line is the geometric mean of the ratios.

FILTER: only benchmarks whose name contains one of these; =NAME for a whole name.  Nothing is
compared when the two lines that only the processor decides (user_loop, user_copy) differ from
Linux's by more than 0.1%: then it was not the same machine or not the same program.
Exit status: 0; 1 when a benchmark failed or that check did."""

MACHINE = {"mem": "1G", "smp": 1, "icount": True}
DIRECTORIES = ("/tmp", "/root")  # tmpfs, and mapfs on the RAM disk
CONTROL = ("user_loop", "user_copy")
TOLERANCE = 0.001
LINUX = os.path.join(build.TREE, "usr/bench/linux")


class Line:
    """One benchmark: name, unit, and a value for each of the two directories (None: not measured)."""

    def __init__(self, name, unit):
        self.name = name
        self.unit = unit
        self.value = {}
        self.failure = None


def read_linux(path):
    """name -> (tmpfs, ext4 on RAM), either of them None."""
    table = {}
    with open(path) as rows:
        for row in rows:
            if row.strip() and not row.startswith("#"):
                name, *values = row.rstrip("\n").split("\t")
                table[name] = [None if v == "-" else float(v) for v in values[:2]]
    return table


def parse(output):
    """vmbench's output: lines name, value, unit; '# dir D' lines say where files are from then on."""
    lines, order = {}, 0
    for text in output.splitlines():
        if text.startswith("# dir"):
            order = DIRECTORIES.index(text.split()[-1])
        fields = text.split("\t")
        if len(fields) < 3 or text.startswith("#"):
            continue
        name, value, unit = fields[:3]
        line = lines.setdefault(name, Line(name, unit))
        if value in ("FAIL", "-"):
            line.failure = unit
        else:
            line.value[order] = float(value)
    return lines


def run_vmbench(filters, preset):
    kit = build.kit_of(build.build(preset, ["mapache.elf", "image"]))
    output = bytearray()
    words = [word for d in DIRECTORIES for word in ("-d", d)]
    machine = guest.Machine(kit, image=None, append="root=ram0 norandmaps",
                            qemu=["-initrd", kit.image], **MACHINE)
    outcome = guest.run_command(machine, ["/bench/vmbench", *words, *filters], write=output.extend)
    if outcome.status == guest.STATUS_FAILED:
        sys.exit("bench: the kernel panicked or did not start:\n" +
                 (outcome.panic or outcome.log[-2000:]).decode(errors="replace"))
    return output.decode(errors="replace")


def same_machine(lines, linux):
    for name in CONTROL:
        if name not in lines:
            continue
        ours, theirs = lines[name].value.get(0), linux[0][name][0]
        if ours is None or abs(ours - theirs) > TOLERANCE * theirs:
            print(f"bench: {name} is {ours} here and {theirs} on Linux: not comparable", file=sys.stderr)
            return False
    return True


def better(tables, name, directory):
    known = [t[name][directory] for t in tables if name in t and t[name][directory] is not None]
    return min(known, default=None)


def figure(x):
    if x is None:
        return "-"
    return f"{x:,.0f}" if x >= 1000 else f"{x:.2f}"


def report(lines, tables):
    """The table's rows, and the ratios."""
    ratios = []
    for line in lines.values():
        if line.failure:
            yield [line.name, "FAIL", line.failure], ratios
            continue
        row = [line.name]
        for directory in range(len(DIRECTORIES)):
            theirs, ours = better(tables, line.name, directory), line.value.get(directory)
            ratio = ours / theirs if ours and theirs else None
            if ratio and line.name not in CONTROL:
                ratios.append(ratio)
            row += [figure(theirs), figure(ours), f"{ratio:.2f}" if ratio else "-"]
        yield row + [line.unit], ratios


def main(argv):
    parser = argparse.ArgumentParser(prog="tools/bench", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="release", help="what to measure (%(default)s)")
    parser.add_argument("--tsv", metavar="FILE", help="also write vmbench's own output there")
    parser.add_argument("filter", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    output = run_vmbench(options.filter, options.preset)
    if options.tsv:
        with open(options.tsv, "w") as out:
            out.write(output)
    lines = parse(output)
    tables = [read_linux(os.path.join(LINUX, f"linux-{v}.tsv")) for v in ("6.1", "6.12")]
    if not lines:
        sys.exit(f"bench: no benchmark ran:\n{output}")
    if not same_machine(lines, tables):
        return 1
    print(f"{'':24} {'tmpfs:':>10} {'':>10} {'':>6} {'on RAM disk:':>12}")
    print(f"{'name':24} {'Linux':>10} {'Mapache':>10} {'ratio':>6} {'ext4':>10} {'mapfs':>10} {'ratio':>6} unit")
    ratios = []
    for row, ratios in report(lines, tables):
        if row[1] == "FAIL":
            print(f"{row[0]:24} FAIL {row[2]}")
        else:
            print("{:24} {:>10} {:>10} {:>6} {:>10} {:>10} {:>6} {}".format(*row))
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"{'geometric mean of ' + str(len(ratios)):24} {'':>10} {'':>10} {mean:6.2f}")
    return 1 if any(line.failure for line in lines.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
