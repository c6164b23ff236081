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


def test_system_calls_are_all_listed(tree):
    """docs/syscalls.md names what the kernel has, and nothing else."""
    sources = ("kernel/syscall/syscalls.def", "kernel/linux/syscalls.def")
    calls = re.findall(r"^SYSCALL(?:_FRAME)?\((\w+)", "".join((tree / name).read_text() for name in sources), re.M)
    listed = re.findall(r"`(\w+)`", (tree / "docs/syscalls.md").read_text().split("## All calls")[1])
    assert sorted(listed) == sorted(calls)
