# SPDX-License-Identifier: MIT
"""Compiles mm with its tests by hand, for the scripts that need it built in ways of their own."""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

MM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = min(4, os.cpu_count() or 1)
FLAGS = ["-D_GNU_SOURCE", "-DMAPACHE_HOST=1", "-DMAPACHE_DEBUG=1", "-std=gnu11", "-g", "-O1", "-w",
         "-fno-omit-frame-pointer", "-Iinclude", "-I."]


class Host(NamedTuple):
    """What mm is compiled for and linked with."""
    folders: list  # of the files that it is linked with, and of their headers
    flags: list    # of mm itself
    link: list


POSIX = Host(["port/posix", "test"], [], ["-lpthread", "-lcmocka"])
# As in test/sim/CMakeLists.txt: mm calls the simulator for each access.
SIMULATOR = Host(["test/sim"], ["-fsanitize=thread", "-fno-pie"],
                 ["-no-pie", "-Wl," + ",".join(f"--wrap=mvm_i_slab_{name}"
                                               for name in ("alloc", "alloc_some", "free", "free_some", "check"))])


def c_files(folder):
    path = os.path.join(MM, folder)
    if not os.path.isdir(path):
        return []
    return [os.path.normpath(os.path.join(folder, f)) for f in sorted(os.listdir(path))
            if f.endswith(".c")]


def sources(areas="tree", place="topdown"):
    """mm itself, configured like this, as paths in MM."""
    plugs = {f"area_{areas}.c", f"place_{place}.c"}
    return [f for f in c_files(".") + c_files("modules")
            if not f.startswith(("area_", "place_")) or f in plugs]


def support(host=POSIX):
    """What mm's test programs are linked with: the machine, the files."""
    return [f for folder in host.folders for f in c_files(folder)
            if not os.path.basename(f).startswith("test_")]


def object_of(source, folder):
    return os.path.join(folder, source[:-2].replace("/", "-") + ".o")


def compile_one(source, folder, flags, text=None, host=POSIX):
    """Compile a file of MM, or the text in its stead; None, or what the compiler says."""
    include = [f"-I{f}" for f in host.folders]
    if not source.startswith(tuple(host.folders)):
        flags = [*flags, *host.flags]
    command = ["clang", *FLAGS, *include, *flags, "-o", object_of(source, folder), "-c"]
    if text is None:
        command.append(source)
    else:
        command += ["-I" + os.path.dirname(os.path.join(MM, source)), "-xc", "-"]
    done = subprocess.run(command, cwd=MM, input=text, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr


def compile_all(files, folder, flags, host=POSIX):
    with ThreadPoolExecutor(JOBS) as pool:
        errors = pool.map(lambda f: compile_one(f, folder, flags, host=host), files)
        for error in errors:
            if error:
                raise SystemExit(error)
    return [object_of(f, folder) for f in files]


def link(objects, binary, flags, host=POSIX):
    subprocess.run(["clang", *flags, *objects, "-o", binary, *host.link], check=True)
