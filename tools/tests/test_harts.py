# SPDX-License-Identifier: MIT
"""tools/harts: its figures are of its rounds, and every workload has a line."""
import fcntl
import re
import subprocess

import pytest

import build
import guest
import harts


def test_ratios_are_of_one_round():
    rounds = [{("a", 1, 1): 10.0, ("a", 2, 2): 20.0}, {("a", 1, 1): 100.0, ("a", 2, 2): 150.0},
              {("a", 1, 1): 1.0, ("a", 2, 2): 1.8}]
    assert harts.ratio_of(rounds, "a", 2, 2) == "1.80 (1.50 to 2.00)"
    assert harts.rate_of(rounds, "a", 1, 1) == "10"


@pytest.mark.parametrize("rounds, said", [("1", ", one round of 0.5 seconds:"), (
    "3", ", the medians of 3 rounds of 0.5 seconds:")])
def test_one_round_has_no_median(rounds, said):
    found = {("a", workers, n): 1.0 for workers in (1, 2, 8) for n in harts.HARTS}
    options = harts.arguments(["--rounds", rounds])
    assert said in harts.markdown([found] * options.rounds, options)
    assert said.replace("the medians of ", "") in "".join(harts.markdown_of_locks({}, options))


def test_rates_are_by_workload_and_workers():
    assert harts.rates("a\t2\t50\t0.5\t20\t30\na\t8\t7\t0.7\t0\t1\n") == {("a", 2): 100.0, ("a", 8): 10.0}


@pytest.mark.parametrize("said", ["rubbish\n", "a\t2\t50\trubbish\n", "a\t2\t50\t0\n"])
def test_what_is_no_rate_is_refused(said):
    with pytest.raises(harts.Refused, match="^/bench/harts said "):
        harts.rates(said)


def test_a_page_that_cannot_be_written_is_known_before(said_of_write):
    """A file there is, and nobody can put another in its place."""
    assert "cannot write /proc/version: " in said_of_write(harts, "PAGE", "/proc/version")


@pytest.mark.parametrize("locks, section", [([], "tools/harts"), (["--locks"], "tools/harts --locks")])
def test_a_page_that_lacks_the_section_is_known_before(said_of_write, tmp_path, locks, section):
    page = tmp_path / "harts.md"
    page.write_text("<!-- tools/other -->\n<!-- end of tools/other -->\n")
    assert f"cannot write {page}: it has no section {section}" in said_of_write(harts, "PAGE", page, *locks)
    page.write_text(f"<!-- {section} -->\n<!-- end of {section} -->\n")
    assert harts.arguments(["--write", *locks]).write


def test_a_page_that_is_not_there_is_known_before(said_of_write, tmp_path):
    assert "it cannot be read: No such file" in said_of_write(harts, "PAGE", tmp_path / "harts.md")


@pytest.mark.parametrize("arguments, why", [
    (["--rounds", "0"], "one round"), (["--seconds", "0"], "more than no time"), (["--seconds", "nan"], "time"),
    (["--preset", "relaese"], "relaese"), (["--write", "--preset", "dev"], "release preset"),
    (["--built", "nowhere"], "no nowhere/mapache.elf")])
