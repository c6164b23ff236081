# SPDX-License-Identifier: MIT
"""Boot Mapache in QEMU.

The UART is the guest's terminal.  In an interactive boot QEMU has the terminal to itself.  In
every other boot the UART goes through a pipe: the firmware talks first, so all is dropped until
the marker that the kernel prints when it starts init, and from there on bytes pass unchanged.  A
second marker says that the kernel panics: what follows is no longer the command's output.  The
kernel's log goes to a virtio console, which is a file here.
"""
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import termios
import time

MARK_INIT = b"\x1e[mapache:init]\x1e"
MARK_PANIC = b"\x1e[mapache:panic]\x1e"
END_OF_FILE = b"\x04"
LOCKED = b'Failed to get "write" lock'  # QEMU, of a disk that another QEMU has

STATUS_TIMEOUT = 124
STATUS_FAILED = 125  # the kernel panicked, or QEMU could not start

MEMORY = "256M"  # of a machine, unless it is said

SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=+,@-")


class Machine:
    """What to boot and on what; the fields are tools/run's options."""

    def __init__(self, kit, **options):
        self.kit = kit
        self.smp = 1
        self.mem = MEMORY
        self.image = kit.image
        self.swap = None  # path of the second disk
        self.icount = False
        self.append = ""
        self.qemu = []
        self.gdb = False
        self.log = kit.log
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError(f"no such option: {name}")
            setattr(self, name, value)


def encode_word(word):
    """An argument as one word of the kernel's command line: init decodes %XX.  %00 is an empty one."""
    if not word:
        return "%00"
    return "".join(chr(b) if b in SAFE else f"%{b:02x}" for b in os.fsencode(word))


def command_line(machine, command, marker):
    words = ["marker"] if marker else []
    if machine.icount:
        words.append("idle=10")  # else the clock jumps to its end while the disk works
    words += machine.append.split()
    if command:
        words += ["--"] + [encode_word(word) for word in command]
    return " ".join(words)


def disk(path, name, bus):
    return ["-drive", f"file={path.replace(',', ',,')},if=none,format=raw,id={name},"
                      "cache=writeback,discard=unmap",
            "-device", f"virtio-blk-device,drive={name},bus=virtio-mmio-bus.{bus}"]


def qemu_command(machine, serial, cmdline, reboot, log=None):
    """log: where the kernel's log goes instead of the machine's file."""
    log = (log or machine.log).replace(",", ",,")
    command = ["qemu-system-riscv64", "-M", "virt", "-global", "virtio-mmio.force-legacy=false",
               "-smp", str(machine.smp), "-m", machine.mem, "-display", "none", "-nodefaults",
               "-kernel", machine.kit.kernel, "-append", cmdline, "-serial", serial]
    if machine.image:
        command += disk(machine.image, "vda", 0)
    if machine.swap:
        command += disk(machine.swap, "vdb", 1)
    command += ["-device", "virtio-serial-device,bus=virtio-mmio-bus.2",
                "-chardev", f"file,id=log,path={log}", "-device", "virtconsole,chardev=log",
                "-object", "rng-builtin,id=rng", "-device",
                "virtio-rng-device,rng=rng,bus=virtio-mmio-bus.3"]
    if machine.icount:
        command += ["-icount", "shift=0,sleep=off", "-seed", "1",
                    "-rtc", "base=2026-01-01,clock=vm"]
    if machine.gdb:
        command += ["-s", "-S"]
    if not reboot:
        command += ["-no-reboot"]
    command += machine.qemu
    if shutil.which("setpriv"):  # QEMU goes with us even when we are killed
        command = ["setpriv", "--pdeathsig", "KILL"] + command
    return command


def read_log(path):
    try:
        with open(path, "rb") as log:
            return log.read()
    except OSError:
        return b""


class Filter:
    """Splits what the UART says: firmware until the first marker, output, panic from the second.

    A marker is a line, whose end the guest's terminal may have turned into CR LF.  It may arrive
    in pieces, so what could be the beginning of one is held back until it is known."""

    def __init__(self):
        self.before = b""  # firmware
        self.panic = b""
        self.state = "firmware"
        self.started = False  # init
        self.held = b""

    def feed(self, data):
        """Takes bytes of the UART, gives the bytes that are the command's output."""
        self.held += data
        if self.state == "firmware":
            line = re.search(b"(%b|%b)\r?\n" % (re.escape(MARK_INIT), re.escape(MARK_PANIC)), self.held)
            if not line:
                return b""
            self.before, self.held = self.held[: line.start()], self.held[line.end():]
            self.started = line.group(1) == MARK_INIT
            self.state = "output" if self.started else "panic"
        if self.state == "output":
            line = re.search(re.escape(MARK_PANIC) + b"\r?\n", self.held)
            end = line.start() if line else len(self.held) - self._may_begin(MARK_PANIC + b"\r\n")
            output, self.held = self.held[:end], self.held[line.end() if line else end:]
            if not line:
                return output
            self.state = "panic"
        else:
            output = b""
        self.panic += self.held
        self.held = b""
        return output

    def rest(self):
        """At the end: what was held back for a marker that never came."""
        rest, self.held = self.held, b""
        if self.state == "firmware":
            self.before += rest
            return b""
        return rest

    def _may_begin(self, line):
        """How many bytes at the end of what is held could be the beginning of the line."""
        for size in range(min(len(line), len(self.held)), 0, -1):
            if line.startswith(self.held[-size:]):
                return size
        return 0


