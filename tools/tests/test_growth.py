# SPDX-License-Identifier: MIT
"""tools/growth tells shapes apart, and the kernel's costs still have theirs."""
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as xml

import pytest

import growth

SIZES = growth.AREAS


def series(cost):
    return [(n, round(cost(n))) for n in SIZES]


@pytest.mark.parametrize("shape, cost", [
    (growth.FLAT, lambda n: 1000 + 20 * math.log10(n)),
    (growth.LOG, lambda n: 1000 + 900 * math.log10(n)),
    (growth.LOG, lambda n: 1000 + 500 * math.floor(math.log(n, 40))),
    (growth.LINEAR, lambda n: 30000 + 2000 * n),
])
def test_what_has_its_shape_passes(shape, cost):
    assert growth.fault_of(series(cost), shape) is None


@pytest.mark.parametrize("shape, cost", [
    (growth.FLAT, lambda n: 1000 + 300 * math.log10(n)),
    (growth.FLAT, lambda n: 1000 + 0.01 * n),
    (growth.LOG, lambda n: 1000 + 500 * math.log10(n) + 0.01 * n),
    (growth.LOG, lambda n: 1000 + 20 * math.sqrt(n)),
    (growth.LINEAR, lambda n: 30000 + 2000 * n + 0.1 * n * n),
])
def test_what_grows_faster_fails(shape, cost):
    assert growth.fault_of(series(cost), shape)


def stored(tree):
    return tree / "docs/growth"


