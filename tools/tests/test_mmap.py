# SPDX-License-Identifier: MIT
"""docs/when-not-to-mmap.md: the program of its tables says what the page says about counts, and the
page has the tables that the program prints."""
import importlib.machinery
import importlib.util
import re
import subprocess

import pytest

PAGES_A_MIB = 256
ROWS_AROUND = 16     # pages that a fault maps at most
RUN = 32             # pages of an eviction at most
OTHERS = 200         # pages of programs that are read meanwhile


@pytest.fixture
def page_tool(tree):
    path = str(tree / "tools/mmap-page")
    loader = importlib.machinery.SourceFileLoader("mmap_page", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mmap_page", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def table(tools_run):
    """Lines of /bench/tablescan with these arguments: (pattern, way) -> column -> number."""

    def run(*arguments, mem="64M", smp="1"):
        done = tools_run("--smp", smp, "--mem", mem, "--", "/bench/tablescan", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr  # also: all ways agree
        head, *lines = [re.split(r" {1,}", line.replace("99% <us", "99%").replace("worst us", "worst"))
                        for line in done.stdout.decode().splitlines()]
        return {(line[0], line[1]): dict(zip(head[2:], map(float, line[2:]))) for line in lines}

    return run


def test_each_page_is_read_once_and_faulted(table):
    rows = table("-t", "4", "-n", "600")
    pages = 4 * PAGES_A_MIB
    assert len(rows) == 15
    for way in ("mmap", "mmap-advise", "read"):
        assert pages <= rows["scan", way]["read"] <= pages + OTHERS
    for way in ("mmap", "mmap-advise"):
        assert rows["scan", way]["faults"] >= pages / ROWS_AROUND
    for pattern in ("uniform", "zipf", "update", "update-zipf"):
        touched = rows[pattern, "read"]["read"]  # nothing is read ahead: a page at a time
        assert 0 < touched <= 600 + OTHERS
        assert rows[pattern, "mmap-advise"]["faults"] >= touched - OTHERS
    assert rows["update", "mmap"]["faults"] > rows["uniform", "mmap"]["faults"]


def test_who_reads_by_calls_has_no_shootdowns(table):
    rows = table("-t", "4", "-n", "600", "read", smp="4")
    for row in rows.values():
        assert row["flushes"] == row["fences"] == row["major"] == 0


def test_mapped_pages_are_evicted_in_runs(table):
    rows = table("-t", "40", "scan", "mmap", "read", mem="32M")
    mapped, read = rows["scan", "mmap"], rows["scan", "read"]
    assert mapped["evicted"] > 1000 and read["evicted"] > 1000
    assert mapped["evicted"] / RUN <= mapped["flushes"] < mapped["evicted"] / 4
    assert read["flushes"] < mapped["flushes"] / 4


def test_the_ways_agree_with_four_workers(table):
    assert len(table("-t", "8", "-n", "2000", "-w", "4", "update", "zipf", smp="4")) == 6


def test_errors_are_signals_or_codes(page_tool, preset):
    lines = page_tool.errors(preset).splitlines()
    for line in lines[1:]:
        assert "SIGBUS, code 2" in line
    assert [re.split(r" {2,}", line)[-1] for line in lines] == [
        "by read() and write()", "Input/output error", "0 bytes", "No space left on device"]


def rows_of(block):
    return {tuple(line.split()[:3]): int(line.split()[3]) for line in block.splitlines()[1:] if line != "```"}


def test_instructions_are_as_the_page_says(page_tool):
    """No reason to differ by 3%: one hart, the table in memory, nothing written back meanwhile."""
    with open(page_tool.PAGE) as page:
        [block] = [match for match in page_tool.BLOCK.finditer(page.read()) if "--icount" in match[1]]
    shown, found = rows_of(block[2]), rows_of(page_tool.measured(block).split("\n", 2)[2])
    assert found.keys() == shown.keys() and len(found) == 15
    for what, instructions in found.items():
        assert abs(instructions / shown[what] - 1) < 0.03, f"{what}: {instructions}: tools/mmap-page --write --icount"


def test_every_table_of_the_page_fits_its_disk(page_tool, tree):
    with open(page_tool.PAGE) as page:
        commands = [command for command, _ in page_tool.BLOCK.findall(page.read()) if "tablescan -t" in command]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(re.sub(r"-n \d+", "-n 100", command) + " scan read", shell=True, cwd=tree,
                              capture_output=True, text=True)
        assert done.returncode == 0 and "scan " in done.stdout, f"{command}: {done.stdout}{done.stderr}"


def test_the_page_has_what_its_commands_print(page_tool):
    with open(page_tool.PAGE) as page:
        blocks = page_tool.BLOCK.findall(page.read())
    assert len(blocks) >= 5
    for command, text in blocks:
        lines = text.splitlines()
        if "tablescan" in command:
            patterns = {line.split()[0] for line in lines[1:]}
            assert patterns == {"scan", "uniform", "zipf", "update", "update-zipf"}, command
        else:
            assert len(lines) == 4
