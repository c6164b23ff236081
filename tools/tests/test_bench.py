# SPDX-License-Identifier: MIT
"""tools/bench compares what can be compared, and only that."""
import importlib.machinery
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
import types

import pytest

import bench
import bench_aims
import bench_boot
import bench_compare
import bench_docs
import bench_linux
import bench_page
import bench_report
import bench_table
import bench_wall
import browser
import build
import outfile
import tool
from bench_table import BOOT, DISK, TMPFS, WHOLE
from conftest import TREE

PLANTED = "getppid"


def table(title="a run", **values):
    result = bench_table.Table(title)
    for name, value in values.items():
        result.put(name, TMPFS, value, "insn")
    return result


# --- The machine


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two whole runs, half a minute each: the first checked against docs/figures.tsv, the second against
    the same with one lowered value."""
    folder = tmp_path_factory.mktemp("bench")
    stored = bench_table.read(bench_docs.STORED, "stored")
    stored.value[PLANTED, TMPFS] *= 0.5
    bench_table.write(folder / "planted.tsv", stored, "")
    runs = []
    for number, more in enumerate([[], ["--stored", folder / "planted.tsv"]]):
        out = folder / f"{number}.tsv"
        done = subprocess.run([TREE / "tools/bench", "--check", "--tsv", out, *more],
                              capture_output=True, text=True, timeout=900)
        runs.append((done, out.read_text() if out.exists() else None))
    return runs


def test_two_runs_agree_to_the_instruction(runs):
    (first, first_lines), (_, second_lines) = runs
    assert first_lines is not None, first.stdout + first.stderr
    assert len(first_lines.splitlines()) == 1 + 67 + 2 + 21
    assert first_lines == second_lines


def test_nothing_is_worse_than_stored(runs):
    done, _ = runs[0]
    assert done.returncode == 0, "if it is meant to be so: tools/bench --write\n" + done.stdout + done.stderr
    assert "nothing is more than 3% worse" in done.stdout


def test_what_is_worse_than_stored_is_named(runs):
    (first, _), (second, _) = runs
    assert second.returncode == 1 and "nothing is more than 3% worse" not in second.stdout
    more = set(second.stdout.splitlines()) - set(first.stdout.splitlines())
    assert len(more) == 1 and re.match(rf"{PLANTED} is [\d.]+, stored [\d.]+: \+\d+\.\d%$", more.pop())


# --- What is compared


def options_of(command):
    """[["-m", "1G"], ...] in any order"""
    return sorted(words.split() for words in re.split(r" (?=-[a-zA-Z])", command))


def test_the_machine_is_linuxs(tree):
    """What QEMU gets, what the figures of Linux say that it got, and what the documents say."""
    head = re.sub(r"\n#\s*", " ", (tree / "usr/bench/linux/linux-6.1.tsv").read_text())
    said = re.search(r"qemu-system-riscv64 [\d.]+ (-[^;]*); append: (.*?) \(", head)
    written = re.search(r"word for word: `([^`]*)`", bench_docs.MACHINE)[1].replace("\n", " ")
    given = bench_linux.Kernel("image", "initrd", lambda words: "words")
    used = re.sub(" -kernel image -initrd initrd -append words$", "", " ".join(given.command([])[1:]))
    assert options_of(used) == options_of(said[1]) == options_of(written)
    assert bench_linux.WORDS == said[2] and f"| `{said[2]}` |" in bench_docs.MACHINE
    assert "same QEMU 7.2.22 flags" in (tree / "usr/bench/linux/linux-6.12.tsv").read_text()


def test_another_machine_is_refused():
    linux = table("Linux", user_loop=2.0, user_copy=320.0)
    different = table(user_loop=2.0, user_copy=320.4)
    assert "user_copy is 320.4" in "".join(bench_compare.differing_control(different, linux))
    assert not list(bench_compare.differing_control(table(user_loop=2.0, user_copy=320.1), linux))
    for ours, theirs in [(table("Mapache", user_loop=2.0), linux), (linux, table("Mapache", user_loop=2.0))]:
        assert list(bench_compare.differing_control(ours, theirs)) == ["Mapache has no user_copy: not comparable"]


@pytest.mark.parametrize("reference", [0, 1])
def test_each_reference_is_held_against_the_run(reference):
    references = [table(f"Linux {n}", user_loop=2.0, user_copy=320.0) for n in range(2)]
    bench.refuse_unless_same_machine(references[0], references)
    references[reference].value["user_loop", TMPFS] = 3.0
    with pytest.raises(SystemExit, match=r"^bench: user_loop is 2.0 in a run and 3.0 in Linux \d: not comparable$"):
        bench.refuse_unless_same_machine(table(user_loop=2.0, user_copy=320.0), references)


def run_bench(*arguments, **options):
    return subprocess.run([TREE / "tools/bench", *arguments], capture_output=True, text=True, **options)


def test_figures_of_another_machine_are_not_shown_beside_linux(tmp_path):
    other = bench_table.read(bench_docs.STORED, "stored")
    other.value["user_copy", TMPFS] = 400.0
    bench_table.write(tmp_path / "other", other, "")
    done = run_bench("--show", "--stored", tmp_path / "other")
    assert (done.returncode, done.stdout, done.stderr.count("400.0")) == (1, "", 2)


# --- What is refused


def refused(done, *words):
    """With a sentence and not with a traceback."""
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize("mode", ["--show", "--check"])
@pytest.mark.parametrize("text, why", [
    (None, "No such file"), ("", "has no figures"), ("# head\n", "has no figures"),
    ("user_loop\t2.00\t-\tinsn\nuser_copy\t320.1", "line 2"), ("a\tb\t-\tinsn\n", "line 1"),
    ("a\tnan\t-\tinsn\n", "line 1"), ("a\t0\t-\tinsn\n", "line 1"), ("\udcff\0\n", "line 1")])
def test_a_table_that_is_none(tmp_path, mode, text, why):
    if text is not None:
        (tmp_path / "stored").write_text(text, errors="surrogateescape")
    refused(run_bench(mode, "--stored", tmp_path / "stored"), str(tmp_path / "stored"), why)


@pytest.mark.parametrize("read", [bench_aims.read_floors, bench_aims.read_notes, bench_aims.Primitives])
def test_a_table_of_the_tree_that_is_cut_off(tmp_path, read):
    (tmp_path / "cut").write_text("# head\n\nname\tbo")
    with pytest.raises(bench_table.BadTable, match="cut, line 3: 2 cells, not [34]$"):
        read(tmp_path / "cut")


@pytest.mark.parametrize("read, line, why", [
    (bench_aims.read_floors, "a\tboht\t-\tcall", "files are boht"),
    (bench_aims.read_floors, "a\tboth\tmany\tcall", "many is no number"),
    (bench_aims.read_floors, "a\tboth\t-\tcall + clal", "no step is named clal"),
    (bench_aims.read_floors, "a\tboth\t-\t1/0 call", "1/0 is no number"),
    (bench_aims.read_floors, "a\tboth\t-\t2 3 call", "2 3 is no number"),
    (bench_aims.read_notes, "a\tboht\tbecause", "files are boht"),
    (bench_aims.Primitives, "a\t1.2.3\ta step", "1.2.3 is no number"),
    (bench_aims.Primitives, "a\t2 b\ta step", "no step is named b")])
def test_a_line_of_the_tree_that_means_nothing(tmp_path, read, line, why):
    (tmp_path / "table").write_text(f"# head\n{line}\n")
    with pytest.raises(bench_table.BadTable, match=f"table, line 2: {why}"):
        read(tmp_path / "table")


WALL_HEAD = (TREE / "docs/wall.tsv").read_text().split("user_loop")[0]


@pytest.mark.parametrize("text, why", [
    ("", "has not the head"), (WALL_HEAD, "has no figures"), (WALL_HEAD.replace("# name", "name"), "has not the head"),
    (WALL_HEAD + "a\ttmpfs\tns\t1", "line 5: 4 cells"), (WALL_HEAD + "a\ttmpfs\tns\t-\tx\t-\t-\n", "line 5"),
    (WALL_HEAD + "a\tboth\tns\t-\t5\t-\t-\n", "line 5")], ids=range(6))
def test_times_that_are_none(tmp_path, text, why):
    (tmp_path / "wall").write_text(text)
    with pytest.raises(bench_table.BadTable, match=f"wall.* {why}"):
        bench_wall.Stored(tmp_path / "wall")


def test_documents_of_times_that_are_none(tree, tmp_path):
    """A tree whose docs/wall.tsv is empty."""
    for folder in ("tools", "docs", "usr/bench"):
        shutil.copytree(tree / folder, tmp_path / folder, ignore=shutil.ignore_patterns("tests", "image"))
    (tmp_path / "docs/wall.tsv").write_text("")
    done = subprocess.run([tmp_path / "tools/figures", "linux"], capture_output=True, text=True)
    refused(done, "docs/wall.tsv has not the head")


@pytest.mark.parametrize("arguments, why", [
    (["--preset", "relaese"], "relaese"), (["--write", "--preset", "dev"], "release preset"),
    (["--wall", "0"], "one run"), (["--wall", "--html", "page"], "no page"), (["--wall", "--show"], "no page"),
    (["--write", "--wall"], "no page"), (["--wall", "1", "--tsv", TREE / "docs/wall.tsv", "=getppid"], "whole runs"),
    (["=getppid", "=getpppid"], "named =getpppid"), (["--wall", "1", BOOT], BOOT), ([""], "an empty name"),
    (["getppid", ""], "an empty name"), (["--linux", "nowhere", "=getppid"], "cannot read nowhere: No such file"),
    (["--linux", TREE, "=getppid"], "cannot read"), (["--linux", TREE / "README.md", "=getppid"], "README.md is no"),
    (["--wall", "1", "--linux", TREE / "README.md", "=getppid"], "README.md is no"), (["--linux", ""], "cannot read")])
def test_words_that_mean_nothing(arguments, why):
    refused(run_bench(*arguments), why)


@pytest.mark.parametrize("option", ["--tsv", "--html"])
@pytest.mark.parametrize("target, why", [
    ("", "a folder"), ("nowhere/file", "there is no"), ("/proc/x", "no file can be made in /proc")])
def test_a_file_that_cannot_be_written_is_known_before_the_run(tmp_path, option, target, why):
    refused(run_bench("--show", option, tmp_path / target), "cannot write", why)


def test_a_kernel_is_known_by_its_head(tmp_path):
    image = tmp_path / "Image"
    for at, fault in (0x38, None), (0x30, f"{image} is no arch/riscv/boot/Image"):
        image.write_bytes(bytes(at) + b"RSC\5" + bytes(100))
        assert bench_linux.fault_of(image) == fault


def test_what_is_asked_of_a_folder_leaves_nothing(tmp_path):
    assert outfile.fault_of(tmp_path / "file") is None and os.listdir(tmp_path) == []


def test_a_file_is_written_whole_or_left(tmp_path):
    target = tmp_path / "target"
    (tmp_path / "link").symlink_to(target)
    outfile.write(tmp_path / "link", "before")
    with pytest.raises(UnicodeEncodeError):
        outfile.write(target, "after" * 100000 + "\udcff")
    assert target.read_text() == "before" and (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]
    outfile.write("/dev/null", "nothing")
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("line", ["a\trubbish\tx", "a\tnan\tx", "a\t-1\tx", "# done: inf insn"])
def test_what_is_no_figure_is_refused(line):
    with pytest.raises(bench_table.BadTable, match="^it said .* is no figure$"):
        bench_table.parse(f"# vmbench: x\n# dir /tmp\n{line}\n", "it")


def test_a_boot_that_says_nothing_is_refused():
    assert bench_boot.instructions_in("first user instruction: 12\n", bench_boot.USER) == 12
    with pytest.raises(tool.Refused, match="^the machine did not say: first user"):
        bench_boot.instructions_in("rubbish", bench_boot.USER)


def test_failures_and_directories_are_told_apart():
    found = bench_table.parse("OpenSBI\t1\tx\n# vmbench: x\n# dir /tmp\na\t5\tx\nb\tFAIL\twhy\n"
                              "# dir /root\na\t7\tx\n# done: 12 insn\n", "it")
    assert found.value == {("a", TMPFS): 5.0, ("a", DISK): 7.0, (WHOLE, TMPFS): 12.0}
    assert found.failure == {("b", TMPFS): "why"}


def test_a_kernel_that_is_not_comparable_is_shown_and_not_counted():
    lean, fat = table("lean", getppid=171.0), table("fat", getppid=100.0)
    fat.comparable = False
    row, = bench_compare.join(table(getppid=85.5), [lean, fat], bench_aims.read_floors())
    assert (row.linux, row.better, row.ratio) == ([171.0, 100.0], 171.0, 0.5)


@pytest.mark.parametrize("now, named", [
    ({"a": 103.0}, []), ({"a": 103.1}, ["a is 103.10, stored 100.00: +3.1%"]), ({"a": 0.5}, []),
    ({"a": 1, "b": 2}, ["b is not stored: tools/bench --write"]), ({}, ["a was not measured"])])
def test_worse_is_more_than_three_percent(now, named):
    assert list(bench_compare.worse(table(**now), table(a=100.0), whole=True)) == named


def test_worse_counts_what_failed_and_not_the_last_digit():
    failed = table()
    failed.failure["a", TMPFS] = "mmap"
    assert list(bench_compare.worse(failed, table(a=1.0), whole=False)) == ["a failed: mmap"]
    assert not list(bench_compare.worse(table(a=0.0003), table(a=0.0002), whole=True))


@pytest.mark.parametrize("before, now, named", [
    (449.12, 450.0, []), (449.12, 450.5, ["yield_pair is 450.50, over its aim of 450.00, stored 449.12"]),
    (451.0, 452.0, []), (None, 460.0, [])])
def test_what_comes_to_be_over_its_aim_is_named(before, now, named):
    """Though it is not 3% worse."""
    def rows(figure):
        found = table("it") if figure is None else table("it", yield_pair=figure)
        return bench_compare.join(found, bench_linux.tables(), bench_aims.read_floors())

    assert list(bench_compare.over(rows(now), rows(before))) == named


@pytest.mark.parametrize("yield_pair, status", [(449.12, 0), (451.0, 1)])
def test_the_check_names_what_is_over_its_aim(side_by_side, tmp_path, yield_pair, status):
    control = {"user_loop": 2.0, "user_copy": 320.19}
    bench_table.write(tmp_path / "stored", table(yield_pair=449.12, **control), "")
    done = side_by_side("--check", "--stored", tmp_path / "stored", "=yield_pair",
                        mapache={"yield_pair": yield_pair, **control})
    assert done.returncode == status and ("yield_pair is 451.00, over its aim of 450.00" in done.stdout) == status, done


@pytest.mark.parametrize("name", ["file_msync", "file_munmap"])
def test_three_percent_of_the_least_figures(tmp_path, name):
    """As they are stored and read."""
    before = bench_table.read(bench_docs.STORED, "stored")
    after = bench_table.read(bench_docs.STORED, "run")
    for times, named in (1.02, []), (1.04, [name]):
        after.value[name, TMPFS] = times * before.value[name, TMPFS]
        bench_table.write(tmp_path / "after", after, "")
        found = bench_compare.worse(bench_table.read(tmp_path / "after", "run"), before, whole=True)
        assert [what.split()[0] for what in found] == named


def test_a_table_is_read_as_it_was_written(tmp_path):
    before = table(a=0.0901, b=123456.0)
    before.put("a", DISK, 5.25, "insn")
    bench_table.write(tmp_path / "t", before, "# head\n")
    after = bench_table.read(tmp_path / "t", "again")
    assert after.value == before.value and after.unit == before.unit


def test_docs_are_made_of_what_is_stored(tree):
    done = subprocess.run([tree / "tools/figures", "--check", "start", "linux"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\ntools/figures --write start linux puts it right"
    assert done.stdout == "of docs/figures.md start, linux are true\n"


@pytest.mark.parametrize("before, differs", [
    (None, 0), ("user instruction, with 128 MiB | ", 1), ("until the kernel's first instruction | ", 1),
    ("the kernel's own | ", 1), ("calls and accesses together, ", 1), ("pays a fault for most pages, ", 1)])
def test_a_digit_that_is_wrong_is_named(tree, tmp_path, monkeypatch, capsys, before, differs):
    """The firmware is taken at its word here: what stands in the page is compared."""
    loader = importlib.machinery.SourceFileLoader("figures", str(tree / "tools/figures"))
    figures = importlib.util.module_from_spec(importlib.util.spec_from_loader("figures", loader))
    loader.exec_module(figures)
    text = (tree / "docs/figures.md").read_text()
    at = text.index(before) + len(before) if before else 0
    wrong = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1:] if before else text
    (tmp_path / "page").write_text(wrong)
    monkeypatch.setattr(figures, "PAGE", str(tmp_path / "page"))
    monkeypatch.setattr(bench_boot, "of_firmware", lambda *_: int(bench_aims.Primitives()["firmware"]))
    assert figures.main(["--check", "start", "linux"]) == differs
    said = capsys.readouterr().out
    assert not differs or f"-{wrong[wrong.rindex(chr(10), 0, at) + 1:wrong.index(chr(10), at)]}\n" in said


# --- The clock


def test_the_least_of_the_runs_counts():
    class Kernel:
        def __init__(self, *values):
            self.values = iter(values)

        def boot(self, arguments, icount):
            assert arguments == ["-c", "time", "=a"] and not icount, arguments
            return f"# vmbench\n# dir /tmp\na\t{next(self.values)}\tinsn/call\n# done: 7 insn\n"

    linux, mapache = bench_wall.measure([("Linux", Kernel(9, 8)), ("Mapache", Kernel(5, 6))], ["=a"], 2)
    assert linux.value["a", TMPFS] == 8 and mapache.value["a", TMPFS] == 5
    assert mapache.unit == {"a": "ns/call", WHOLE: "ns"}
    rows = list(bench_wall.rows([linux, mapache], {("a", TMPFS): 0.5}))
    assert rows[0] == ["a", "tmpfs", "ns/call", "8.00", "5.00", "0.62", "0.50"]
    assert bench_wall.HEADS == list(bench_wall.text([mapache, linux], {}))[0].split()
    assert list(bench_wall.text([mapache, linux], {("a", TMPFS): 0.5}))[-2:] == [
        "slower by the clock: 1 of 1: a", "of these in fewer instructions: 1 of 1: a"]
    assert list(bench_wall.text([mapache, linux], {("a", TMPFS): 1.5}))[-1] == "of these in fewer instructions: 0 of 1"


@pytest.fixture
def wall(monkeypatch, tmp_path):
    """tools/bench --wall of a machine that says this: its status, and what became of its file."""

    def run(said, *more):
        text = f"# vmbench\n# dir /tmp\n{said}# done: 7 insn\n"
        kernel = types.SimpleNamespace(boot=lambda arguments, icount: text if "=user_loop" in arguments else "")
        monkeypatch.setattr(bench.build, "build", lambda preset, targets: "nowhere")
        monkeypatch.setattr(bench.bench_machine, "mapache", lambda kit: kernel)
        (tmp_path / "wall").write_text("before")
        try:
            status = bench.main(["--wall", "2", "--tsv", str(tmp_path / "wall"), *more, "=getppid", "=mprotect_1"])
        except SystemExit as ended:
            status = ended.code
        return status, (tmp_path / "wall").read_text()

    return run


def test_a_failure_by_the_clock_is_one(wall, capsys):
    status, written = wall("getppid\t5\tinsn\n")
    assert status == 0 and "getppid\ttmpfs\tns\t-\t5.00" in written
    status, written = wall("getppid\t5\tinsn\nmprotect_1\tFAIL\tmmap\n")
    assert status == 1 and "getppid" in written
    assert "Mapache: mprotect_1 failed, files on tmpfs: mmap" in capsys.readouterr().out


def test_the_time_of_all_is_only_of_all(wall, capsys):
    _, written = wall("getppid\t5\tinsn\n")
    assert WHOLE not in written + capsys.readouterr().out


@pytest.mark.parametrize("busy, times, named", [
    (1, 1.4, ""), (1, 1.6, "getppid takes 1.60 times what is stored"), (3, 4.2, ""), (3, 4.8, "getppid takes 1.60"),
    (None, 1, "not comparable")])
def test_much_slower_than_stored(wall, capsys, busy, times, named):
    stored = bench_wall.Stored().time
    control = "".join(f"{name}\t{busy * stored[name, TMPFS]}\tinsn\n" for name in bench_table.CONTROL) if busy else ""
    status, _ = wall(f"{control}getppid\t{times * stored['getppid', TMPFS]}\tinsn\n", "--check")
    said = capsys.readouterr().out
    assert status == bool(named) and (named or "nothing takes much longer") in said, said


@pytest.mark.parametrize("time, counted, named", [(120, 0.5, []), (130, 1.2, []), (
    130, 0.5, ["a, disk takes 1.30 times Linux's time and 0.50 of its instructions"])])
def test_time_traded_for_instructions(time, counted, named):
    linux, mapache = table("Linux"), table("Mapache")
    linux.put("a", DISK, 100.0, "ns")
    mapache.put("a", DISK, time, "ns")
    assert list(bench_wall.worse_than_linux([linux, mapache], {("a", DISK): counted})) == named
    assert list(bench_wall.worse_than_linux([mapache], {("a", DISK): counted})) == []


def test_what_is_slower_by_the_clock_is_in_the_text():
    """And nothing by more than --wall --check allows."""
    stored = bench_wall.Stored()
    slower = {name for (name, _), ratio in stored.ratio.items() if ratio > 1 and name not in bench_table.CONTROL}
    named = set(re.findall(r"\w+", bench_docs.WALL_CLOCK)) & {name for name, _ in stored.time}
    assert slower - {WHOLE} == named and max(stored.ratio.values()) < bench_wall.SLOWER


@pytest.mark.parametrize("said", ["", "getppid\tFAIL\tmmap\n", "user_loop\t2\tinsn\n"])
def test_a_file_is_not_replaced_by_nothing(wall, said):
    assert wall(said) == ("bench: nothing was measured", "before")


# --- Floors and aims


def test_each_line_has_a_floor_and_no_other(tree):
    source = (tree / "usr/bench/vmbench.c").read_text()
    lines = re.findall(r'^\t\{ "(\w+)", b_\w+, \d+, "[^"]+", (\d),', source, re.M)
    assert len(lines) == 67
    wanted = {(name, column) for name, files in lines for column in (TMPFS, DISK)[:1 + int(files)]}
    assert set(bench_aims.read_floors()) == wanted | {(BOOT, TMPFS)}


# What was asked for when this was begun: no reason in another table moves it.
AIMS = {
    ("getppid", TMPFS): 100,
    ("mmap_munmap_4k", TMPFS): 1_000, ("mmap_touch_munmap_4k", TMPFS): 2_200,
    ("anon_fault", TMPFS): 1_000, ("anon_populate", TMPFS): 800, ("anon_munmap", TMPFS): 120,
    ("file_fault_seq", TMPFS): 110, ("file_fault_seq", DISK): 110,
    ("file_fault_rand", TMPFS): 110, ("file_fault_rand", DISK): 110,
    ("file_fault_shared_write", DISK): 700,
    ("cow_break_copy", TMPFS): 1_750, ("cow_break_reuse", TMPFS): 400,
    ("fork_exit_wait_0m", TMPFS): 25_000, ("fork_exit_wait_16m", TMPFS): 60_000, ("fork_exit_wait_64m", TMPFS): 150_000,
    ("fork_exec_wait", TMPFS): 100_000, ("fork_exec_wait", DISK): 100_000,
    ("mprotect_1", TMPFS): 600, ("mprotect_split_merge", TMPFS): 1_500, ("mprotect_4096", TMPFS): 60_000,
    ("munmap_hole", TMPFS): 2_000,
    ("vma30000_fault", TMPFS): 1_200, ("vma30000_split", TMPFS): 2_200,
    ("pipe_pingpong", TMPFS): 2_200, ("futex_pingpong", TMPFS): 1_700, ("yield_pair", TMPFS): 450,
    ("thread_create_join", TMPFS): 10_000,
    ("segv_trap_skip", TMPFS): 1_300, ("appel_prot1_trap_unprot", TMPFS): 4_500,
    ("open_close", TMPFS): 1_300, ("open_close", DISK): 1_300, ("stat", TMPFS): 900, ("stat", DISK): 900,
    ("pread_4k", TMPFS): 1_500, ("pread_4k", DISK): 1_500, ("pwrite_4k", TMPFS): 1_700, ("pwrite_4k", DISK): 1_700,
    ("create_write_unlink", DISK): 40_000,
    (BOOT, TMPFS): 5_000_000,
}


def test_the_aims_that_were_set_stand():
    set_for = {key: floor.at_most for key, floor in bench_aims.read_floors().items() if floor.at_most is not None}
    assert set_for == AIMS


def test_a_floor_is_the_sum_of_its_steps(tmp_path):
    (tmp_path / "p").write_text("zero\t550\ta page\nframe\t20\ta frame\ntable\t2 frame + zero\ta table\n")
    (tmp_path / "f").write_text("x\tboth\t-\tzero + 1/10 table\ny\t-\t600\t1.5 frame\n")
    primitives = bench_aims.Primitives(tmp_path / "p")
    floors = bench_aims.read_floors(tmp_path / "f", primitives)
    assert floors["x", TMPFS].value == floors["x", DISK].value == 609
    assert floors["x", TMPFS].aim(809) == 709 and floors["x", TMPFS].aim(None) is None
    assert floors["x", TMPFS].aim(500) == 609, "Linux below the floor: the floor"
    assert floors["y", TMPFS].aim(10000) == 600 and floors["y", TMPFS].aim(50) == 40


@pytest.mark.parametrize("figure, met", [(0.0749, True), (0.0751, False), (100.004, False), (100, False)])
def test_an_aim_is_met_as_far_as_linux_has_digits(figure, met):
    row = bench_compare.Row("a", TMPFS, "insn")
    row.mapache, row.aim = figure, 0.0726
    assert row.met is met


def test_each_line_over_its_aim_has_its_note():
    """And no other has one: a line that comes to be over its aim is noticed."""
    rows = bench_compare.join(bench_table.read(bench_docs.STORED, "Mapache"), bench_linux.tables(),
                              bench_aims.read_floors())
    assert {(row.name, row.column) for row in rows if row.met is False} == set(bench_aims.read_notes())


def test_the_firmwares_step_is_what_it_takes():
    kit = build.kit_of(build.build("release", ["mapache.elf", "image"]))
    step = bench_aims.Primitives()["firmware"]
    assert abs(bench_boot.of_firmware(kit, bench.vmbench_of(kit)) / step - 1) < bench_compare.CONTROL_TOLERANCE


def test_no_step_is_unused():
    floors = " ".join(floor.composition for floor in bench_aims.read_floors().values())
    primitives = bench_aims.Primitives()
    composed = " ".join(composition or "" for _, composition in primitives.what.values())
    used = set(re.findall(r"[a-z_]\w*", f"{floors} {composed}"))
    assert used == set(primitives)


def test_linux_is_nowhere_below_the_floor():
    """Else the floor is none."""
    floors = bench_aims.read_floors()
    below = [f"{table.title}: {key}" for table in bench_linux.tables() for key, value in table.value.items()
             if key in floors and value < floors[key].value * (1 - bench_compare.CONTROL_TOLERANCE)]
    assert not below


# --- A Linux kernel that is given


def test_the_initramfs_holds_the_program_and_a_console():
    archive = bench_linux.initramfs(b"program", b"file system")
    found, at = {}, 0
    while at < len(archive):
        assert archive[at:at + 6] == b"070701"
        numbers = [int(archive[i:i + 8], 16) for i in range(at + 6, at + 110, 8)]
        mode, size, device, name_size = numbers[1], numbers[6], numbers[9:11], numbers[11]
        name = archive[at + 110:at + 110 + name_size - 1].decode()
        at = (at + 110 + name_size + 3) & ~3
        found[name] = (mode, device, archive[at:at + size])
        at = (at + size + 3) & ~3
    assert found["init"] == (0o100755, [0, 0], b"program")
    assert found["dev/console"] == (0o020600, [5, 1], b"")
    assert found["ext4.img"][2] == b"file system"
    assert list(found)[-1] == "TRAILER!!!"


HANG = "echo Linux version; exec sleep 60"
STOP = "echo Linux version; echo Kernel panic"


def said_by(figures):
    """As a machine's program."""
    lines = "".join(f"{name}\\t{value}\\tinsn\\n" for name, value in figures.items())
    return f"printf '# vmbench\\n# dir /tmp\\n{lines}# done: 7 insn\\n'"


