# SPDX-License-Identifier: MIT
"""mm copied alone is for any kernel: what tools/check/portable and tools/check/stack hold it to, and
that each of them sees what it is for, planted in a copy."""
import re
import shutil
import subprocess

import pytest


@pytest.fixture
def mm(tree, tmp_path):
    """A copy of mm to plant in."""
    return shutil.copytree(tree / "mm", tmp_path / "mm", ignore=shutil.ignore_patterns("test"))


@pytest.fixture
def hollow(mm):
    """The same with next to nothing in its sources: quicker to compile."""
    for path in [*mm.glob("*.c"), *mm.glob("modules/*.c")]:
        path.write_text("typedef int nothing;\n")
    return mm


def run(tree, check, *args):
    return subprocess.run([tree / "tools/check" / check, *map(str, args)], capture_output=True,
                          text=True)


def test_mm_alone_compiles_and_links_everywhere(tree):
    done = run(tree, "portable", tree / "mm")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| (rv64|i386|aarch64) \| (gcc|clang) \| [\d,]+ \| [\d,]+ \| [\d,]+ \|$",
                      done.stdout, re.MULTILINE)
    assert len(rows) == 6


@pytest.mark.parametrize("text, target, said", [
    ("unsigned long long mvm_planted(unsigned long long a, unsigned long long b);\n"
     "unsigned long long mvm_planted(unsigned long long a, unsigned long long b)\n"
     "{\n\treturn a / b;\n}\n", "i386", "needs __udivdi3"),
    ("void mvm_planted(unsigned long *a);\nvoid mvm_planted(unsigned long *a)\n"
     "{\n\t__atomic_fetch_add((unsigned long long *)a, 1, __ATOMIC_RELAXED);\n}\n", "i386",
     "needs __atomic_fetch_add_8"),
    ("int planted(void);\nint planted(void)\n{\n\treturn 1;\n}\n", "aarch64",
     "defines planted, which does not begin with mvm_"),
    ("void *kmalloc(unsigned long);\nvoid *mvm_planted(void);\n"
     "void *mvm_planted(void)\n{\n\treturn kmalloc(1);\n}\n", "rv64",
     "needs kmalloc, which is neither a hook nor mem*"),
    ("int mvmh_planted(void);\nint mvm_planted(void);\n"
     "int mvm_planted(void)\n{\n\treturn mvmh_planted();\n}\n", "rv64",
     "needs mvmh_planted, which the template does not have"),
    ("#include <string.h>\n", "rv64", "string.h"),
    ("#include <kernel/printk.h>\n", "rv64", "printk.h"),
    ("int mvm_planted(int a)\n{\n\treturn a;\n}\n", "rv64", "planted.c"),
])
@pytest.mark.parametrize("folder", ["", "modules"])
def test_portable_refuses(tree, hollow, folder, text, target, said):
    (hollow / folder / "planted.c").write_text(text)
    done = run(tree, "portable", "--target", target, "--opt=-O2", hollow)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("text, said", [
    ("static inline void mvm_planted(int class)\n{\n\t(void)class;\n}\n", "c++11"),
    ("static inline void *mvm_planted(char *c)\n{\n\tvoid *v = c;\n\tchar *d = v;\n\treturn d;\n}\n",
     "c++17"),
    ("_Static_assert(1, \"planted\");\n", "gnu99"),
])
def test_a_header_for_c11_alone_is_refused(tree, hollow, text, said):
    with (hollow / "include/mm/types.h").open("a") as header:
        header.write(text)
    done = run(tree, "portable", "--target", "rv64", "--opt=-O2", hollow)
    assert done.returncode == 1
    assert re.search(rf"types\.h as {re.escape(said)}", done.stderr)


def test_a_25th_hook_is_refused(tree, hollow):
    header = hollow / "include/mm/host.h"
    planted = "#ifndef mvmh_planted\nvoid mvmh_planted(void);\n#endif\n"
    header.write_text(header.read_text().replace("/* --- Optional hooks", planted
                                                 + "/* --- Optional hooks"))
    done = run(tree, "portable", "--target", "rv64", "--opt=-O2", hollow)
    assert done.returncode == 1
    assert "requires 25 hooks" in done.stderr
    assert "mm/port/template has no mvmh_planted" in done.stderr


