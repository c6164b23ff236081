# SPDX-License-Identifier: MIT
"""What the documents point at is there, and what can be counted again is true."""
import os
import re
import shutil
import subprocess


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