@pytest.fixture
def side_by_side(tmp_path):
    """tools/bench on a machine that is a script: what it does as Mapache, and as a kernel that is given."""
    build.build("release", ["mapache.elf", "image"])
    (tmp_path / "bin").mkdir()
    image, qemu, late = tmp_path / "Image", tmp_path / "bin/qemu-system-riscv64", tmp_path / "late.py"
    image.write_bytes(bytes(0x38) + b"RSC\5" + bytes(100))
    late.write_text("import sys, bench, bench_machine\nbench_machine.SECONDS = 1\nsys.exit(bench.main(sys.argv[1:]))\n")

    def run(*arguments, mapache, linux=None):
        linux = linux if isinstance(linux, str) else said_by(linux or {})
        qemu.write_text(f'#!/bin/sh\ncase "$*" in *"-kernel {image}"*) {linux};; *) {said_by(mapache)};; esac\n')
        qemu.chmod(0o755)
        environment = dict(os.environ, PATH=f"{qemu.parent}:{os.environ['PATH']}", PYTHONPATH=str(TREE / "tools/lib"))
        return subprocess.run(["/usr/bin/python3", "-B", late, *arguments], capture_output=True, text=True, timeout=60,
                              env=environment)

    run.image = image
    return run


SAME = {"user_loop": 2.0, "user_copy": 320.19, "getppid": 90}


