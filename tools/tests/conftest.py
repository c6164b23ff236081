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
def tools_run():
    """tools/run with these arguments, to its end: status, stdout and stderr as bytes."""

    def run(*arguments, stdin=b"", **options):
        return subprocess.run([TREE / "tools/run", "--preset", PRESET, *arguments], input=stdin,
                              capture_output=True, timeout=300, **options)

    return run
