# SPDX-License-Identifier: MIT
"""tools/profile: see USAGE."""
import argparse
import bisect
import collections
import os
import subprocess
import sys
import tempfile
import threading

import bench_aims
import bench_table
import build
import guest
import tool

USAGE = """\
tools/profile [OPTION]... =NAME... | -- COMMAND [ARG...]

Counts where the kernel spends its instructions while a benchmark (=NAME, as tools/bench knows it) or
a command runs, from the first entry into user mode to the end: by function, exactly, without a sample taken.
QEMU logs each block of code that it runs and how long it is; what a block does not finish because it
faults is counted all the same.  The user's own instructions are not counted.

Columns: instructions of the function itself, their share, how often it was entered at its top (a
function that the compiler made part of others has no line), and instructions a call.
--of FUNCTION shows one function's instructions, each with how often it ran.  --boot counts the
kernel's boot instead, from its first instruction to there.

Exit status: 0; 1 when the benchmark or the command failed (what was counted is shown all the same) or the
kernel has no such function; 2 when a word means nothing, or nothing can be built."""

FIRST_USER = "arch_enter_frame"  # the way into user mode


class Symbols:
    """The functions of the kernel, by address."""

    def __init__(self, kernel):
        listing = subprocess.run(["riscv64-linux-gnu-nm", "-n", "--defined-only", kernel],
                                 capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listing.splitlines()]
        rows = [(int(at, 16), name) for at, kind, name in rows if kind in "tT" and name[0] not in "$."]
        self.start = rows[0][0]
        self.end = next(int(line.split()[0], 16) for line in listing.splitlines()
                        if line.endswith(" __text_end"))
        rows = dict(rows)
        self.at = sorted(at for at in rows if at < self.end)
        self.names = [rows[at] for at in self.at]

    def index(self, pc):
        return bisect.bisect_right(self.at, pc) - 1

    def address(self, name):
        if name not in self.names:
            sys.exit(f"profile: the kernel has no function {name} (it may be part of others)")
        return self.at[self.names.index(name)]