def test_a_given_kernel_is_shown_beside(side_by_side, tmp_path):
    done = side_by_side("--linux", side_by_side.image, "--tsv", tmp_path / "tsv", "=getppid",
                        mapache=SAME, linux=SAME | {"getppid": 100})
    assert done.returncode == 0, done
    assert re.search(r"^getppid +171.00 +225.00 +100.00 +90.00 +0.90 ", done.stdout, re.M), done.stdout
    assert done.stderr.splitlines() == ["bench: running Mapache ...", f"bench: running {side_by_side.image} ..."]
    head, *rows = [line.split("\t") for line in (tmp_path / "tsv").read_text().splitlines()]
    row = next(dict(zip(head, row)) for row in rows if row[0] == "getppid")
    assert (row["given_Linux"], row["mapache"], row["ratio"]) == ("100.00", "90.00", "0.9000")


def test_a_given_kernel_on_another_machine_is_not_counted(side_by_side, tmp_path):
    """Linux's tick once was 0.19% of user_loop."""
    done = side_by_side("--linux", side_by_side.image, "--tsv", tmp_path / "tsv", "=getppid",
                        mapache=SAME, linux=SAME | {"user_loop": 2.0038, "getppid": 100})
    assert done.returncode == 1
    assert "user_loop is 2.0038 in given Linux and 2.0 in Mapache: not comparable\n" in done.stdout
    assert re.search(r"^getppid +171.00 +225.00 +100.00 +90.00 +0.53 ", done.stdout, re.M), done.stdout
    assert "\t100.00\t90.00\t0.5263\t" in (tmp_path / "tsv").read_text()


