# SPDX-License-Identifier: MIT
"""The build's checks find what they are for: each violation is planted in a copy of the tree."""
import re
import shutil
import subprocess

import pytest


@pytest.fixture
def copy(tree, tmp_path):
    """A copy of the committed and new files, without build directories."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=tree, check=True,
                            capture_output=True, text=True).stdout
    target = tmp_path / "tree"
    for name in listed.splitlines():
        if (tree / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / name, target / name)
    return target


def check(copy, name):
    return subprocess.run([copy / "tools/check" / name, copy], capture_output=True, text=True)


def plant(copy, path, text):
    (copy / path).parent.mkdir(parents=True, exist_ok=True)
    (copy / path).write_text(text)


@pytest.mark.parametrize("name", ["layers", "budget", "form", "syscalls", "unused", "comments"])
def test_tree_as_it_is_passes(copy, name):
    done = check(copy, name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path, header", [
    ("mm/planted.c", "<arch/pmap.h>"),
    ("mm/planted.c", "<string.h>"),
    ("mm/planted.c", "<fs/vnode.h>"),
    ("fs/planted.c", "<mm/vm.h>"),
    ("fs/planted.c", "<mm/host.h>"),
    ("fs/planted.c", "<arch/cpu.h>"),
    ("fs/mapfs/planted.c", "<kernel/thread.h>"),
    ("drivers/planted.c", "<fs/vnode.h>"),
    ("drivers/planted.c", "<mm/types.h>"),
    ("arch/riscv/planted.c", "<kernel/thread.h>"),
    ("arch/riscv/planted.c", "<mm/types.h>"),
    ("kernel/planted.c", "<stdio.h>"),
    ("kernel/planted.c", "<arch_impl/csr.h>"),
    ("kernel/include/abi/planted.h", "<kernel/thread.h>"),
    ("usr/bin/planted.c", "<kernel/thread.h>"),
    ("usr/bin/planted.c", "<mm/vm.h>"),
    ("usr/libc/planted.c", "<arch/cpu.h>"),
    ("usr/bin/planted.c", '"../libc/include/stdio.h"'),
    ("fs/planted.c", '"../mm/include/mm/vm.h"'),
])
def test_layers_refuses(copy, path, header):
    plant(copy, path, f"/* planted */\n#include {header}\n")
    done = check(copy, "layers")
    assert done.returncode != 0
    assert f"{path}:2:" in done.stderr


@pytest.mark.parametrize("path, header", [
    ("fs/planted.c", "<mm/pagecache.h>"),
    ("drivers/planted.c", "<fs/blkdev.h>"),
    ("usr/bin/planted.c", "<abi/errno.h>"),
    ("mm/test/planted.c", "<stdio.h>"),
])
def test_layers_accepts(copy, path, header):
    plant(copy, path, f"#include {header}\n")
    assert check(copy, "layers").returncode == 0


def test_budget_refuses_a_grown_layer(copy):
    plant(copy, "arch/planted.c", "int planted;\n" * 1501)
    done = check(copy, "budget")
    assert done.returncode != 0
    assert re.search(r"arch has \d+ code lines", done.stderr)


def test_budget_counts_code_only(copy):
    plant(copy, "arch/planted.c", "/* a\n comment */\n\n// one more\n" * 2000)
    assert check(copy, "budget").returncode == 0


def test_the_tour_names_what_is_there(copy):
    tour = copy / "docs/tour.md"
    tour.write_text(tour.read_text() + "\n`mm/gone.c`\n")
    done = check(copy, "budget")
    assert done.returncode != 0 and "mm/gone.c" in done.stderr


@pytest.mark.parametrize("path, text, name", [
    ("fs/planted.c", "int uncalled(int a)\n{\n\treturn a;\n}\n", "uncalled"),
    ("fs/include/fs/planted.h", "static inline int uncalled(\n\tint a)\n{\n\treturn a;\n}\n", "uncalled"),
    ("kernel/include/kernel/planted.h", "#define UNCALLED(a) \\\n\t((a) + 1)\n", "UNCALLED"),
])
def test_what_nobody_calls_is_named(copy, path, text, name):
    plant(copy, path, "/* uncalled(), UNCALLED(1) */\n" + text)
    done = check(copy, "unused")
    assert done.returncode != 0
    assert done.stderr == f"{path}:2: nobody calls {name}\n"
    plant(copy, "fs/test/test_planted.c", f"int f(void)\n{{\n\treturn {name}(1);\n}}\n")
    assert check(copy, "unused").returncode == 0


@pytest.mark.parametrize("comment, name", [
    ("/*\n * fs/gone.c has it */", "fs/gone.c"),
    ("//\n// as gone_function() does", "gone_function()"),
])
def test_comments_name_what_is_there(copy, comment, name):
    plant(copy, "fs/planted.c", f"{comment}\n// fs/file.c, file_seek(), pthread_kill()\n")
    done = check(copy, "comments")
    assert done.returncode != 0
    assert done.stderr == f"fs/planted.c:2: there is no {name}\n"


def test_budget_table(copy):
    done = subprocess.run([copy / "tools/check/budget", "--table", copy], capture_output=True,
                          text=True)
    assert "| arch |" in done.stdout and "| libc |" in done.stdout


def build_in(copy, target):
    subprocess.run(["cmake", "--preset", "dev"], cwd=copy, check=True, capture_output=True)
    return subprocess.run(["ninja", "-C", "build/dev", target], cwd=copy, capture_output=True,
                          text=True)


def test_a_header_that_needs_another_does_not_build(copy):
    plant(copy, "arch/include/arch/planted.h", "#pragma once\nstruct planted { uint32_t field; };\n")
    done = build_in(copy, "check_headers_arch")
    assert done.returncode != 0
    assert "planted.h" in done.stdout


@pytest.mark.parametrize("text, said", [
    ("int planted;\n", "planted does not begin with mvm_"),
    ("int mvm_planted(__int128 a, __int128 b);\n"
     "int mvm_planted(__int128 a, __int128 b)\n{\n\treturn a / b;\n}\n", "needs __divti3"),
])
def test_a_symbol_that_would_clash_is_refused(copy, text, said):
    plant(copy, "mm/planted.c", text)
    for path in (copy / "mm").glob("*.c"):
        if path.name != "planted.c":
            path.write_text("typedef int nothing;\n")  # quicker to compile
    done = build_in(copy, "check_symbols")
    assert done.returncode != 0
    assert said in done.stdout


@pytest.mark.parametrize("path, header, target", [
    ("arch/riscv/planted.c", "mm/types.h", "mapache_arch"),
    ("kernel/lib/planted.c", "kernel/thread.h", "mapache_lib"),
    ("usr/bin/true.c", "kernel/thread.h", "user_bin_true"),
])
def test_a_wrong_edge_does_not_compile(copy, path, header, target):
    plant(copy, path, f"#include <{header}>\n")
    done = build_in(copy, target)
    assert done.returncode != 0
    assert f"{header}: No such file" in done.stdout


def test_every_file_has_its_licence(tree):
    listed = subprocess.run(["git", "ls-files"], cwd=tree, check=True, capture_output=True, text=True)
    without = [name for name in listed.stdout.splitlines()
               if not name.endswith((".md", ".json", ".txt")) and not name.startswith("usr/etc/")
               and name not in ("LICENSE", ".dockerignore")
               and (tree / name).is_file()
               and b"SPDX-License-Identifier: MIT" not in (tree / name).read_bytes()[:400]]
    assert not without


def test_format(tree):
    """Every C file is as clang-format leaves it; the benchmark is kept as it was taken in."""
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if " 14." not in version:
        pytest.skip("releases of clang-format differ; the tree is kept by 14")
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=tree, check=True,
                           capture_output=True, text=True).stdout.split()
    files = [name for name in files if not name.startswith("usr/bench/")]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=tree,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path, old, new, says", [
    ("docs/syscalls.md", "| 214 | core | `brk(", "| 215 | core | `brk(", "docs/syscalls.md is not what"),
    ("docs/syscalls.md", "<!-- calls: time -->", "<!-- calls: tide -->", "shows the families"),
    ("kernel/include/abi/syscalls.def", "SYSCALL_ASIDE(brk, ", "SYSCALL_ASIDE(bark, ", "bark: 1 times in the table, number None"),
    ("kernel/include/abi/syscalls.def", "SYSCALL_ASIDE(brk, ", "SYSCALL_ASIDE(mmap, ", "mmap: 2 times"),
    ("kernel/include/abi/syscalls.def", "SYSCALL(times, ", "SYSCALL(clone, ", "times: 0 times"),
    ("kernel/include/abi/syscalls.def", "SYSCALL_ASIDE(brk, ARG(ADDR", "SYSCALL_ASIDE(brk, ARG(IN",
     "brk: SYSCALL_ASIDE, and end leads to user memory"),
    ("kernel/include/abi/syscalls.def", "VALUES(whence, ", "VALUES(whither, ", "lseek: no argument whither"),
    ("kernel/include/abi/syscalls.def", "BITS(options, WNOHANG", "BITS(options, WNOBANG", "has WNOBANG"),
    ("kernel/include/abi/syscalls_linux.def", "ERRORS(EINTR)", "ERRORS(ENTER)", "has ENTER"),
    ("kernel/include/abi/syscalls_linux.def", "ERRORS(EINTR)", "ERRORS(ENFILE)", "nothing gives ENFILE"),
])
def test_syscalls_finds(copy, path, old, new, says):
    text = (copy / path).read_text()
    assert old in text
    plant(copy, path, text.replace(old, new, 1))
    done = check(copy, "syscalls")
    assert done.returncode != 0
    assert says in done.stderr, done.stderr


def test_syscalls_writes_what_it_wants(copy):
    page = (copy / "docs/syscalls.md").read_text()
    plant(copy, "docs/syscalls.md", page.replace("ENOMEM", "EMONEM"))
    assert check(copy, "syscalls").returncode != 0
    subprocess.run([copy / "tools/check/syscalls", "--write", copy], check=True)
    assert check(copy, "syscalls").returncode == 0
    assert (copy / "docs/syscalls.md").read_text() == page


@pytest.mark.parametrize("path, text, says", [
    ("mm/planted.c", "\t/* " + "x" * 93 + " */\n", "mm/planted.c:1: wider"),
    ("usr/bin/planted.h", "/* ok */\n// " + "x" * 98 + "\n", "usr/bin/planted.h:2: wider"),
    ("fs/planted.c", "/* clang-format off */\n/* clang-format on */\n" + "x" * 101, "fs/planted.c:3: wider"),
    ("fs/planted.c", "/*\n * --- Names\n * -------\n */\n", "fs/planted.c:3: a heading"),
    ("mm/planted.h", "/* --- Names -------\n */\n", "mm/planted.h:1: a heading"),
    ("mm/names.h", "#define beta mvm_i_beta\n#define alpha mvm_i_alpha\n", "mm/names.h: alpha is out"),
])
def test_form_finds(copy, path, text, says):
    plant(copy, path, text)
    done = check(copy, "form")
    assert done.returncode != 0
    assert says in done.stderr


def test_form_lets_pass(copy):
    plant(copy, "fs/planted.c", "\t" + "x" * 92 + "\n/* clang-format off */\n" + "x" * 101)
    done = check(copy, "form")
    assert done.returncode == 0, done.stderr
