# SPDX-License-Identifier: MIT
"""Build directories: configure and build quietly, and say where the parts lie."""
import fcntl
import os
import subprocess
import sys
import threading

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRESETS = ("dev", "release", "core")  # of the kernel
SAY_SO_AFTER = 2.0  # seconds


class BuildError(Exception):
    """The build failed; its output has been printed."""


class Kit:
    """The parts that a boot needs: from a build directory, or from an installed SDK."""

    def __init__(self, kernel, image, tools, log):
        self.kernel = kernel  # mapache.elf
        self.image = image  # disk.img
        self.tools = tools  # folder of the host's mkfs, fsck, get and put
        self.log = log  # where the kernel's log goes

    def tool(self, name):
        return os.path.join(self.tools, name)


def kit_of(directory):
    return Kit(os.path.join(directory, "mapache.elf"), os.path.join(directory, "disk.img"),
               os.path.join(directory, "host-tools", "bin"), os.path.join(directory, "run.log"))


def quietly(command, what):
    """Run command; its output is seen only when it fails, that it runs only when it takes long."""
    note = threading.Timer(SAY_SO_AFTER, print, (f"mapache: {what} ...",), {"file": sys.stderr})
    note.start()
    try:
        done = subprocess.run(command, cwd=TREE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        note.cancel()
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)
        raise BuildError(f"{what} failed")


def build(preset, targets=(), name=None, options=()):
    """Bring build/PRESET up to date, or only some targets of it.  Returns the directory.

    The target build.ninja is the configuration itself.  With a name the directory is build/NAME, and is
    configured with these options (-DVARIABLE=VALUE)."""
    directory = os.path.join(TREE, "build", name or preset)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if name or not os.path.exists(os.path.join(directory, "build.ninja")):
            quietly(["cmake", "--preset", preset, "-B", directory, *options], f"configuring {name or preset}")
        quietly(["ninja", "-C", directory, *targets], f"building {name or preset}")
    return directory