@pytest.mark.parametrize("linux, why", [
    (HANG, "in 1 seconds: the last that it said is Linux version"), (STOP, "the last that it said is Kernel panic"),
    ("exit 1", "the last that it said is nothing"),
    (said_by({"getppid": "rubbish"}), "given Linux said 'getppid\\trubbish\\tinsn': rubbish is no figure")])
def test_mapache_is_shown_though_a_given_kernel_does_not_end(side_by_side, linux, why):
    done = side_by_side("--linux", side_by_side.image, "=getppid", mapache=SAME, linux=linux)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2, done
    assert re.search(r"^getppid +171.00 +225.00 +90.00 +0.53 ", done.stdout, re.M), done.stdout
    assert done.stdout.endswith(why + "\n")


# --- What is interrupted


@pytest.mark.parametrize("command", [
    ["bench", "=getppid"], ["bench", "--wall", "1", "=getppid"], ["bench", "--linux", "IMAGE", "=getppid"],
    ["harts", "--rounds", "1", "compute"], ["growth", "boot"], ["growth", "again"], ["profile", "=getppid"],
    ["figures", "start"]], ids=" ".join)
def test_an_interrupt_is_no_traceback(tmp_path, command):
    """At a terminal: all that the tool runs gets it.  The machine only says that it runs."""
    build.build("release", ["mapache.elf", "image"])
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "IMAGE").write_bytes(bytes(0x38) + b"RSC\5" + bytes(100))
    qemu = tmp_path / "bin/qemu-system-riscv64"
    qemu.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {shutil.which(qemu.name)} "$1"\n'
                    f"touch {tmp_path}/runs\nexec sleep 60\n")
    qemu.chmod(0o755)
    environment = dict(os.environ, PATH=f"{qemu.parent}:{os.environ['PATH']}", TMPDIR=str(tmp_path / "tmp"))
    # What runs the tests may have been begun with `&`, whose children ignore an interrupt.
    tool = subprocess.Popen(["env", "--default-signal=INT", TREE / "tools" / command[0], *command[1:]], cwd=tmp_path,
                            env=environment, text=True, start_new_session=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            if (tmp_path / "runs").exists():
                break
            time.sleep(0.1)
        os.killpg(tool.pid, signal.SIGINT)
        said, errors = tool.communicate(timeout=30)
    finally:
        tool.kill()
    assert tool.returncode == 130 and said == "" and "Traceback" not in errors, errors
    assert errors.splitlines()[-1] == f"{command[0]}: interrupted" and os.listdir(tmp_path / "tmp") == [], errors


@pytest.mark.parametrize("name", ["bench", "crash", "growth", "harts", "ports", "profile", "run", "test"])
def test_nor_is_one_while_it_imports(tree, tmp_path, name):
    """By one of Python's own modules, in the place of which another is found."""
    (tmp_path / "subprocess.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = subprocess.run(["env", "--default-signal=INT", tree / "tools" / name, "--help"], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=str(tmp_path)), timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{name}: interrupted\n")


@pytest.mark.parametrize("version, said", [
    ("6.1.192", ""), ("6.1.193", "build: this is 6.1.193, and linux-6.1.tsv is of 6.1.192\n")])
def test_another_source_of_linux_is_said(tree, tmp_path, version, said):
    """A tree that only says what is made of it."""
    source = tmp_path / "linux-source-6.1"
    (source / "arch/riscv/configs").mkdir(parents=True)
    (source / "Makefile").write_text(f"kernelversion:\n\t@echo {version}\nlean_defconfig Image:\n\t@echo $@ $(ARCH)\n")
    done = subprocess.run([tree / "usr/bench/linux/build", "6.1", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == said, done
    assert re.findall(r"^(?:lean_defconfig|Image) riscv$", done.stdout, re.M) and done.stdout.endswith(
        f"{source}/arch/riscv/boot/Image\n")
    assert (source / "arch/riscv/configs/lean_defconfig").exists()


# --- The page


@pytest.fixture
def page(tmp_path):
    """Of what is stored, with a failure and a name that wants to be markup."""
    mapache, linux = bench_table.read(bench_docs.STORED, "Mapache"), bench_linux.tables()
    mapache.failure["</script><img src=x onerror='document.title=1'>", TMPFS] = "mmap"
    rows = bench_compare.join(mapache, linux, bench_aims.read_floors(), bench_aims.read_notes(),
                              {("getppid", TMPFS): 1.5})
    bench_page.write(tmp_path / "page.html", rows, linux)
    return tmp_path / "page.html", rows


def names(shown):
    return shown.value("[...document.querySelectorAll('#rows summary')].map(s => s.firstChild.data)")


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_what_the_text_says(page, width, dark):
    path, rows = page
    with browser.Page(path, width, dark=dark) as shown:
        assert names(shown) == [row.name for row in rows]
        said = shown.value("[...document.querySelectorAll('#rows td.mapache')].map(c => c.textContent)")
        assert said == ["–" if row.failure else bench_report.figure(row.mapache) for row in rows]
        verdicts = shown.value("[...document.querySelectorAll('#rows span.verdict')].map(s => s.className)")
        assert verdicts.count("verdict met") == sum(row.met is True for row in rows)
        assert verdicts.count("verdict over") == sum(row.met is False for row in rows)
        assert verdicts.count("verdict failed") == 1
        slower = shown.value("[...document.querySelectorAll('#rows td.clock.slower')].map(c => c.textContent)")
        assert slower == ["1.50"]
        assert ("OpenSBI" in shown.value("byId('rows').textContent")) == any(row.note for row in rows if not row.met)
        assert shown.value("document.documentElement.scrollWidth <= innerWidth")
        assert shown.value("document.images.length") == 0 and shown.value("document.title") != "1"
        assert shown.errors == []
        assert [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []
        assert shown.picture().startswith(b"\x89PNG")


def test_bars_are_as_long_as_the_logarithm(page):
    path, _ = page
    with browser.Page(path) as shown:
        shown.value("byId('scale').value = 'absolute', show()")
        row = ("[...document.querySelectorAll('#rows tr')].find("
               "r => r.querySelector('summary').firstChild.data === 'user_copy')")
        width = shown.value(f"{row}.querySelector('i.mapache').getBoundingClientRect().width /"
                            f"{row}.querySelector('.track').clientWidth")
        assert abs(width - 2.5054 / 10) < 0.002  # log10(320.19) of ten decades
        shown.value("byId('scale').value = 'relative', show()")
        places = shown.value(f"[{row}.querySelector('.one').style.left, {row}.querySelector('.floor').style.left]")
        assert places == ["50%", "50%"]


def test_rows_are_sorted_by_key_and_found(page):
    path, rows = page
    with browser.Page(path) as shown:
        shown.value("document.querySelector('[data-column=ratio] button').focus()")
        for order, reverse in (("ascending", False), ("descending", True)):
            shown.call("Input.dispatchKeyEvent", type="char", text="\r")
            ratios = [row.ratio for row in rows if row.ratio]
            assert shown.value("document.querySelector('[data-column=ratio]').ariaSort") == order
            said = shown.value("chosen().map(r => r.ratio)")
            assert said[:len(ratios)] == sorted(ratios, reverse=reverse)
            assert set(said[len(ratios):]) == {None}
        shown.value("byId('search').focus()")
        shown.type("fork exec")
        assert set(names(shown)) == {"fork_exec_wait"}
        assert "2 of" in shown.value("byId('count').textContent")
        shown.value("byId('search').value = '', byId('show').value = 'slower', show()")
        assert sorted(names(shown)) == sorted(row.name for row in rows if (row.ratio or 0) > 1.005)
        assert shown.errors == []
