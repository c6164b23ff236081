# SPDX-License-Identifier: MIT
"""mapache-run: tools/run's boot with the parts of an installed SDK, and a program of the host's."""
import os
import sys

import build
import run

SHARE = os.path.dirname(os.path.abspath(__file__))


def find_kit(_options):
    log = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"mapache-{os.getuid()}.log")
    return build.Kit(os.path.join(SHARE, "mapache.elf"), os.path.join(SHARE, "disk.img"),
                     os.path.join(SHARE, "bin"), log)


if __name__ == "__main__":
    sys.exit(run.run(sys.argv[1:], find_kit, sdk=True))
