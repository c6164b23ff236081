#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""Do the options of mapfs_crash do what they say?

usage: options.py MAPFS_CRASH PLANTED     PLANTED: the same with a bug
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

# The workloads are few and their epochs short: the always-workloads are in every set.
FEW = ["--seed", "5", "--pairs", "4", "--long", "1", "--length", "6", "--random", "5", "--deep", "0"]


def run(program, *options):
    done = subprocess.run([program, *options], capture_output=True, text=True)
    return done.returncode, done.stdout


def count(output, what):
    return int(re.search(rf"(\d+) {what}", output).group(1))


def a_seed_says_which(program, _planted):
    again = [run(program, *FEW, "--list")[1] for _ in range(2)]
    other = run(program, *FEW, "--seed", "6", "--list")[1]
    return again[0] == again[1] != other


def shards_are_the_whole(program, _planted):
    whole = run(program, *FEW, "--list")[1].splitlines()
    shards = [run(program, *FEW, "--shard", f"{i}/3", "--list")[1].splitlines() for i in range(3)]
    return all(shards) and sorted(sum(shards, [])) == sorted(whole)


def what_was_done_is_not_done_again(program, _planted):
    with tempfile.TemporaryDirectory(prefix="mapfs-crash-") as folder:
        shard = [*FEW, "--shard", "1/12", "--resume", os.path.join(folder, "done")]
        first, second = run(program, *shard), run(program, *shard)
    return (first[0] == second[0] == 0 and count(first[1], "workloads, [1-9]") > 0
            and count(second[1], "distinct") == 0)


def jobs_see_the_same_images(program, _planted):
    one, two = (run(program, *FEW, "--shard", "0/8", "--jobs", jobs) for jobs in "12")
    return one[0] == two[0] == 0 and count(one[1], "distinct") == count(two[1], "distinct")


def too_few_images_is_a_failure(program, _planted):
    return run(program, "--workload", "create /n", "--images", "100000")[0] == 1


def a_failure_is_repeated_alone(_program, planted):
    status, output = run(planted, "--workload", "create /n; fsync /n")
    why, line = re.search(r"^not ok - (.*)\n# repeat: mapfs_crash (.*)$", output, re.M).groups()
    again, said = run(planted, *shlex.split(line))
    return status == again == 1 and why in said and count(said, "distinct") == 1


def it_is_no_failure_without_the_bug(program, planted):
    output = run(planted, "--workload", "create /n; fsync /n")[1]
    line = re.search(r"^# repeat: mapfs_crash (.*)$", output, re.M).group(1)
    return run(program, *shlex.split(line))[0] == 0


TESTS = [a_seed_says_which, shards_are_the_whole, what_was_done_is_not_done_again,
         jobs_see_the_same_images, too_few_images_is_a_failure, a_failure_is_repeated_alone,
         it_is_no_failure_without_the_bug]

if __name__ == "__main__":
    print(f"1..{len(TESTS)}")
    results = [test(*sys.argv[1:]) for test in TESTS]
    for i, (test, good) in enumerate(zip(TESTS, results)):
        print(f"{'' if good else 'not '}ok {i + 1} - {test.__name__}")
    sys.exit(not all(results))
