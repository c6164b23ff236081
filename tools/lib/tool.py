# SPDX-License-Identifier: MIT
"""How a measuring tool ends: with its status, or with a line that says why there is none."""
import shlex
import subprocess
import sys

import build

REFUSED = 2
INTERRUPTED = 130  # as a shell says it of a program that SIGINT ended


class Refused(Exception):
    """There is nothing to measure or to read, and why."""


def reason_of(error):
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error)
    said = "".join(text.decode(errors="replace") if isinstance(text, bytes) else text
                   for text in (error.stdout, error.stderr) if text)
    return f"{shlex.join(map(str, error.cmd))}: status {error.returncode}\n{said}".rstrip("\n")


def end(name, main):
    """The exit status of main(): its own, or that of what ended it, which is said.

    Temporary files are gone by then: they belong to blocks that the exception has left."""
    try:
        return main()
    except (Refused, build.BuildError, OSError, subprocess.CalledProcessError) as error:
        print(f"{name}: {reason_of(error)}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
