# SPDX-License-Identifier: MIT
"""What the documents point at is there."""
import os
import re


def test_links_lead_somewhere(tree):
    broken = []
    for path in [tree / "README.md", *sorted((tree / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            if not os.path.exists(path.parent / link):
                broken.append(f"{path.relative_to(tree)}: {link}")
    assert not broken, broken
