# SPDX-License-Identifier: MIT
"""tools/harts: see USAGE."""
import argparse
import os
import statistics
import sys

import build
import guest
import sections

USAGE = """\
tools/harts [OPTION]... [WORKLOAD]...

Runs /bench/harts on Mapache (the release preset) with 1, 2, 4 and 8 harts under multi-threaded QEMU
and prints operations a second of wall time: of one worker on one hart and two on two, and of eight
on 1 to 8 harts; and what became of them as a multiple of the same round's figure with one hart.

A round boots each machine once, the next round in the opposite order, so that whatever slows this
machine for a while slows each of them.  Figures are medians over the rounds, (least to greatest).
They mean little while this machine does something else.

WORKLOAD: only these; `tools/run -- /bench/harts -l` lists them.

Exit status: 0; 1 when a machine failed or its disk is in use; 2 when a word means nothing, or
nothing can be built."""

TIMEOUT = 600  # of a boot: only against hanging
HARTS = (1, 2, 4, 8)
PAIR = {1: 1, 2: 2}  # harts -> workers, of the first comparison
CROWD = 8  # workers, of the second
PAGE = os.path.join(build.TREE, "docs/harts.md")


class Refused(Exception):
    """There is nothing to measure, and why."""


def run_guest(kit, harts, options):
    """The output of /bench/harts for each number of workers that is wanted with so many harts."""
    counts = sorted({PAIR.get(harts, CROWD), CROWD})
    words = " ".join([*(["-t", str(options.seconds)]), *options.workload])
    script = "; ".join(f"/bench/harts -w {n} {words}" for n in counts)
    machine = guest.Machine(kit, smp=harts, mem="512M")
    return guest.output_of(machine, ["/bin/sh", "-c", script], TIMEOUT)


def refuse_unknown(kit, workloads):
    """/bench/harts would run those that it knows and say nothing about the others."""
    listed = guest.output_of(guest.Machine(kit), ["/bench/harts", "-l"], TIMEOUT)
    known = [line.split("\t")[0] for line in listed.splitlines()]
    unknown = [name for name in workloads if name not in known]
    if unknown:
        raise Refused(f"no workload is named {' '.join(unknown)}: there are {', '.join(known)}")


def rates(output):
    """(workload, workers) -> operations a second."""
    found = {}
    for line in output.splitlines():
        name, workers, operations, seconds, *_ = line.split("\t")
        found[name, int(workers)] = int(operations) / float(seconds)
    return found


def measure(kit, options):
    """One dictionary (workload, workers, harts) -> rate for each round."""
    rounds = []
    for number in range(options.rounds):
        found = {}
        for harts in HARTS if number % 2 == 0 else reversed(HARTS):
            print(f"\rround {number + 1} of {options.rounds}: {harts} harts ", end="", file=sys.stderr, flush=True)
            for (name, workers), rate in rates(run_guest(kit, harts, options)).items():
                found[name, workers, harts] = rate
        rounds.append(found)
    print(file=sys.stderr)
    return rounds


def rate_of(rounds, name, workers, harts):
    return f"{statistics.median(r[name, workers, harts] for r in rounds):,.0f}"


def ratio_of(rounds, name, workers, harts):
    """Each round's figure by its own with one hart."""
    base = PAIR[1] if workers == PAIR[2] else workers
    found = [r[name, workers, harts] / max(r[name, base, 1], 1e-9) for r in rounds]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def table(rounds):
    head = ["workload", "1 worker, 1 hart", "2 on 2", "times", f"{CROWD} workers, 1 hart",
            *(word for harts in HARTS[1:] for word in (f"on {harts}", "times"))]
    yield head
    for name in dict.fromkeys(key[0] for key in rounds[0]):
        row = [f"`{name}`", rate_of(rounds, name, PAIR[1], 1), rate_of(rounds, name, PAIR[2], 2),
               ratio_of(rounds, name, PAIR[2], 2), rate_of(rounds, name, CROWD, 1)]
        for harts in HARTS[1:]:
            row += [rate_of(rounds, name, CROWD, harts), ratio_of(rounds, name, CROWD, harts)]
        yield row


def markdown(rounds, options):
    rows = list(table(rounds))
    text = (f"Operations a second on a machine with {os.cpu_count()} processors, the medians of "
            f"{options.rounds} rounds of {options.seconds} seconds:\n\n")
    for number, row in enumerate(rows):
        text += f"| {' | '.join(row)} |\n"
        if number == 0:
            text += "| --- |" + " ---: |" * (len(row) - 1) + "\n"
    return text


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/harts", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="release", choices=build.PRESETS, metavar="PRESET",
                        help="what to measure (%(default)s)")
    parser.add_argument("--built", metavar="DIR", help="measure what was built there instead")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S",
                        help="for each workload and number of workers (%(default)s)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/harts.md")
    parser.add_argument("workload", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.write and options.workload:
        parser.error("docs/harts.md has all workloads")
    if options.write and options.preset != parser.get_default("preset"):
        parser.error("docs/harts.md is of the release preset")
    if options.rounds < 1 or not 0 < options.seconds < TIMEOUT:
        parser.error(f"one round at least, and more than no time, less than {TIMEOUT} seconds")
    return options


def run(options):
    kit = build.kit_of(options.built or build.build(options.preset, ["mapache.elf", "image"]))
    for path in (kit.kernel, kit.image):
        if not os.path.exists(path):
            raise Refused(f"there is no {path}: is it built?")
    if options.workload:
        refuse_unknown(kit, options.workload)
    text = markdown(measure(kit, options), options)
    if options.write:
        sections.write(PAGE, {"tools/harts": text})
    print(text, end="")
    return 0


def main(argv):
    options = arguments(argv)
    try:
        return run(options)
    except (build.BuildError, OSError, Refused) as error:
        print(f"harts: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
