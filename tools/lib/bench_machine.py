# SPDX-License-Identifier: MIT
"""The machine that tools/bench measures on: one set of QEMU's arguments for every kernel.

They are those of Linux's runs (the heads of usr/bench/linux/*.tsv), word for word; a kernel adds only what is
its own: its file, its initrd and its command line.  Without the clock of instructions (`icount=False`) the
machine runs by the host's time and does not repeat.
"""
import shutil
import subprocess

import guest
import tool

MEMORY = "1G"
QEMU = ["qemu-system-riscv64", "-M", "virt", "-smp", "1", "-nographic", "-no-reboot",
        "-global", "virtio-mmio.force-legacy=false"]
CLOCK = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
SECONDS = 1800  # against hanging, not a threshold

TMPFS, DISK = 0, 1  # where files are: columns of every table
DIRECTORIES = ("/tmp", "/mnt/ram")  # as Linux's runs have them


class NoEnd(tool.Refused):
    """A kernel that did not come to vmbench's end: a line, and the end of what it said."""

    def __init__(self, image, how, said, errors=b""):
        last = (said.strip() or errors.decode(errors="replace").strip() or "nothing").splitlines()[-1]
        super().__init__(f"{image} did not come to the end{how}: the last that it said is {last}")
        self.said = said[-4000:] + errors.decode(errors="replace")


def text_of(output):
    return (output or b"").decode(errors="replace").replace("\r\n", "\n")


class Kernel:
    """What is booted: boot() gives all that it says, or raises NoEnd."""

    def __init__(self, image, initrd, words):
        self.image = image
        self.initrd = initrd
        self.words = words  # vmbench's arguments -> the kernel's command line

    def command(self, arguments, memory=MEMORY, icount=True):
        return [*QEMU, "-m", memory, *(CLOCK if icount else []), "-kernel", self.image,
                "-initrd", self.initrd, "-append", self.words(arguments)]

    def boot(self, arguments, **machine):
        command = self.command(arguments, **machine)
        if shutil.which("setpriv"):  # QEMU goes with us even when we are killed
            command = ["setpriv", "--pdeathsig", "KILL"] + command
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as late:
            raise NoEnd(self.image, f" in {SECONDS} seconds", text_of(late.stdout)) from None
        said = text_of(done.stdout)
        if "\n# done: " not in said:
            raise NoEnd(self.image, "", said, done.stderr)
        return said


def mapache(kit):
    """vmbench as the job of /bin/init: as pid 1 it would mount a second tmpfs on /tmp."""

    def words(arguments):
        directories = [word for directory in DIRECTORIES for word in ("-d", directory)]
        job = ["/bin/sh", "-c", f'mkdir -p {DIRECTORIES[DISK]} && exec "$@"', "sh",
               "/bench/vmbench", *directories, *arguments]
        return "root=ram0 norandmaps -- " + " ".join(map(guest.encode_word, job))

    return Kernel(kit.kernel, kit.image, words)
