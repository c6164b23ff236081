# SPDX-License-Identifier: MIT
"""What the tests of the tools share."""
import os
import pathlib
import subprocess
import sys

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
PRESET = os.environ.get("MAPACHE_PRESET", "dev")
sys.path.insert(0, str(TREE / "tools/lib"))


@pytest.fixture
def tree():
    return TREE


@pytest.fixture
def preset():
    return PRESET


@pytest.fixture
def said_of_write(monkeypatch, capsys):
    """What a tool that measures says when it is to write a page, if that says why it cannot be written."""

    def said(module, constant, page, *arguments):
        """The tool's module, the name of its constant that says where the page is, and where it is instead."""
        monkeypatch.setattr(module, constant, str(page))
        with pytest.raises(SystemExit) as ended:
            module.arguments(["--write", *arguments])
        assert ended.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return said


@pytest.fixture
def tools_run():
    """tools/run with these arguments, to its end: status, stdout and stderr as bytes."""

    def run(*arguments, stdin=b"", **options):
        return subprocess.run([TREE / "tools/run", "--preset", PRESET, *arguments], input=stdin,
                              capture_output=True, timeout=300, **options)

    return run