class Outcome:
    """How a run ended, and what a person should be told about it."""

    def __init__(self, status, init=True, errors=b"", firmware=b"", panic=b"", log=b""):
        self.status = status
        self.init = init  # did it come to that?
        self.errors = errors  # QEMU's
        self.firmware = firmware  # what the UART said before init, when it did not
        self.panic = panic
        self.log = log  # the kernel's


def run_command(machine, command=(), stdin=None, timeout=None, write=None, listen=None):
    """Boot with command as init's job (or the shell, without one) and pass its bytes to write().

    stdin is a file descriptor whose bytes are typed to the guest, and an end of file after them;
    None is an empty one.  timeout counts from power-on.  listen(data, process) hears the kernel's log
    as it comes; process is QEMU, which it may kill.  Never leaves QEMU behind.
    """
    cmdline = command_line(machine, command, marker=True)
    log = open(machine.log, "wb")  # no report of an earlier run
    line, line_end = os.pipe() if listen else (None, None)
    process = subprocess.Popen(
        qemu_command(machine, "stdio", cmdline, False, f"/dev/fd/{line_end}" if listen else None),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        pass_fds=[line_end] if listen else [])
    deadline = None if timeout is None else time.monotonic() + timeout
    uart = Filter()
    errors = b""
    timed_out = False
    typed = bytearray()
    selector = selectors.PollSelector()  # unlike epoll it takes files
    selector.register(process.stdout, selectors.EVENT_READ, "uart")
    selector.register(process.stderr, selectors.EVENT_READ, "errors")
    if listen:
        os.close(line_end)
        selector.register(line, selectors.EVENT_READ, "log")
    os.set_blocking(process.stdin.fileno(), False)
    typing = None  # begins when init does: what comes earlier the firmware would take
    try:
        open_pipes = 3 if listen else 2
        while open_pipes:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            if left == 0:
                timed_out = True
                break
            for key, _ in selector.select(left):
                if key.data == "typist":
                    data = os.read(stdin, 4096)
                    typed += data or END_OF_FILE
                    selector.unregister(stdin)  # until that is typed
                    typing = "more" if data else "last"
                    selector.register(process.stdin, selectors.EVENT_WRITE, "type")
                elif key.data == "type":
                    try:
                        del typed[: os.write(process.stdin.fileno(), typed)]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        typed.clear()
                        typing = "last"
                    if not typed:
                        selector.unregister(process.stdin)
                        if typing == "more":
                            selector.register(stdin, selectors.EVENT_READ, "typist")
                else:
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                        open_pipes -= 1
                    elif key.data == "errors":
                        errors += data
                    elif key.data == "log":
                        log.write(data)
                        listen(data, process)
                    else:
                        output = uart.feed(data)
                        if output and write:
                            write(output)
                        if typing is None and uart.state == "output":
                            typing = "more"
                            if stdin is None:
                                typed += END_OF_FILE
                                typing = "last"
                                selector.register(process.stdin, selectors.EVENT_WRITE, "type")
                            else:
                                selector.register(stdin, selectors.EVENT_READ, "typist")
        if not timed_out:
            process.wait()
        output = uart.rest()
        if output and write:
            write(output)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        selector.close()
        for pipe in (process.stdin, process.stdout, process.stderr, log):
            pipe.close()
        if listen:
            os.close(line)

    status = process.returncode
    if timed_out:
        status = STATUS_TIMEOUT
    elif uart.state != "output":
        status = STATUS_FAILED
    elif status < 0:  # QEMU was killed
        status = 128 - status
    return Outcome(status, uart.started, errors, uart.before, uart.panic, read_log(machine.log))


def output_of(machine, command, timeout=None):
    """What the command says; when it fails, the end of this program, with all that is known of why."""
    output = bytearray()
    outcome = run_command(machine, command, timeout=timeout, write=output.extend)
    tool = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    if LOCKED in outcome.errors:
        sys.exit(f"{tool}: another machine runs on {machine.image}")
    if outcome.status != 0:
        told = outcome.errors + (outcome.panic or outcome.log[-2000:])
        sys.exit(f"{tool}: {' '.join(command)}: status {outcome.status}:\n"
                 + (output + told).decode(errors="replace"))
    return output.decode(errors="replace")


def run_interactive(machine, timeout=None):
    """Give the terminal to the guest.  It is restored however QEMU ends."""
    terminal = sys.stdin.fileno()
    saved = termios.tcgetattr(terminal)
    process = None
    try:
        process = subprocess.Popen(qemu_command(
            machine, "mon:stdio", command_line(machine, (), marker=False), reboot=True))
        # Ctrl-C belongs to the guest; QEMU has turned it off, but not yet while it starts
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return Outcome(STATUS_TIMEOUT)
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
        termios.tcsetattr(terminal, termios.TCSADRAIN, saved)
    return Outcome(status if status >= 0 else 128 - status)
