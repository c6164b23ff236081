# SPDX-License-Identifier: MIT
"""tools/harts: its figures are of its rounds, and every workload has a line."""
import re
import subprocess

import harts


def test_ratios_are_of_one_round():
    rounds = [{("a", 1, 1): 10.0, ("a", 2, 2): 20.0}, {("a", 1, 1): 100.0, ("a", 2, 2): 150.0},
              {("a", 1, 1): 1.0, ("a", 2, 2): 1.8}]
    assert harts.ratio_of(rounds, "a", 2, 2) == "1.80 (1.50 to 2.00)"
    assert harts.rate_of(rounds, "a", 1, 1) == "10"


def test_rates_are_by_workload_and_workers():
    assert harts.rates("a\t2\t50\t0.5\t20\t30\na\t8\t7\t0.7\t0\t1\n") == {("a", 2): 100.0, ("a", 8): 10.0}


def test_a_round_of_all(tree):
    done = subprocess.run([tree / "tools/harts", "--rounds", "1", "--seconds", "0.02"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| `(\w+)` \|(?: [\d,]+ \|| [\d.]+ \([\d.]+ to [\d.]+\) \|){10}$", done.stdout, re.M)
    listed = re.findall(r"^\t\{\"(\w+)\", ", (tree / "usr/bench/harts.c").read_text(), re.M)
    assert rows == listed and len(rows) > 10
