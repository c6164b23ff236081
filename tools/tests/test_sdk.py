# SPDX-License-Identifier: MIT
"""The SDK outside the tree: compile, run, output and status, from wherever it was moved to."""
import re
import shutil
import subprocess

import pytest
from elftools.elf.elffile import ELFFile

HELLO = """\
#include <stdio.h>
int main(int argc, char **argv)
{
	printf("hello from %s, %d arguments\\n", argv[0], argc - 1);
	return argc + 40;
}
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """A copy of the SDK in another place."""
    from conftest import PRESET, TREE
    directory = TREE / "build" / PRESET
    subprocess.run(["ninja", "-C", directory, "sdk"], check=True, capture_output=True)
    moved = tmp_path_factory.mktemp("moved") / "sdk"
    shutil.copytree(directory / "sdk", moved)
    return moved


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hello.c").write_text(HELLO)
    return tmp_path


def cc(sdk, folder, *arguments):
    return subprocess.run([sdk / "bin/mapache-cc", *arguments], cwd=folder, capture_output=True,
                          text=True)


def test_compile_and_run(sdk, folder):
    done = cc(sdk, folder, "-Wall", "-Wextra", "-Werror", "hello.c", "-o", "hello")
    assert done.returncode == 0, done.stderr
    done = subprocess.run([sdk / "bin/mapache-run", "./hello", "-x", "two words"], cwd=folder,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert done.stdout == b"hello from /root/hello, 2 arguments\n", done.stderr
    assert done.returncode == 43


def test_options_come_before_the_program(sdk, folder):
    cc(sdk, folder, "hello.c", "-o", "hello")
    done = subprocess.run([sdk / "bin/mapache-run", "--smp", "2", "./hello", "--smp"], cwd=folder,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (42, b"hello from /root/hello, 1 arguments\n")


def test_separate_objects(sdk, folder):
    (folder / "half.c").write_text("int half(int n);\nint half(int n) { return n / 2; }\n")
    (folder / "main.c").write_text("int half(int n);\nint main(void) { return half(84); }\n")
    for source in ("half.c", "main.c"):
        done = cc(sdk, folder, "-c", source)
        assert (done.returncode, done.stderr) == (0, "")
    assert cc(sdk, folder, "half.o", "main.o", "-o", "both").returncode == 0
    done = subprocess.run([sdk / "bin/mapache-run", "./both"], cwd=folder, capture_output=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 42


def test_nothing_of_the_host_is_seen(sdk, folder):
    """A header that only the toolchain's own C library has must not be found."""
    (folder / "host.c").write_text("#include <gnu/libc-version.h>\n")
    assert cc(sdk, folder, "-c", "host.c").returncode != 0


def test_errors_are_the_compilers(sdk, folder):
    (folder / "bad.c").write_text("int main(void) { return }\n")
    done = cc(sdk, folder, "bad.c")
    assert done.returncode != 0
    assert "bad.c:1" in done.stderr


def test_a_fatal_fault_is_explained(sdk, folder):
    """The kernel's report reaches the person, and not the program's output."""
    (folder / "crash.c").write_text("int main(void) { return *(volatile int *)16; }\n")
    cc(sdk, folder, "crash.c", "-o", "crash")
    done = subprocess.run([sdk / "bin/mapache-run", "./crash"], cwd=folder, capture_output=True,
                          stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (128 + 11, b"")
    assert b"(crash): SIGSEGV" in done.stderr and b"address 10," in done.stderr


def test_a_fatal_fault_names_the_callers(sdk, folder):
    (folder / "deep.c").write_text("""
        __attribute__((noinline)) int inner(volatile int *p) { return *p; }
        __attribute__((noinline)) int outer(volatile int *p) { return inner(p) + 1; }
        int main(void) { return outer((int *)16) + 1; }
    """)
    cc(sdk, folder, "-O1", "deep.c", "-o", "deep")
    done = subprocess.run([sdk / "bin/mapache-run", "./deep"], cwd=folder, capture_output=True,
                          stdin=subprocess.DEVNULL)
    report = done.stderr.decode()
    places = [int(x, 16) for x in re.findall(r"  (?:at|called from) ([0-9a-f]+)", report)]
    with open(folder / "deep", "rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        starts = sorted((s["st_value"], s.name) for s in symbols.iter_symbols()
                        if s["st_info"]["type"] == "STT_FUNC")
    names = [[name for start, name in starts if start <= place][-1] for place in places]
    assert names[:3] == ["inner", "outer", "main"], report
