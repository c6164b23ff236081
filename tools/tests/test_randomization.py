# SPDX-License-Identifier: MIT
"""Address-space randomization can be switched off: the guest's test, which demands that nothing moves then."""
import tap


def test_norandmaps(tools_run):
    done = tools_run("--append", "norandmaps", "--", "/test/mem_random")
    results = tap.parse(done.stdout.decode())
    assert len(results) >= 7
    assert not [result.name for result in results if result.status == "failed"], done.stdout
    assert [result.name for result in results if result.status == "skipped"] == ["places_move_by_themselves"]
    assert done.returncode == 0
