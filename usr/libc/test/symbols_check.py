#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares what the C library's headers declare with what its archive defines.

Every declared function and variable must be defined: a program must not find out when it is linked.
Every defined global must be declared in a public header or begin with two underscores: other names
belong to programs, and a program's own function of that name would take the place of the library's.

    symbols_check.py LIBC_A [PREFIX]        (riscv64-linux-gnu-)

Output is TAP.
"""
import pathlib
import re
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[3]
INCLUDE = TREE / "usr/libc/include"

# Of the linker and of start-up's contract with it and with main.
NOT_OURS = {"_start", "main", "environ"}


def declared(prefix):
    """Names of functions and variables that some public header declares."""
    headers = sorted(str(p.relative_to(INCLUDE)) for p in INCLUDE.rglob("*.h"))
    gcc_include = subprocess.run([prefix + "gcc", "-print-file-name=include"], text=True,
                                 capture_output=True, check=True).stdout.strip()
    text = subprocess.run(
        [prefix + "gcc", "-E", "-P", "-nostdinc", "-isystem", gcc_include, f"-I{INCLUDE}",
         f"-I{TREE}/kernel/include", "-x", "c", "-"],
        input="".join(f"#include <{h}>\n" for h in headers), text=True, capture_output=True,
        check=True).stdout
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", text)
    text = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", text)))
    functions = set()
    for statement in text.split(";"):
        statement = " ".join(statement.split())
        if statement.startswith(("typedef", "_Static_assert")) or not statement:
            continue
        call = re.match(r"^[\w\s*]*?[\s*](\w+) ?\(", statement)
        if call:
            functions.add(call[1])
        elif statement.startswith("extern"):
            names = statement.removeprefix("extern").split(",")
            functions |= {re.search(r"(\w+)(\[[^\]]*\])?$", n.strip())[1] for n in names}
    return functions


def defined(archive, prefix):
    run = subprocess.run([prefix + "nm", "-g", "--defined-only", archive], text=True,
                         capture_output=True, check=True)
    return set(re.findall(r"^[0-9a-f]+ [A-Z] (\S+)$", run.stdout, re.M))


def report(number, name, bad):
    print(f"{'not ok' if bad else 'ok'} {number} - {name}")
    for symbol in sorted(bad):
        print(f"# {symbol}")
    return bool(bad)


def main():
    prefix = sys.argv[2] if len(sys.argv) > 2 else "riscv64-linux-gnu-"
    promised, given = declared(prefix), defined(sys.argv[1], prefix)
    print("1..2")
    failed = report(1, f"{len(promised)} declared names are defined", promised - given)
    failed |= report(2, "no global but those, or with __",
                     {s for s in given - promised if not s.startswith("__")} - NOT_OURS)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
