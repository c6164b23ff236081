#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the cases of sh_cases.txt through another POSIX shell and ours, and compares.

    sh_check.py [--only TEXT] REFERENCE_SHELL COMMAND...

COMMAND is our shell, with its emulator in front; programs that it runs are this machine's, and `sh`
in a case is the shell under test itself. Standard output and the exit status must be equal. Each case
runs in an empty folder of its own. The output is TAP.
"""
import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


def cases():
    text = (pathlib.Path(__file__).parent / "sh_cases.txt").read_text()
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        name, _, script = part.partition("\n")
        yield name, script


def run(command, script, tools):
    """Standard output and status of a script in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(tools) / "case.sh"
        path.write_text(script)
        env = {"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
        try:
            done = subprocess.run([*command, str(path)], cwd=folder, env=env, timeout=20,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False)
        except subprocess.TimeoutExpired:
            return "", "", "time limit"
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode


def shell_folder(scratch, command):
    """A folder for PATH in which sh is this command."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    sh = folder / "sh"
    sh.write_text(f"#!/bin/sh\nexec {shlex.join(command)} \"$@\"\n")
    sh.chmod(0o755)
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("reference")
    parser.add_argument("ours", nargs="+")
    args = parser.parse_args()
    ours = [str(pathlib.Path(w).resolve()) if "/" in w else w for w in args.ours]
    wanted = [case for case in cases() if args.only in case[0]]

    print(f"1..{len(wanted)}")
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        there, here = (shell_folder(scratch, c) for c in ([args.reference], ours))
        for number, (name, script) in enumerate(wanted, 1):
            want = run([args.reference], script, there)
            got = run(ours, script, here)
            good = (want[0], want[2]) == (got[0], got[2])
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {name}")
            if not good:
                for title, result in (("wanted", want), ("is", got)):
                    print(f"# {title}, status {result[2]}:")
                    print("".join(f"#   {line}\n" for line in (result[0] + result[1]).splitlines()))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
