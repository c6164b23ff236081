# SPDX-License-Identifier: MIT
"""tools/harts: see USAGE."""
import argparse
import collections
import os
import statistics
import sys

import build
import guest
import sections
import tool
from tool import Refused

USAGE = """\
tools/harts [OPTION]... [WORKLOAD]...

Runs /bench/harts on Mapache (the release preset) with 1, 2, 4 and 8 harts under multi-threaded QEMU
and prints operations a second of wall time: of one worker on one hart and two on two, and of eight
on 1 to 8 harts; and what became of them as a multiple of the same round's figure with one hart.

A round boots each machine once, the next round in the opposite order, so that whatever slows this
machine for a while slows each of them.  Figures are medians over the rounds, (least to greatest).
They mean little while this machine does something else.

--locks: what workers waited for instead, two on two harts, by /proc/lockstat and /proc/harts before and
after each run of /bench/harts: how often a lock was found taken, or another hart had to be interrupted
to forget translations, for 1,000 operations, and what share of both harts' time that took.

WORKLOAD: only these; `tools/run -- /bench/harts -l` lists them.

Exit status: 0; 1 when a machine failed or its disk is in use; 2 when a word means nothing, or
nothing can be built."""

TIMEOUT = 600  # of a boot: only against hanging
HARTS = (1, 2, 4, 8)
PAIR = {1: 1, 2: 2}  # harts -> workers, of the first comparison
CROWD = 8  # workers, of the second
COUNTERS = "cat /proc/lockstat /proc/harts"
FENCES = "remote fences"  # among the locks
CUT = "--"
PAGE = os.path.join(build.TREE, "docs/harts.md")


def run_guest(kit, harts, options):
    """The output of /bench/harts for each number of workers that is wanted with so many harts."""
    counts = sorted({PAIR.get(harts, CROWD), CROWD})
    words = " ".join([*(["-t", str(options.seconds)]), *options.workload])
    script = "; ".join(f"/bench/harts -w {n} {words}" for n in counts)
    machine = guest.Machine(kit, smp=harts, mem="512M")
    return guest.output_of(machine, ["/bin/sh", "-c", script], TIMEOUT)


def known_workloads(kit, workloads):
    """These, or all.  /bench/harts would run those that it knows and say nothing about the others."""
    listed = guest.output_of(guest.Machine(kit), ["/bench/harts", "-l"], TIMEOUT)
    known = [line.split("\t")[0] for line in listed.splitlines()]
    unknown = [name for name in workloads if name not in known]
    if unknown:
        raise Refused(f"no workload is named {' '.join(unknown)}: there are {', '.join(known)}")
    return workloads or known


def rates(output):
    """(workload, workers) -> operations a second.  Refused: it said something else."""
    found = {}
    for line in output.splitlines():
        try:
            name, workers, operations, seconds, *_ = line.split("\t")
            found[name, int(workers)] = int(operations) / float(seconds)
        except (ValueError, ZeroDivisionError):
            raise Refused(f"/bench/harts said {line!r}: not workload, workers, operations and seconds") from None
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


def rounds_of(options):
    return f"{options.rounds} rounds" if options.rounds > 1 else "one round"


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
    text = (f"Operations a second on a machine with {os.cpu_count()} processors, "
            f"{'the medians of ' if options.rounds > 1 else ''}{rounds_of(options)} of {options.seconds} seconds:\n\n")
    for number, row in enumerate(rows):
        text += f"| {' | '.join(row)} |\n"
        if number == 0:
            text += "| --- |" + " ---: |" * (len(row) - 1) + "\n"
    return text


# --- Where time goes


def waits_of(counters):
    """What /proc/lockstat and /proc/harts say: lock, or FENCES -> (times, microseconds)."""
    found, heads = {FENCES: (0, 0)}, []
    for words in map(str.split, counters.splitlines()):
        if words[0] in ("lock", "hart"):
            heads = words
            continue
        row = dict(zip(heads, words))
        if heads[0] == "lock":
            found[row["lock"]] = int(row["waits"]), int(row["wait_us"])
        else:
            times, us = found[FENCES]
            found[FENCES] = times + int(row["remote_fences"]), us + int(row["fence_wait_us"])
    return found