def test_a_stub_that_names_another_is_refused(tree, hollow):
    template = hollow / "port/template/template.c"
    template.write_text(template.read_text().replace('not_written("wake")', 'not_written("wait")'))
    done = run(tree, "portable", "--target", "rv64", "--opt=-O2", hollow)
    assert done.returncode == 1
    assert "mvmh_wake does not name itself" in done.stderr


def test_each_stub_of_the_template_names_itself(tree, tmp_path):
    host = (tree / "mm/include/mm/host.h").read_text()
    hooks = [name for name, body in re.findall(r"#ifndef (mvmh_\w+)\n(.*?)#endif", host, re.DOTALL)
             if "{" not in body]
    calls = "".join(f'\tif (!setjmp(back))\n\t\t((void (*)(void)){name})();\n' for name in hooks)
    (tmp_path / "main.c").write_text(
        "#include <mm/host.h>\n#include <setjmp.h>\n#include <stdio.h>\n\nstatic jmp_buf back;\n"
        "void host_stop(const char *text) __attribute__((noreturn));\n"
        "void host_stop(const char *text)\n{\n\tputs(text);\n\tlongjmp(back, 1);\n}\n\n"
        f"int main(void)\n{{\n{calls}}}\n")
    subprocess.run(["gcc", "-I", tree / "mm/include", "-I", tree / "mm/port/template",
                    tmp_path / "main.c", tree / "mm/port/template/template.c", "-o",
                    tmp_path / "main"], check=True)
    said = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [f"{name}: not written yet" for name in hooks]


def test_each_stage_asks_for_the_hooks_that_the_docs_say(tree):
    done = run(tree, "stages", "--docs", tree / "docs/porting.md", tree / "mm")
    assert done.returncode == 0, done.stderr


def test_a_stage_that_needs_a_later_one_is_refused(tree, mm):
    plant_in(mm / "fork.c", "static void area_copy(",
             "int mvm_planted(struct mvm_object *obj);\n"
             "int mvm_planted(struct mvm_object *obj)\n"
             "{\n\treturn mvm_pc_truncate(obj, 0);\n}\n\n")
    done = run(tree, "stages", mm)
    assert done.returncode != 0
    assert "stage 2 needs mvm_pc_truncate" in done.stderr


def test_a_host_for_another_version_does_not_compile(tree, hollow):
    header = hollow / "include/mm/vm.h"
    header.write_text(re.sub(r"#define MVM_VERSION \d+", "#define MVM_VERSION 99", header.read_text()))
    done = run(tree, "portable", "--target", "rv64", "--opt=-O2", hollow)
    assert done.returncode == 1
    assert "was written for version" in done.stderr


# --- The stack ------------------------------------------------------------------------------------

def plant_in(path, before, text):
    source = path.read_text()
    assert source.count(before) == 1
    path.write_text(source.replace(before, text + before))


@pytest.mark.parametrize("opt", ["-O2", "-Os"])
def test_the_deepest_chain_is_short(tree, opt):
    done = run(tree, "stack", "--flags", f"{opt} -march=rv64imac -mabi=lp64", tree / "mm")
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ bytes", done.stdout)


@pytest.mark.parametrize("path, before, text, said", [
    ("page.c", "\tif (page_leave(page))\n",
     "\tchar planted[800];\n\n\t__asm__ volatile(\"\" : : \"r\"(planted) : \"memory\");\n",
     "more than 1024"),
    ("page.c", "\tif (page_leave(page))\n",
     "\tchar planted[page->refs];\n\n\t__asm__ volatile(\"\" : : \"r\"(planted) : \"memory\");\n",
     "a frame of unknown size"),
    ("page.c", "\tif (page_leave(page))\n",
     "\tpage_put(page_of(page->next));\n\t__asm__ volatile(\"\" : : : \"memory\");\n", "recursion"),
    ("page.c", "\tif (page_leave(page))\n",
     "\tvoid (*volatile planted)(void) = page_init;\n\n\tplanted();\n",
     "a call through a pointer that tools/check/stack does not know"),
])
def test_stack_refuses(tree, mm, path, before, text, said):
    plant_in(mm / path, before, text)
    done = run(tree, "stack", mm)
    assert done.returncode == 1
    assert said in done.stderr