def test_stored_figures_have_their_shapes(tree):
    done = subprocess.run([tree / "tools/growth", "--check", "--from", stored(tree)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["fault", "split", "merge"])
def test_a_planted_linear_series_is_named(tree, tmp_path, name):
    copy = shutil.copytree(stored(tree), tmp_path / "growth")
    table = copy / "areas.tsv"
    table.write_text(re.sub(rf"^{name}\t(\d+)\t(\d+)$", lambda m: f"{name}\t{m[1]}\t{int(m[2]) + int(m[1]) // 20}",
                            table.read_text(), flags=re.M))
    done = subprocess.run([tree / "tools/growth", "--check", "--from", copy], capture_output=True, text=True)
    assert done.returncode == 1
    bad = [line for line in done.stdout.splitlines() if not line.endswith("\tok")]
    assert len(bad) == 1 and bad[0].startswith(f"areas\t{name}\tlogarithmic\t"), done.stdout


@pytest.mark.parametrize("times, named", [(1.02, False), (1.04, True)])
def test_what_costs_more_than_stored_is_named(tree, tmp_path, times, named):
    """At each size alike, so that its shape is as before; linear, so that the shape hardly bounds it."""
    copy = shutil.copytree(stored(tree), tmp_path / "growth")
    table = copy / "fork-areas.tsv"
    table.write_text(re.sub(r"(\d+)$", lambda m: str(int(times * int(m[1]))), table.read_text(), flags=re.M))
    done = subprocess.run([tree / "tools/growth", "--check", "--from", copy], capture_output=True, text=True)
    bad = [line for line in done.stdout.splitlines() if not line.endswith("\tok")]
    assert (done.returncode, len(bad)) == (named, named), done.stdout
    assert not named or re.match(r"fork-areas\tfork\tlinear\t\+4.0% at [\d,]+, where [\d,]+ are stored$", bad[0])


def test_sizes_that_are_not_stored_are_not_compared():
    assert growth.worse([(10, 200), (20, 100)], [(20, 100), (30, 1)]) is None
    assert growth.worse([(10, 200)], []) is None


@pytest.mark.parametrize("arguments, why", [
    (["--from", "nowhere"], "nowhere/areas.tsv"), (["--preset", "relaese"], "relaese"),
    (["--write", "--preset", "dev"], "release preset")])
def test_what_cannot_be_measured_is_refused(tree, arguments, why):
    done = subprocess.run([tree / "tools/growth", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert why in done.stderr


@pytest.mark.parametrize("text, why", [
    ("", "has not 3 sizes of fault"), ("fault\t10\t10\nfault\t1", "line 2"), ("fault\t10\tten\n", "line 1"),
    ("fault\t1\t1\nfault\t2\t1\nfault\t3\t1\nsplit\t1\t1\nsplit\t2\t1\n", "has not 3 sizes of split"),
    ("fault\t1\t1\nfault\t1\t1\n", "line 2"), ("fault\t2\t1\nfault\t1\t1\n", "line 2"), ("fault\t0\t1\n", "line 1"),
    ("fault\t1\t0\n", "line 1"), ("fault\t1\t-5\n", "line 1"), (f"fault\t1\t1{'0' * 400}\n", "line 1")])
def test_a_table_that_is_none(tmp_path, text, why):
    (tmp_path / "areas.tsv").write_text(text)
    with pytest.raises(growth.BadTable, match=why):
        growth.read_table(tmp_path, "areas")


@pytest.mark.parametrize("row", ["fault\t10\t0", "fault\t0\t10", "fault\t100000\t10\nfault\t100000\t10"])
def test_rubbish_is_refused_in_a_line(tree, tmp_path, row):
    copy = shutil.copytree(stored(tree), tmp_path / "growth")
    table = copy / "areas.tsv"
    table.write_text(table.read_text() + row + "\n")
    done = subprocess.run([tree / "tools/growth", "--check", "--from", copy, "areas"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert f"{table}, line " in done.stderr


@pytest.mark.parametrize("said", ["fault\t10\trubbish\n", "rubbish\n", "fault\t10\t0\n"])
def test_what_a_machine_says_is_read_likewise(said):
    assert growth.figures_of("fault\t10\t7\nfault\t20\t8\n") == {("fault", 10): 7, ("fault", 20): 8}
    with pytest.raises(growth.BadTable, match="^/bench/growth said "):
        growth.figures_of(said)


def test_a_folder_that_cannot_be_written_is_known_before(said_of_write):
    assert "cannot write /proc: no file can be made in /proc" in said_of_write(growth, "TO", "/proc")


def test_what_cannot_be_drawn_is_left(tree, tmp_path, monkeypatch):
    (tmp_path / "gnuplot").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "gnuplot").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    folder = shutil.copytree(stored(tree), tmp_path / "growth")
    table = {name: [(10, 10)] * 3 for name in growth.PLOTS["munmap"].series}
    with pytest.raises(subprocess.CalledProcessError):
        growth.write(folder, {"munmap": table})
    for path in stored(tree).iterdir():
        assert (folder / path.name).read_text() == path.read_text()


def test_drawings_are_of_the_stored_figures(tree):
    for name, plot in growth.PLOTS.items():
        shown = (stored(tree) / f"{name}.svg").read_text()
        xml.fromstring(shown)
        drawing = growth.drawing((stored(tree) / f"{name}.tsv").read_text(), plot)
        version = re.search("Produced by (GNUPLOT [^<]*)</desc>", drawing)[1]
        if version in shown:
            assert drawing == shown, f"{name}: tools/growth --write"


def test_the_kernel_grows_as_it_should(tree):
    done = subprocess.run([tree / "tools/growth", "--quick", "--check"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nif it is meant to cost more: tools/growth --write"


def test_kernel_memory_is_as_figures_say(tree):
    shown = dict(re.findall(r"^\| (an? [^|]+) \| [\d,]+ \| ([\d,]+) \|", (tree / "docs/figures.md").read_text(), re.M))
    command = ["tools/run", "--mem", "1G", "--append", "norandmaps", "--", "/bench/footprint", "/tmp", "/root"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {line.split("\t")[0]: int(line.split("\t")[2]) for line in done.stdout.splitlines()}
    assert found.keys() == shown.keys() and len(found) == 8
    for what, bytes in found.items():
        assert bytes <= 1.05 * int(shown[what].replace(",", "")), f"{what}: {bytes}, tools/figures --write memory"