def test_what_cannot_be_measured_is_refused(tree, arguments, why):
    done = subprocess.run([tree / "tools/harts", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert why in done.stderr


def test_workloads_that_are_none_are_refused(monkeypatch):
    monkeypatch.setattr(guest, "output_of", lambda *_: "compute\tx of processes\nfork\ty of processes\n")
    kit = build.kit_of("nowhere")
    assert harts.known_workloads(kit, ["fork", "compute"]) == ["fork", "compute"]
    assert harts.known_workloads(kit, []) == ["compute", "fork"]
    with pytest.raises(harts.Refused, match="^no workload is named frok: there are compute, fork$"):
        harts.known_workloads(kit, ["fork", "frok"])


def counters(waits, fences):
    return (f"lock kind waits wait_us longest_us\nwait spin {waits} {waits * 1000} 9\nlog mutex 7 70 9\n"
            f"hart switches remote_fences fence_wait_us\n0 9 {fences} 0\n1 9 5 {fences * 10000}\n")


def test_waits_are_of_one_workload(monkeypatch):
    """Each beside the counters just before it, by its own operations; rounds together."""
    said = [counters(100, 1), "a\t2\t1000\t0.5\t1\t2\n", counters(110, 1), "b\t2\t500\t0.5\t1\t2\n", counters(110, 21)]
    monkeypatch.setattr(guest, "output_of", lambda *_: "--\n".join(said))
    options = harts.arguments(["--locks", "--rounds", "2", "--seconds", "0.5"])
    found = harts.measure_locks(build.kit_of("nowhere"), ["a", "b"], options)
    assert found["a"].row() == ["2,000", "10.00", "1.0%", "`wait`", "0.00", "0.0%"]
    assert found["b"].row() == ["1,000", "0.00", "0.0%", "", "40.00", "20.0%"]


def test_a_disk_in_use_is_said(tmp_path):
    """QEMU finds it before it looks for a kernel: byte 201 is that of not letting others write."""
    kit = build.kit_of(tmp_path)
    with open(kit.image, "w+b") as image:
        image.truncate(1 << 20)
        fcntl.lockf(image, fcntl.LOCK_SH, 1, 201)
        with pytest.raises(SystemExit, match=f"another machine runs on {kit.image}$"):
            guest.output_of(guest.Machine(kit), ["true"], 60)


@pytest.fixture
def counts(tools_run):
    """What two workers on two harts did in half a second: operations, and the sum of a counter of /proc/harts."""

    def run(workload, counter):
        bench = f"/bench/harts -w 2 {workload}"
        done = tools_run("--smp", "2", "--", "/bin/sh", "-c", f"{bench} -t 0.1; cat /proc/harts; {bench}; cat /proc/harts")
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.decode().splitlines()]
        head = next(line for line in lines if line[0] == "hart")
        found = [int(line[head.index(counter)]) for line in lines if line[0] in ("0", "1")]
        return int(lines[4][2]), sum(found[2:]) - sum(found[:2])

    return run


def test_who_maps_is_hardly_interrupted(counts):
    """Nor where harts share a processor; it was two interrupts an operation when each forgot at once."""
    operations, interrupts = counts("map_threads", "ipis")
    assert operations > 100 and interrupts < operations / 2


@pytest.mark.parametrize("workload", [
    "fault_processes", "fault_own_areas", "fault_same_area", "pipe_own", "read_own_file", "read_same_file"])
def test_hundreds_of_operations_share_a_flush(counts, workload):
    """Faults are of 512 pages or more that are given back at once.  What is counted is begun however busy this
    machine is; some of it lies before the operations and behind them."""
    operations, flushes = counts(workload, "tlb_flushes")
    assert operations > 100 and flushes < 30 + operations / 100


ALONE = ["compute", "getppid", "fault_processes", "fault_own_areas", "fault_same_area", "map_processes", "pipe_own",
         "read_own_file"]


def test_who_works_alone_waits_for_nobody(tree):
    """At most 40 times in 1,000 operations: who faults in a space with others meets its lock only where 1,024 pages
    are mapped and given back, in some 20 holds, or 512 in half of them.  A machine that is busy, or has one
    processor, has fewer waits, not more: in a lock that is taken each time, too, which is seen where two run."""
    done = subprocess.run([tree / "tools/harts", "--locks", "--rounds", "1", "--seconds", "0.3", *ALONE],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    waits = {name: float(times) for name, times in re.findall(r"^\| `(\w+)` \| [\d,]+ \| ([\d.]+) \|", done.stdout, re.M)}
    assert list(waits) == ALONE and max(waits.values()) < 40, done.stdout


def test_a_round_of_all(tree):
    done = subprocess.run([tree / "tools/harts", "--rounds", "1", "--seconds", "0.02"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| `(\w+)` \|(?: [\d,]+ \|| [\d.]+ \([\d.]+ to [\d.]+\) \|){10}$", done.stdout, re.M)
    assert rows == listed(tree) and len(rows) > 10


def listed(tree):
    return re.findall(r"^\t\{\"(\w+)\", ", (tree / "usr/bench/harts.c").read_text(), re.M)


ROW = r"^\| `(\w+)` \| [\d,]+ \| [\d.]+ \| [\d.]+% \| (?:`\w+`)? \| [\d.]+ \| [\d.]+% \|$"


def test_waits_of_all(tree):
    done = subprocess.run([tree / "tools/harts", "--locks", "--rounds", "1", "--seconds", "0.02"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert re.findall(ROW, done.stdout, re.M) == listed(tree)
    page = (tree / "docs/harts.md").read_text()
    assert re.findall(ROW, page.split("<!-- tools/harts --locks -->")[1], re.M) == listed(tree)