class Blocks:
    """How often each block of code ran, and which instructions are in it.

    QEMU may have several translations that begin at one address (short ones where its instruction
    clock ends a slice): the log names each by where its code lies, when it runs."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end  # addresses; None: the beginning, the end of all
        self.runs = collections.Counter()  # (instructions' addresses) -> times

    def read(self, log):
        block, fresh, translations, counting = [], {}, {}, self.begin is None
        for line in log:
            if not line.endswith(b"\n"):  # QEMU was killed
                break
            if line.startswith(b"Trace"):
                words = line.split(b"/", 2)
                name, pc = words[0], int(words[1], 16)
                if pc in fresh:
                    translations[name] = fresh.pop(pc)
                if pc in (self.begin, self.end):
                    counting = pc == self.begin
                if counting:
                    self.runs[translations[name]] += 1
            elif line.startswith(b"0x"):
                block.append(int(line[:18], 16))
            elif block:  # the empty line after one
                fresh[block[0]] = tuple(block)
                block = []


def by_function(blocks, symbols):
    """(instructions, entries, name) of each function, most first."""
    own, entries = collections.Counter(), collections.Counter()
    for block, times in blocks.runs.items():
        function = symbols.index(block[0])
        own[function] += len(block) * times
        if block[0] == symbols.at[function]:
            entries[function] += times
    return [(n, entries[f], symbols.names[f]) for f, n in own.most_common()]


def by_instruction(blocks):
    count = collections.Counter()
    for block, times in blocks.runs.items():
        for address in block:
            count[address] += times
    return count


def show_functions(blocks, symbols, most):
    rows = by_function(blocks, symbols)
    total = sum(row[0] for row in rows)
    print(f"{'instructions':>14} {'share':>6} {'entered':>10} {'a call':>8}  function")
    for own, entries, name in rows[:most]:
        each = f"{own / entries:8.1f}" if entries else f"{'-':>8}"
        print(f"{own:14,} {100 * own / total:5.1f}% {entries:10,} {each}  {name}")
    print(f"{total:14,} {'':6} {'':10} {'':8}  all of {len(rows)}")


def show_one(kernel, blocks, symbols, name):
    start = symbols.address(name)
    at = symbols.index(start) + 1
    end = symbols.at[at] if at < len(symbols.at) else symbols.end
    count = by_instruction(blocks)
    text = subprocess.run(["riscv64-linux-gnu-objdump", "-d", "-l", "--no-show-raw-insn",
                           f"--start-address={start}", f"--stop-address={end}", kernel],
                          capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        address, colon, _ = line.partition(":")
        if line.startswith("/"):
            print(f"{'':12} {os.path.relpath(line, build.TREE)}")
        elif colon and line.startswith("ffff") and ">" not in address:
            print(f"{count[int(address, 16)]:12,} {line}")


def run(kit, command, symbols, blocks):
    """Boots with the command as the only job, on a RAM disk as tools/bench does; its exit status and what it said."""
    said = bytearray()

    def write(data):
        said.extend(data)
        sys.stderr.buffer.write(data)

    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        fifo = os.path.join(folder, "log")
        os.mkfifo(fifo)

        def read():
            with open(fifo, "rb") as log:
                blocks.read(log)

        reader = threading.Thread(target=read)
        reader.start()
        words = ["-initrd", kit.image, "-D", fifo, "-d", "exec,nochain,in_asm",
                 "-dfilter", f"{symbols.start:#x}+{symbols.end - symbols.start:#x}"]
        machine = guest.Machine(kit, image=None, append="root=ram0 norandmaps", qemu=words, mem="1G",
                                icount=True)
        try:
            outcome = guest.run_command(machine, command, write=write)
        finally:
            os.close(os.open(fifo, os.O_RDWR))  # a QEMU that never opened it leaves the reader waiting
            reader.join()
    if outcome.status == guest.STATUS_FAILED:
        sys.stderr.buffer.write(outcome.panic or outcome.errors or outcome.log)
    return outcome.status, said.decode(errors="replace")


def failures(options, command, status, said):
    """What did not do what was to be counted."""
    if status != 0:
        yield f"{' '.join(command)}: status {status}"
    elif options.name:
        for (name, _), why in bench_table.parse(said.replace("\r\n", "\n"), "a run").failure.items():
            yield f"{name} failed: {why}"


def arguments(argv):
    """The options, and the command."""
    at = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(prog="tools/profile", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="release", choices=build.PRESETS, metavar="PRESET",
                        help="what to look at (%(default)s)")
    parser.add_argument("--boot", action="store_true", help="the boot, not the command")
    parser.add_argument("--of", metavar="FUNCTION", help="its instructions instead of the table")
    parser.add_argument("--most", type=int, default=40, help="lines of the table (%(default)s)")
    parser.add_argument("--dir", default="/tmp", help="where a benchmark's files are (%(default)s)")
    parser.add_argument("name", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv[:at])
    command = argv[at + 1:]
    if bool(options.name) == bool(command) and not (options.boot and not options.name):
        parser.error("which benchmark (=NAME), or which command (-- COMMAND)?")
    known = {name for name, _ in bench_aims.read_floors()} - {bench_table.BOOT}
    fault = bench_table.fault_of_filters(options.name, known)
    if fault:
        parser.error(fault)
    if options.most < 1:
        parser.error("--most is of one line at least")
    if options.name:
        command = ["/bench/vmbench", "-d", options.dir, *options.name]
    return options, command or ["true"]


def profile(options, command):
    kit = build.kit_of(build.build(options.preset, ["mapache.elf", "image"]))
    symbols = Symbols(kit.kernel)
    first = symbols.address(FIRST_USER)
    if options.of:
        symbols.address(options.of)
    blocks = Blocks(None, first) if options.boot else Blocks(first, None)
    failed = list(failures(options, command, *run(kit, command, symbols, blocks)))
    if options.of:
        show_one(kit.kernel, blocks, symbols, options.of)
    else:
        show_functions(blocks, symbols, options.most)
    sys.stdout.flush()
    sys.stderr.write("".join(f"profile: {what}\n" for what in failed))
    return int(bool(failed))


def main(argv):
    return tool.end("profile", lambda: profile(*arguments(argv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
