# SPDX-License-Identifier: MIT
"""tools/run: see USAGE."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import build
import guest

USAGE = """\
tools/run [OPTION]... [-- COMMAND [ARG...]]

Sets up what is missing, builds, makes the disk image and boots Mapache in QEMU.

Without COMMAND: a shell on this terminal; Ctrl-A X leaves QEMU, Ctrl-A C is its monitor.
When standard input is no terminal, it is typed to the shell, which ends at its end.

With COMMAND: runs it as the only job.  Its output is all that appears on standard output; the
machine powers off when it ends.  Standard input that is no terminal is typed to it as text.
Exit status: that of COMMAND; 124 at the time limit; 125 when the kernel panicked, the image has no
init, or QEMU could not start, with the end of the kernel's log on standard error; 2 when something is missing here.

The kernel's log is build/PRESET/run.log."""


SDK_USAGE = """\
mapache-run [OPTION]... [PROGRAM [ARG...]]

Boots Mapache with PROGRAM, a file of this machine, put into a copy of its disk as /root/PROGRAM,
and runs it as the only job.  Output, input and exit status are as tools/run has them: 124 at the
time limit, 125 when the kernel panicked or QEMU could not start.  Without PROGRAM: a shell."""


def arguments(argv, sdk):
    parser = argparse.ArgumentParser(
        prog="mapache-run" if sdk else "tools/run", usage=argparse.SUPPRESS,
        description=SDK_USAGE if sdk else USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if sdk:
        parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    else:
        parser.add_argument("--preset", default="release", help="dev, release or core (%(default)s)")
        parser.add_argument("--built", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--smp", type=int, default=1, metavar="N", help="harts, 1 to 8 (%(default)s)")
    parser.add_argument("--mem", default=guest.MEMORY, metavar="SIZE", help="memory (%(default)s)")
    parser.add_argument("--image", metavar="FILE",
                        help="boot this image and change it in place (build/PRESET/disk.img)")
    parser.add_argument("--swap", metavar="SIZE", help="add an empty second disk of this size")
    parser.add_argument("--put", action="append", default=[], metavar="HOSTFILE:GUESTPATH",
                        help="put a file into a copy of the image, which is thrown away after")
    parser.add_argument("--icount", action="store_true",
                        help="one hart under QEMU's instruction clock: runs differ only by what "
                             "waits for the disk")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds from power-on")
    parser.add_argument("--append", default="", metavar="ARGS", help="words for the kernel")
    parser.add_argument("--qemu", action="append", default=[], metavar="ARG",
                        help="one more argument for QEMU")
    parser.add_argument("--gdb", action="store_true",
                        help="wait for a debugger on port 1234 before the first instruction")
    if sdk:
        options = parser.parse_args(joined(argv))
        if options.command:
            program = options.command[0]
            options.command[0] = "/root/" + os.path.basename(program)
            options.put.append(f"{program}:{options.command[0]}")
    else:
        # argparse would take the options of COMMAND, so it sees only what comes before --
        at = argv.index("--") if "--" in argv else len(argv)
        options = parser.parse_args(joined(argv[:at]))
        options.command = argv[at + 1:]
        if at < len(argv) and not options.command:
            parser.error("there is no COMMAND after --")
    if not 1 <= options.smp <= 8:
        parser.error("--smp is 1 to 8")
    if options.icount and options.smp != 1:
        parser.error("--icount is for one hart")
    for pair in options.put:
        if ":" not in pair:
            parser.error(f"--put wants HOSTFILE:GUESTPATH, not {pair}")
    return options


def joined(argv):
    """--qemu -d as --qemu=-d: what these options take may begin with a dash."""
    result = []
    words = iter(argv)
    for word in words:
        value = next(words, None) if word in ("--qemu", "--append") else None
        result.append(word if value is None else f"{word}={value}")
    return result


def say(text):
    print(f"mapache: {text}", file=sys.stderr, flush=True)


class Stopped(Exception):
    """A signal asked us to end."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def stop_on_signals():
    def stop(number, _frame):
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def copy_image(image, directory):
    copy = os.path.join(directory, "disk.img")
    subprocess.run(["cp", "--reflink=auto", "--sparse=always", image, copy], check=True)
    os.chmod(copy, 0o600)
    return copy


def put_files(kit, image, pairs):
    for pair in pairs:
        hostfile, guestpath = pair.rsplit(":", 1)
        done = subprocess.run([kit.tool("put"), image, hostfile, guestpath], stdout=sys.stderr)
        if done.returncode:
            raise OSError(f"cannot put {hostfile} into the image")


def machine_of(kit, options, scratch):
    image = options.image or kit.image
    if not os.path.exists(image):
        if options.image:
            raise FileNotFoundError(f"no such image: {image}")
        image = None
    if image and options.put:
        image = copy_image(image, scratch)
    if image:
        put_files(kit, image, options.put)
    swap = None
    if options.swap:
        swap = os.path.join(scratch, "swap.img")
        subprocess.run(["truncate", "-s", options.swap, swap], check=True)
    return guest.Machine(kit, smp=options.smp, mem=options.mem, image=image, swap=swap,
                         icount=options.icount, append=options.append, qemu=options.qemu,
                         gdb=options.gdb)


def write_out(data):
    while data:
        data = data[os.write(1, data):]


def fault_reports(log):
    """What the log says about processes that a fault ended: a line, and lines indented below it."""
    report = re.compile(rb"^\[ *[\d.]+\] process \d+ \(.*\): SIG.*\n(?:\[ *[\d.]+\]   .*\n)*", re.M)
    return [re.sub(rb"(?m)^\[ *[\d.]+\] ", b"", text) for text in report.findall(log)]


def explain(outcome):
    """Say on standard error what the exit status does not."""
    failed = outcome.status in (guest.STATUS_FAILED, guest.STATUS_TIMEOUT)
    said = [outcome.errors, *fault_reports(outcome.log)]
    if outcome.panic:
        said.append(outcome.panic)
    elif failed and not outcome.init:
        said.append(outcome.log or outcome.firmware)
    for text in said:
        sys.stderr.buffer.write(text.replace(b"\r\n", b"\n"))
    sys.stderr.flush()
    if outcome.status == guest.STATUS_TIMEOUT:
        say("time limit reached")
    elif b"panic: " in outcome.panic:
        say("the kernel panicked")
    elif failed and not outcome.init:
        say("the machine ended before init started")


def boot(kit, options):
    """Boot as the options say; the exit status."""
    scratch = tempfile.mkdtemp(prefix="mapache-")
    try:
        machine = machine_of(kit, options, scratch)
        if options.gdb:
            say(f"waiting for: gdb-multiarch -ex 'target remote :1234' {kit.kernel}")
        if not options.command and sys.stdin.isatty():
            say("Ctrl-A X leaves QEMU")
            outcome = guest.run_interactive(machine, options.timeout)
        else:
            stdin = None if sys.stdin is None or sys.stdin.isatty() else 0
            outcome = guest.run_command(machine, options.command, stdin, options.timeout, write_out)
        explain(outcome)
        return outcome.status
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(argv, find_kit, sdk=False):
    """find_kit(options) gives the Kit; the exit status of the whole program."""
    options = arguments(argv, sdk)
    stop_on_signals()
    try:
        return boot(find_kit(options), options)
    except Stopped as stopped:
        return 128 + stopped.number
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except (build.BuildError, subprocess.CalledProcessError, OSError) as error:
        say(str(error))
        return guest.STATUS_FAILED


def find_kit(options):
    if options.built:
        return build.kit_of(options.built)
    return build.kit_of(build.build(options.preset, ["mapache.elf", "image"]))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], find_kit))
