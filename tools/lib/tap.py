# SPDX-License-Identifier: MIT
"""Test Anything Protocol: what the host's and the guest's test programs print."""
import re

LINE = re.compile(r"^(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
BAIL_OUT = re.compile(r"^Bail out!\s*(.*)$")
SKIP = re.compile(r"#\s*SKIP\b\s*(.*)$", re.I)


class Result:
    """One test case: status is "passed", "failed" or "skipped"."""

    def __init__(self, name, status, why=""):
        self.name = name
        self.status = status
        self.why = why


def parse(text):
    """The results that the text reports; a plan that is not kept, or given up, is a failure of its own."""
    results, planned = [], None
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            continue
        bail_out = BAIL_OUT.match(line)
        if bail_out:
            results.append(Result("the rest", "failed", bail_out.group(1)))
            planned = None
            continue
        match = LINE.match(line)
        if not match:
            continue
        bad, name = match.groups()
        skip = SKIP.search(name)
        if skip:
            results.append(Result(name[: skip.start()].strip(), "skipped", skip.group(1)))
        elif bad:
            name, _, why = name.partition(": ")
            results.append(Result(name, "failed", why))
        else:
            results.append(Result(name, "passed"))
    if planned is not None and planned != len(results):
        results.append(Result("plan", "failed", f"{planned} planned, {len(results)} reported"))
    return results