def run_locks(kit, workloads, options):
    """The counters, then for each workload its line and the counters after it; nothing waits for the terminal."""
    run = "; ".join(f"echo {CUT}; /bench/harts -w {PAIR[2]} -t {options.seconds} {name}; echo {CUT}; {COUNTERS}"
                    for name in workloads)
    machine = guest.Machine(kit, smp=2, mem="512M")
    return guest.output_of(machine, ["/bin/sh", "-c", f"({COUNTERS}; {run}) >/tmp/said; cat /tmp/said"], TIMEOUT).split(CUT + "\n")


class Waits:
    """Of one workload, the sums of all rounds."""

    def __init__(self):
        self.operations = 0
        self.seconds = 0.0
        self.times, self.us = collections.Counter(), collections.Counter()

    def add(self, line, before, after):
        _, _, operations, seconds, *_ = line.split("\t")
        self.operations += int(operations)
        self.seconds += float(seconds)
        for who, (times, us) in after.items():
            self.times[who] += times - before[who][0]
            self.us[who] += us - before[who][1]

    def cells(self, who):
        """How often for 1,000 operations, and the share of the harts' time."""
        times, us = sum(self.times[name] for name in who), sum(self.us[name] for name in who)
        return [f"{1000 * times / max(self.operations, 1):.2f}", f"{us / (PAIR[2] * 1e6 * self.seconds):.1%}"]

    def row(self):
        locks = [who for who in self.times if who != FENCES]
        most = max(locks, key=lambda who: self.us[who])
        return [f"{self.operations / self.seconds:,.0f}", *self.cells(locks),
                f"`{most}`" if self.us[most] else "", *self.cells([FENCES])]


def measure_locks(kit, workloads, options):
    found = {name: Waits() for name in workloads}
    for _ in range(options.rounds):
        first, *parts = run_locks(kit, workloads, options)
        before = waits_of(first)
        for name, line, counters in zip(workloads, parts[::2], parts[1::2]):
            after = waits_of(counters)
            found[name].add(line, before, after)
            before = after
    return found


def markdown_of_locks(found, options):
    yield (f"Two workers on two harts of a machine with {os.cpu_count()} processors, {rounds_of(options)} of "
           f"{options.seconds} seconds:\n\n")
    yield ("| workload | operations a second | locks found taken, of 1,000 operations | share of the time | most of it "
           "| remote fences, of 1,000 operations | share of the time |\n| --- | ---: | ---: | ---: | --- | ---: | ---: |\n")
    for name, waits in found.items():
        yield f"| `{name}` | {' | '.join(waits.row())} |\n"


def section_of(options):
    """Of the page, which the table is for."""
    return "tools/harts --locks" if options.locks else "tools/harts"


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/harts", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="release", choices=build.PRESETS, metavar="PRESET",
                        help="what to measure (%(default)s)")
    parser.add_argument("--built", metavar="DIR", help="measure what was built there instead")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S",
                        help="for each workload and number of workers (%(default)s)")
    parser.add_argument("--locks", action="store_true", help="what is waited for, not how much is done")
    parser.add_argument("--write", action="store_true", help="put the table into docs/harts.md")
    parser.add_argument("workload", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.write and options.workload:
        parser.error("docs/harts.md has all workloads")
    if options.write and options.preset != parser.get_default("preset"):
        parser.error("docs/harts.md is of the release preset")
    fault = sections.fault_of(PAGE, section_of(options)) if options.write else None
    if fault:
        parser.error(f"cannot write {PAGE}: {fault}")
    if options.rounds < 1 or not 0 < options.seconds < TIMEOUT:
        parser.error(f"one round at least, and more than no time, less than {TIMEOUT} seconds")
    return options


def run(options):
    kit = build.kit_of(options.built or build.build(options.preset, ["mapache.elf", "image"]))
    for path in (kit.kernel, kit.image):
        if not os.path.exists(path):
            raise Refused(f"there is no {path}: is it built?")
    workloads = known_workloads(kit, options.workload)
    if options.locks:
        text = "".join(markdown_of_locks(measure_locks(kit, workloads, options), options))
    else:
        text = markdown(measure(kit, options), options)
    if options.write:
        sections.write(PAGE, {section_of(options): text})
    print(text, end="")
    return 0


def main(argv):
    return tool.end("harts", lambda: run(arguments(argv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
