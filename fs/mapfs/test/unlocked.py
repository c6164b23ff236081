#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Locks that are left out, one at a time: mapfs_tree under ThreadSanitizer must see it, as a data race, a broken
record or an end that never comes.

usage: unlocked.py --list                   NAME:FILE of each
       unlocked.py NAME SOURCE RESULT       a copy of the file in which that lock does nothing
       unlocked.py --run NAME PROGRAM       let PROGRAM, of which that is a part, see it
"""
import os
import subprocess
import sys

SEEDS = range(1, 9)
SECONDS = 20  # against hanging, which is what is to be seen where directories are moved without their lock

# Name, file from the top, the last of its includes, how the lock is called there, which kind it is.
LOCKS = [
    ("rename", "fs/namespace.c", '#include "private.h"\n', "rename_lock", "mutex"),
    ("write", "fs/file.c", '#include "private.h"\n', "vnode->lock", "mutex"),
    ("allocator", "fs/mapfs/alloc.c", '#include "mapfs.h"\n', "alloc_lock", "mutex"),
    ("inodes", "fs/mapfs/inode.c", '#include "mapfs.h"\n', "store_lock", "mutex"),
    ("extents", "fs/mapfs/file.c", '#include "mapfs.h"\n', "extent_lock", "mutex"),
    ("gate", "fs/mapfs/commit.c", '#include "mapfs.h"\n', "gate", "rwlock"),
]


def leave_out(source, result, include, lock, kind):
    """By macros, which know a lock by the words it is called by."""
    text = open(source).read()
    if text.count(include) != 1 or lock not in text:
        sys.exit(f"{source} has no {lock}, or not one {include}")
    macros = "#include <string.h>\n" + "".join(
        f'#define {call}(l) (strstr(#l, "{lock}") ? (void)0 : {call}(l))\n'
        for call in (f"fsh_{kind}_lock", f"fsh_{kind}_unlock"))
    with open(result, "w") as file:
        file.write(text.replace(include, include + macros))


def is_seen(program, seed):
    environment = {**os.environ, "MAPFS_SEED": str(seed),
                   "TSAN_OPTIONS": "detect_deadlocks=0:halt_on_error=1:report_signal_unsafe=0"}
    try:
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        print(f"ok - seed {seed}: no end")
        return True
    if done.returncode:
        lines = done.stderr.splitlines() + done.stdout.splitlines()
        print(f"ok - seed {seed}:", next((line for line in lines if "SUMMARY" in line), lines[-1] if lines else ""))
    return done.returncode != 0


def main(words):
    chosen = next((lock for lock in LOCKS if lock[0] in words[:2]), None)
    if words == ["--list"]:
        print(";".join(f"{name}:{file}" for name, file, *_ in LOCKS), end="")
    elif chosen and len(words) == 3 and words[0] == "--run":
        if not any(is_seen(words[2], seed) for seed in SEEDS):
            sys.exit("not ok - nothing was seen")
    elif chosen and len(words) == 3:
        leave_out(*words[1:], *chosen[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
