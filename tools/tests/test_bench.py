# SPDX-License-Identifier: MIT
"""tools/bench compares what can be compared, and only that."""
import re
import subprocess

import bench


def test_two_runs_agree_to_the_instruction(tree):
    lines = ["=user_loop", "=user_copy", "=getppid", "=open_close"]
    runs = [subprocess.run([tree / "tools/bench", *lines], capture_output=True, text=True, timeout=600)
            for _ in range(2)]
    assert runs[0].returncode == 0, runs[0].stderr
    assert re.search(r"^open_close( +[\d,.]+){6} insn/pair$", runs[0].stdout, re.M), runs[0].stdout
    assert "geometric mean of 3" in runs[0].stdout
    assert runs[0].stdout == runs[1].stdout


def test_another_machine_is_refused(capsys):
    linux = [{"user_loop": (2.0, None), "user_copy": (320.0, None)}]
    lines = bench.parse("# dir /tmp\nuser_loop\t2.00\tx\nuser_copy\t320.40\tx\n")
    assert not bench.same_machine(lines, linux)
    assert "user_copy" in capsys.readouterr().err
    lines = bench.parse("# dir /tmp\nuser_loop\t2.00\tx\nuser_copy\t320.10\tx\n")
    assert bench.same_machine(lines, linux)


def test_failures_and_directories_are_told_apart():
    lines = bench.parse("# dir /tmp\na\t5\tx\nb\tFAIL\twhy\n# dir /root\na\t7\tx\n")
    assert lines["a"].value == {0: 5.0, 1: 7.0}
    assert lines["b"].failure == "why"
