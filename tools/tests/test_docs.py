# SPDX-License-Identifier: MIT
"""What the documents point at is there, and what can be counted again is true."""
import os
import re
import runpy
import shutil
import subprocess

import pytest

import sections


def test_links_lead_somewhere(tree):
    broken = []
    for path in [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            if not os.path.exists(path.parent / link):
                broken.append(f"{path.relative_to(tree)}: {link}")
    assert not broken, broken


def test_code_lines_are_as_written(tree):
    done = subprocess.run(["tools/figures", "--check", "lines"], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\ntools/figures --write lines puts it right"


def test_a_command_that_fails_is_no_difference(tree, tmp_path):
    """Its status and what it said, in place of a traceback."""
    for folder in ("tools", "docs", "usr/bench"):
        shutil.copytree(tree / folder, tmp_path / folder, ignore=shutil.ignore_patterns("tests", "image"))
    (tmp_path / "tools/check/budget").write_text("#!/bin/sh\necho no such part >&2\nexit 3\n")
    done = subprocess.run(["tools/figures", "--check", "lines"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (
        2, "", "figures: tools/check/budget --table: status 3\nno such part\n")


def test_a_page_that_cannot_be_written_is_known_before(tree, tmp_path):
    """Before anything is built or run: docs leads to where no file can be made."""
    for folder in ("tools", "usr/bench"):
        shutil.copytree(tree / folder, tmp_path / folder, ignore=shutil.ignore_patterns("tests", "image"))
    (tmp_path / "docs").symlink_to("/proc")
    done = subprocess.run(["tools/figures", "--write"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2), done.stderr
    assert "no file can be made in /proc" in done.stderr and "usage" in done.stderr


def test_what_mapfs_costs_is_as_written(tree):
    done = subprocess.run(["tools/figures", "--check", "disk"], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\ntools/figures --write disk puts it right"


def test_the_recorded_terminal_is_as_written(tree):
    done = subprocess.run(["tools/record", "--check"], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\ntools/record --write puts it right"


@pytest.mark.parametrize("old, new, named", [
    (r"^( +\w+?)\w(  numbers)$", r"\1-\2", True), (r"^    1 replaced\n", "", True), (r"(private +/bin/)sh", r"\1ed", True),
    (r"(wants to become dirty: )granted", r"\1refused", True), (r"^.*\bPTE .*, rw-\n", "", True),
    (r"^ +[0-9a-f]{10}-.*\n", "", True), (r"\d+\.\d{6}  hart \d", "9.000000  hart 7", False),
    (r"0x3f[0-9a-f]+", "0x3f12345000", False), (r"^ +.* kernel +write-back .*\n", "", False),
    (r"^( +total: ).*", r"\1none", False)])
def test_what_differs_in_a_record_is_named(tree, old, new, named):
    difference = runpy.run_path(str(tree / "tools/record"))["difference"]
    shown = sections.of((tree / "README.md").read_text())["tools/record"]
    found, times = re.subn(old, new, shown, flags=re.M)
    assert times and difference(shown, shown) == [] and bool(difference(shown, found)) == named
