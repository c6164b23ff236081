# SPDX-License-Identifier: MIT
"""The commands, against those of the host on the same real text; trace, whose story has an order."""
import re
import subprocess

import pytest

TEXT = "/usr/share/doc/mapache/tour.md"
HOST_TEXT = "docs/tour.md"
LINE = re.compile(r"\s*(?P<s>\d+\.\d{6})  hart \d+  (?:pid (?P<pid>\d+) *|kernel) +(?P<what>\S+) *(?P<rest>.*)")

# FILE stands for the text. Each prints the same on both systems.
SAME = [
    "wc -l FILE", "wc -w FILE", "wc -c FILE",
    "head -n 7 FILE", "head -c 100 FILE", "tail -n 7 FILE", "tail -c 100 FILE", "tail -n +30 FILE",
    "cat FILE FILE", "grep -n the FILE", "grep -vci the FILE", "grep -E '(mm|fs)/[a-z]+' FILE",
    r"grep '^[A-Z].*\.$' FILE", r"grep -c 'a\{0,2\}n\?d\|^$' FILE", "seq 3 4 20", "printf '%s-%03d|' a 7 b 8",
    "head -c 200 FILE | hexdump -C", "date -u -d @86400 +%Y-%m-%d", "echo a  'b  c'",
]


@pytest.fixture(scope="module")
def answers():
    """What the guest says to each line of SAME; one guest answers all."""
    from conftest import PRESET, TREE
    script = "; echo '<-->'; ".join(line.replace("FILE", TEXT) for line in SAME)
    done = subprocess.run([TREE / "tools/run", "--preset", PRESET, "--", "sh", "-c", script],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return dict(zip(SAME, done.stdout.split(b"<-->\n")))


@pytest.mark.parametrize("line", SAME)
def test_says_what_the_host_says(tree, answers, line):
    wanted = subprocess.run(["sh", "-c", line.replace("FILE", HOST_TEXT)], cwd=tree, capture_output=True,
                            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    if wanted.returncode == 127:
        pytest.skip("the host has not got this command")
    assert answers[line].replace(TEXT.encode(), HOST_TEXT.encode()) == wanted.stdout


def test_mapped_and_read_agree(tools_run):
    done = tools_run("--", "sh", "-c", f"cd /usr/share/doc/mapache/mm; wc *.c; echo '<-->'; mapwc *.c")
    read, mapped = done.stdout.split(b"<-->\n")
    assert read == mapped and read.count(b"\n") > 10


@pytest.mark.parametrize("old, new", [("the", "THE"), ("the", "them all"), ("the", "")])
def test_mapedit(tools_run, tree, old, new):
    script = f"cp {TEXT} /t && mapedit /t {old} '{new}' >/dev/null && cat /t"
    done = tools_run("--", "sh", "-c", script)
    wanted = (tree / HOST_TEXT).read_bytes().replace(old.encode(), new.encode())
    assert done.stdout == wanted


def story(tools_run, *command):
    done = tools_run("--", "sh", "-c", *command)
    lines = [LINE.match(line) for line in done.stdout.decode().splitlines()]
    return [line.group("pid", "what", "rest") for line in lines if line]


def test_trace_tells_a_fault_in_order(tools_run):
    """From the trap to the return: the area, the object without the page, the fill, looking again,
    the entry."""
    steps = story(tools_run, f"trace mapwc {TEXT}")
    names = [what for _, what, _ in steps]
    fill = next(i for i, (_, what, _) in enumerate(steps) if what == "fill")
    start = max(i for i in range(fill) if names[i] == "fault")
    end = next(i for i in range(fill, len(names)) if names[i] == "done")
    fault = names[start:end + 1]
    assert fault[:4] == ["fault", "area", "object", "fill"]
    assert fault[-2:] == ["PTE", "done"]
    assert fault.count("area") >= 2  # looked again, for it had let go of everything


def test_a_trace_begins_with_its_schema(tools_run):
    """Each open file; the story leaves it out."""
    said = tools_run("--", "sh", "-c", "cat /proc/trace /proc/trace; trace true").stdout.decode()
    assert said.startswith("0 0 0 schema version=1\n" * 2) and said.count("schema") == 2


def test_trace_tells_the_write_back_at_the_end(tools_run):
    steps = story(tools_run, f"cp {TEXT} /t; sync; trace mapedit /t the THE")
    names = [what for _, what, _ in steps]
    assert "dirty" in names and "write-back" in names
    assert names.index("dirty") < names.index("write-back")
    assert max(i for i, n in enumerate(names) if n == "done") < names.index("write-back")


def test_trace_tells_that_harts_forget(tools_run):
    """What is unmapped is swept, and then forgotten by all."""
    names = [what for _, what, _ in story(tools_run, f"trace mapwc {TEXT}")]
    assert "unmap" in names and "shootdown" in names


def test_trace_has_the_commands_status(tools_run):
    assert tools_run("--", "trace", "sh", "-c", "exit 9").returncode == 9
    assert tools_run("--", "trace", "no-such-command").returncode == 127
