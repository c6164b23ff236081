# SPDX-License-Identifier: MIT
"""What the lists of planted bugs share: each bug is a piece of the text of one file and what it becomes.

CMake (planted.cmake) asks a list for its bugs, has each written into a copy of its file, and builds the program
that is to find it with that copy in the place of the right one.
"""
import os
import sys
from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    file: str  # in fs/mapfs, or a path from the top
    old: str   # is there once, and becomes
    new: str
    shown_by: str = ""  # what the program is to be asked for

    def path(self):
        return self.file if "/" in self.file else "fs/mapfs/" + self.file


def plant(bug, source, result):
    text = open(source).read()
    if text.count(bug.old) != 1:
        sys.exit(f"{bug.file} has what {bug.name} changes {text.count(bug.old)} times")
    with open(result, "w") as file:
        file.write(text.replace(bug.old, bug.new))


def main(usage, bugs, arguments):
    """--list: NAME:FILE of each; NAME SOURCE RESULT: write it; --run NAME PROGRAM: let PROGRAM find it, with
    the arguments that arguments(bug) are."""
    words = sys.argv[1:]
    bug = next((bug for bug in bugs if bug.name in words[:2]), None)
    if words == ["--list"]:
        print(";".join(f"{bug.name}:{bug.path()}" for bug in bugs), end="")
    elif bug and len(words) == 3 and words[0] == "--run":
        os.execv(words[2], [words[2], "--find"] + arguments(bug))
    elif bug and len(words) == 3:
        plant(bug, words[1], words[2])
    else:
        sys.exit(usage)
