# SPDX-License-Identifier: MIT
"""What the documents point at is there, and what can be counted again is true."""
import json
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


def test_mms_tests_are_those_in_their_table(tree, tmp_path):
    """In docs/testing.md, where capitals stand for any word: every test that CTest has, and no other."""
    subprocess.run(["cmake", "--preset", "host", "-B", tmp_path], cwd=tree, check=True, capture_output=True)
    ctest = subprocess.run(["ctest", "--test-dir", tmp_path, "-C", "all", "--show-only=json-v1"], check=True, capture_output=True)
    there = {test["name"] for test in json.loads(ctest.stdout)["tests"]}
    table = (tree / "docs/testing.md").read_text().split("## mm's proof")[1].split("\n\n")[1]
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()))
    patterns = [re.sub("[A-Z]+", "[a-z0-9]+", name) for name in named]
    missing = {test for test in there if test.startswith("mm_") and not any(re.fullmatch(p, test) for p in patterns)}
    gone = {name for name, p in zip(named, patterns) if not any(re.fullmatch(p, test) for test in there)}
    assert (missing, gone) == (set(), set())


def test_every_hook_has_its_context(tree):
    """In docs/porting.md: each function that mm/host.h wants, or has a default for, is in the table."""
    hooks = set(re.findall(r"#ifn?def mvmh_(\w+)", (tree / "mm/include/mm/host.h").read_text()))
    joint = {"stay_end", "lock_waited", "await", "pmap_fill"}  # which are given with stay()
    table = (tree / "docs/porting.md").read_text().split("## The hooks by the context")[1].split("\n\n")[1]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[2] for row in table.splitlines())))
    assert hooks | joint == named


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
