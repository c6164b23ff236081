# SPDX-License-Identifier: MIT
"""tools/bench: see USAGE."""
import argparse
import os
import subprocess
import sys
import tempfile

import bench_aims
import bench_boot
import bench_compare
import bench_docs
import bench_linux
import bench_machine
import bench_page
import bench_report
import bench_table
import bench_wall
import build
import outfile
import tool
from bench_table import BOOT, TMPFS, wanted

USAGE = """\
tools/bench [OPTION]... [FILTER]...

Runs /bench/vmbench on Mapache (the release preset) under QEMU's instruction clock and prints its
lines beside those that two lean Linux kernels had on the same machine with the same program
(usr/bench/linux/*.tsv; their heads say how): retired instructions, so that figures repeat.

Columns: both Linuxes, Mapache, Mapache / the better Linux, the floor (the least that the work can
take: usr/bench/floors.tsv), the aim that follows from it, and whether it is met.  Files are on
tmpfs, and, in the second part, on mapfs beside Linux's ext4, both on a RAM disk.

FILTER: only benchmarks whose name contains one of these; =NAME for a whole name.  Nothing is
compared when the two lines that only the processor decides (user_loop, user_copy) are missing or
differ by more than 0.1% from either Linux's, or with --check from the stored ones: then it was not
the same machine or not the same program.

--linux: a kernel that does not come to vmbench's end has no column; Mapache's table is printed all the same.

--wall --check names lines that take much longer, by the clock, than docs/wall.tsv has, or than the
Linux that is given although they are fewer instructions.

Exit status: 0; 1 when a benchmark or a kernel failed, that check did, or --check names a line; 2 when an option
means nothing, a file cannot be read or written, or nothing can be built; 130 when interrupted."""

STORED_HEAD = """\
# SPDX-License-Identifier: MIT
# vmbench on Mapache (the release preset), on the machine of usr/bench/linux/*.tsv: tools/bench --write.
# disk: mapfs on a RAM disk.  whole_run: from the first line to the last, also what lies between the measured windows.
# boot_128m: from power-on to the first user instruction, with 128 MiB.
"""


def vmbench_of(kit):
    return os.path.join(os.path.dirname(kit.kernel), "usr/bench/vmbench")


def wall(options):
    """vmbench by the clock, on Mapache and on the kernel that is given; did a benchmark or the check fail?"""
    kit = build.kit_of(build.build(options.preset, ["mapache.elf", "image"]))
    stored = bench_table.read(options.stored, "Mapache")
    counted = {(row.name, row.column): row.ratio for row in
               bench_compare.join(stored, bench_linux.tables(), bench_aims.read_floors())}
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        kernels = [("Mapache", bench_machine.mapache(kit))]
        if options.linux:
            kernels.insert(0, ("Linux", bench_linux.given(options.linux, vmbench_of(kit), folder)))
        tables = bench_wall.measure(kernels, vmbench_words(options.filter), options.wall)
    for table in tables:
        leave_out_whole(table, options.filter)
    print("\n".join(bench_wall.text(tables, counted)))
    if not any(name != bench_table.WHOLE and wanted(name, options.filter) for name, _ in tables[-1].value):
        sys.exit("bench: nothing was measured")
    if options.tsv:
        write_lines(options.tsv, bench_wall.tsv(tables, counted))
    slower = list(bench_wall.worse(tables, counted)) if options.check else []
    if options.check:
        print("\n".join(slower or ["nothing takes much longer by the clock"]))
    return int(bool(slower) or any(table.failure for table in tables))


def vmbench_words(filters):
    """With the lines that tell whether two runs can be compared, whatever is asked for."""
    return filters and filters + ["=" + name for name in bench_table.CONTROL]


def run_mapache(kit, filters):
    say_running("Mapache")
    table = bench_table.parse(bench_machine.mapache(kit).boot(vmbench_words(filters)), "Mapache")
    return finish(table, filters, lambda: bench_boot.of_mapache(kit, vmbench_of(kit)))


def say_running(kernel):
    print(f"bench: running {kernel} ...", file=sys.stderr, flush=True)


def run_linux(image, kit, filters):
    say_running(image)
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        kernel = bench_linux.given(image, vmbench_of(kit), folder)
        table = bench_table.parse(kernel.boot(vmbench_words(filters)), "given Linux")
    return finish(table, filters, lambda: bench_boot.of_linux(image, vmbench_of(kit)))


def leave_out_whole(table, filters):
    """The sum of a whole run is only of whole ones."""
    if filters:
        table.value.pop((bench_table.WHOLE, TMPFS), None)
        table.unit.pop(bench_table.WHOLE, None)


def finish(table, filters, boot):
    """What is not vmbench's alone: the sum, and the boot."""
    leave_out_whole(table, filters)
    if wanted(BOOT, filters):
        table.put(BOOT, TMPFS, float(boot()), "insn")
    return table


