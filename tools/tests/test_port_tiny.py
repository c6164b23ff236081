# SPDX-License-Identifier: MIT
"""mm/port/tiny: mm carried to a small teaching kernel, alone, and what that kernel asserts.

The kernel is built from a copy of mm's folder, and nothing else of the tree, by its own Makefile.
Each plant is a mistake that somebody who carries mm makes: it must not go unnoticed.
"""
import re
import shutil
import subprocess

import pytest
from conftest import TREE

TINY = "mm/port/tiny"
BOOT_SECONDS = 120  # against hanging


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of mm with the kernel built in it."""
    copy = tmp_path_factory.mktemp("tiny")
    shutil.copytree(TREE / "mm", copy / "mm", ignore=shutil.ignore_patterns("build*"))
    status, output = make(copy, "B=build-O2")
    assert status == 0, output
    return copy


def make(copy, *arguments):
    """make in the copy's tiny; status and output.  A kernel that hangs ends, whatever becomes of us."""
    done = subprocess.run(["timeout", str(BOOT_SECONDS), "make", "-s", "-j2", "-C", copy / TINY,
                           *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")


def checks_in_source(copy):
    """The name of each check that a boot has to print."""
    names = re.findall(r'\bcheck(?:ed)?\((?:[^;]|\n)*?"([^"]+)"\);',
                       (copy / TINY / "user.c").read_text() + (copy / TINY / "main.c").read_text())
    assert len(names) > 30
    return names


@pytest.mark.parametrize("smp, opt", [(1, "-O2"), (2, "-O2"), (2, "-O0")])
def test_boots_and_passes(built, smp, opt):
    status, output = make(built, "run", f"SMP={smp}", f"OPT={opt}", f"B=build{opt}")
    lines = output.splitlines()
    assert status == 0, output
    assert [line for line in lines if line.startswith(("FAILED", "panic"))] == []
    assert "mm: mvm_host_selftest: passed" in lines
    for name in checks_in_source(built):
        assert f"ok {name}" in lines, output


def test_glue_fits_its_budget(tree):
    done = subprocess.run([tree / "tools/check/budget", "--table", tree], capture_output=True,
                          text=True)
    lines, budget = re.search(r"\| tiny's glue \| (\d+) \| (\d+) \|", done.stdout).groups()
    assert 50 < int(lines) <= int(budget) == 150


PLANTS = {
    "a file is read with a spin lock held": (
        "glue.c", "\tfor (; n > 0; n--, index++)\n\t\tread_file(",
        "\tacquire(&fs.lock);\n\tfor (; n > 0; n--, index++)\n\t\tread_file(",
        "panic: a process sleeps with a spin lock held"),
    "a fault takes the inode's lock": (
        "glue.c", "\tfor (; n > 0; n--, index++)\n\t\tread_file(",
        "\tilock(mvm_object_owner(obj));\n\tfor (; n > 0; n--, index++)\n\t\tread_file(",
        "panic: acquire_sleep: this process holds the lock already"),
    "tlb_sync does not wait": (
        "glue.c", "while (passes % 2 &&", "while (0 &&",
        "FAILED no hart uses what was taken from it"),
    "protect leaves the right to write": (
        "glue.c", "~PTE_RIGHTS | pte_rights(rights)", "~PTE_RIGHTS | pte_rights(rights) | PTE_W",
        "mm: pmap_protect: did not take the right away"),
    "an entry changes its frame": (
        "glue.c", "if (*entry & PTE_V && PTE_FRAME(*entry) != frame)", "if (0)",
        "mm: pmap_enter: an entry changed its frame in place"),
    "nobody is woken": (
        "mvm_config.h", "wakeup(chan)", "((void)(chan))",
        "panic: everybody sleeps"),
    "a killed process waits on": (
        "glue.c", "\tsleep(chan, &lock->spin, killable);\n"
        "\treturn killable && this_proc()->killed ? -MVM_EINTR : 0;",
        "\t(void)killable;\n\tsleep(chan, &lock->spin, false);\n\treturn 0;",
        "panic: everybody sleeps"),
    "a kill before the sleep is lost": (
        "glue.c", "\tsleep(chan, &lock->spin, killable);\n",
        "\tif (!killable || !this_proc()->killed)\n\t\tsleep(chan, &lock->spin, false);\n",
        "panic: everybody sleeps"),
    "metadata pages are not given back": (
        "mvm_config.h", "kfree(page)", "((void)(page))",
        "FAILED no page is lost"),
    "a page is written past the file's end": (
        "fs.c", "offset + bytes < size ? offset + bytes : size", "size + bytes",
        "FAILED every file ends on the disk where it should"),
    "no space is promised": (
        "glue.c", "return promise_page(mvm_object_owner(obj), index) ? 0 : -MVM_ENOSPC;",
        "(void)obj, (void)index;\n\treturn 0;",
        "panic: take_block: the disk is full"),
    "an operation writes too much": (
        "fs.c", "((MAX_OP_BLOCKS - 2) *", "((MAX_OP_BLOCKS - 1) *",
        "panic: log_write: too many blocks in one operation"),
    "write() is one operation": (
        "uaccess.c", "\tilock(ip);\n", "\tbegin_op();\n\tilock(ip);\n",
        "panic: begin_op: operations do not nest"),
    "a process leaves its stack": (
        "syscall.c", "\tswitch (number) {\n",
        "\tchar deep[4096];\n\n\t__builtin_memset(deep, 0, sizeof deep);\n"
        "\tasm volatile(\"\" : : \"r\"(deep) : \"memory\");\n\tswitch (number) {\n",
        "panic: a process has left its stack"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_mistake_is_noticed(built, tmp_path, plant):
    name, good, bad, said = PLANTS[plant]
    copy = shutil.copytree(built, tmp_path / "copy")
    text = (copy / TINY / name).read_text()
    assert text.count(good) == 1
    (copy / TINY / name).write_text(text.replace(good, bad))
    status, output = make(copy, "run", "SMP=2", "B=build-O2")
    assert status != 0
    assert said in output.splitlines(), output
