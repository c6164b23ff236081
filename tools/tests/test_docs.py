# SPDX-License-Identifier: MIT
"""What the documents point at is there, and what can be counted again is true."""
import os
import re
import subprocess


def test_links_lead_somewhere(tree):
    broken = []
    for path in [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            if not os.path.exists(path.parent / link):
                broken.append(f"{path.relative_to(tree)}: {link}")
    assert not broken, broken


def test_what_mapfs_costs_is_as_written(tree):
    done = subprocess.run(["tools/figures", "--check", "disk"], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\ntools/figures --write disk puts it right"