def names(options):
    """What can be measured; the boot is not by the clock."""
    return {name for name, _ in bench_aims.read_floors() if name != BOOT or not options.wall}


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/bench", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="release", choices=build.PRESETS, metavar="PRESET",
                        help="what to measure (%(default)s)")
    parser.add_argument("--linux", metavar="IMAGE", help="run this Linux kernel too, side by side")
    parser.add_argument("--tsv", metavar="FILE", help="write the comparison there, too")
    parser.add_argument("--html", metavar="FILE", help="and as a page")
    parser.add_argument("--stored", metavar="FILE", default=bench_docs.STORED,
                        help="figures to check against or to write (docs/figures.tsv)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true",
                      help="name the lines that are more than 3%% worse than stored, or over an aim that is"
                           " met as stored")
    mode.add_argument("--write", action="store_true", help="store the figures of this run, and renew docs/figures.md")
    parser.add_argument("--wall", metavar="RUNS", type=int, nargs="?", const=bench_wall.RUNS,
                        help="measure time instead, without the clock of instructions: the least of"
                             " %(const)s runs")
    mode.add_argument("--show", action="store_true", help="run nothing: compare the stored figures")
    parser.add_argument("filter", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.write and options.filter:
        parser.error("--write is for whole runs")
    if options.write and options.preset != parser.get_default("preset"):
        parser.error("what is stored is of the release preset")
    if options.show and options.linux is not None:
        parser.error("--show runs nothing")
    if options.wall is not None and options.wall < 1:
        parser.error("--wall is of one run at least")
    if options.wall and (options.html or options.write or options.show):
        parser.error("--wall has no page and shows nothing stored, --tsv docs/wall.tsv stores it")
    if options.wall and options.filter and options.tsv and os.path.realpath(options.tsv) == bench_wall.STORED:
        parser.error("docs/wall.tsv is of whole runs")
    fault = (bench_table.fault_of_filters(options.filter, names(options))
             or (bench_linux.fault_of(options.linux) if options.linux is not None else None))
    if fault:
        parser.error(fault)
    for path in (options.tsv, options.html, options.stored if options.write else None):
        if path and outfile.fault_of(path):
            parser.error(f"cannot write {path}: {outfile.fault_of(path)}")
    return options


def write_lines(path, lines):
    outfile.write(path, "".join(line + "\n" for line in lines))


def refuse_unless_same_machine(mapache, references):
    differing = [what for table in references for what in bench_compare.differing_control(mapache, table)]
    if differing:
        sys.exit("\n".join(f"bench: {what}" for what in differing))


def beside_given(options, kit, mapache, linux):
    """Runs the kernel that is given; why it is not comparable, if so, or gave no figures."""
    try:
        given = run_linux(options.linux, kit, options.filter)
    except tool.Refused as error:
        return [str(error)]
    differing = list(bench_compare.differing_control(given, mapache))
    given.comparable = not differing
    linux.append(given)
    return differing


def put_out(options, rows, linux):
    print("\n".join(bench_report.table(rows, linux)))
    if options.tsv:
        write_lines(options.tsv, bench_report.tsv(rows, linux))
    if options.html:
        bench_page.write(options.html, rows, linux)


def store(path, mapache):
    bench_table.write(path, mapache, STORED_HEAD)
    if path == bench_docs.STORED:
        subprocess.run([os.path.join(build.TREE, "tools/figures"), "--write", "start", "linux"], check=True)


def check(rows, mapache, before, stored, whole):
    """What is to be said, and is it bad?  rows and before: the comparisons of mapache and of stored."""
    found = list(bench_compare.worse(mapache, stored, whole)) + list(bench_compare.over(rows, before))
    good = f"nothing is more than {bench_compare.WORSE:.0%} worse than stored, or over an aim that it met"
    return found or [good], bool(found)


def run(options):
    if options.wall:
        return wall(options)
    linux = bench_linux.tables()
    stored = bench_table.read(options.stored, "what is stored") if options.check else None
    kit = None if options.show else build.kit_of(build.build(options.preset, ["mapache.elf", "image"]))
    mapache = (run_mapache(kit, options.filter) if kit
               else bench_table.read(options.stored, "Mapache"))
    refuse_unless_same_machine(mapache, linux + ([stored] if stored else []))
    remarks = beside_given(options, kit, mapache, linux) if options.linux else []
    wrong = bool(remarks or mapache.failure)
    floors = bench_aims.read_floors()
    rows = bench_compare.join(mapache, linux, floors, bench_aims.read_notes(), bench_wall.read_ratios())
    put_out(options, rows, linux)
    if stored:
        before = bench_compare.join(stored, linux, floors)
        found, worse = check(rows, mapache, before, stored, not options.filter)
        remarks, wrong = remarks + found, wrong or worse
    if options.write and not wrong:
        store(options.stored, mapache)
    print("".join(remark + "\n" for remark in remarks), end="")
    return int(wrong)


def run_to_the_end(argv):
    try:
        return run(arguments(argv))
    except bench_machine.NoEnd as error:
        print(f"bench: {error}\n{error.said}", file=sys.stderr)
        return 1


def main(argv):
    return tool.end("bench", lambda: run_to_the_end(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
