#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs one program twice, built against the host's C library and against ours, and compares.

    differential.py [--seed N] [--count N] HOST_PROGRAM COMMAND...

COMMAND is our build, with its emulator in front. Both get the seed and the count as arguments. The
output is one TAP test; on a difference the first lines that differ are shown. The host's library is
taken for right: it is another implementation of the same standards.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("host")
    parser.add_argument("ours", nargs="+")
    args = parser.parse_args()

    tail = [str(args.seed), str(args.count)]
    env = dict(os.environ, TZ="UTC0", LC_ALL="C")
    runs = [subprocess.run([*command, *tail], capture_output=True, env=env, check=False)
            for command in ([args.host], args.ours)]
    host, ours = (run.stdout.decode("latin-1").split("\n") for run in runs)
    differ = [i for i, pair in enumerate(zip(host, ours)) if pair[0] != pair[1]]
    good = not differ and len(host) == len(ours) and all(run.returncode == 0 for run in runs)

    print(f"# seed {args.seed}")
    for i in differ[:5]:
        print(f"# line {i + 1}\n#   host: {host[i]}\n#   ours: {ours[i]}")
    if not good:
        print(f"# {len(host)} and {len(ours)} lines, {len(differ)} differ, "
              f"statuses {runs[0].returncode} and {runs[1].returncode}")
    name = pathlib.Path(args.host).name
    print(f"{'ok' if good else 'not ok'} 1 - {name}: {len(host)} lines as the host's library\n1..1")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
