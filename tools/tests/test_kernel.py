# SPDX-License-Identifier: MIT
"""The kernel's own tests (kernel/test), which a debug build runs instead of the first process."""
import re
import subprocess

import build
import guest
import pytest
import tap

SECONDS = 240

PLANTS = {
    "lock-order": r"lock order: low .* taken while holding high",
    "recursion": r"spin lock low: taken again",
    "mutex-recursion": r"mutex plain: taken again",
    "shared-order": r"lock order: mutex early .* taken while holding gate",
    "page-wait": r"waiting while holding gate",
    "user-memory": r"waiting while holding gate",
    "aside": r"breakpoint",
    "sleep": r"sleeping with spin lock low held",
    "sleep-on": r"sleeping with spin lock other held",
    "unlock": r"spin lock low: released by a hart that does not hold it",
    "double-free": r"freed with order 0",
    "null": r"store page fault .* address 0x0000000000000008",
    "text": r"store page fault",
    "overflow": r"kernel stack overflow",
    "deep": r"kernel stack: \d+ bytes were used, only \d+ are left",
}


@pytest.fixture(scope="module")
def kit():
    return build.kit_of(build.build("dev", ["mapache.elf"]))


def boot(kit, tmp_path, words, **options):
    """Boot with these words and without a disk; QEMU's status and what the UART said."""
    machine = guest.Machine(kit, image=None, log=str(tmp_path / "log"), **options)
    command = guest.qemu_command(machine, "stdio", words, reboot=False)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    return done.returncode, done.stdout.decode(errors="replace")


@pytest.mark.parametrize("smp, mem", [(1, "64M"), (2, "128M"), (4, "256M"), (8, "16G")])
def test_selftest(kit, tmp_path, smp, mem):
    status, said = boot(kit, tmp_path, "selftest ramdisk=4M scratch=ram0", smp=smp, mem=mem)
    results = tap.parse(said)
    assert len(results) >= 26
    assert not [result.name for result in results if result.status != "passed"], said
    assert status == 0


def test_harts_that_come_in_by_the_wrong_door(kit, tmp_path):
    """Each finds its place; else the kernel would begin anew on each of them."""
    status, said = boot(kit, tmp_path, "selftest=pmap-shootdown strayharts", smp=4)
    assert status == 0, said
    assert (tmp_path / "log").read_text().count("Mapache on 4 harts") == 1


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_bug_panics(kit, tmp_path, plant):
    """The checks of debug builds can fail; the backtrace names who did it."""
    status, said = boot(kit, tmp_path, f"plant={plant}", smp=2)
    assert status == 125
    panic = said[said.index("panic: "):]
    assert re.search(PLANTS[plant], panic)
    assert re.search(r"#\d+ +0x[0-9a-f]{16} (plant_|overflow)", panic)


def test_a_release_panic_names_who_called(tmp_path):
    """No frame pointers there: the stack is searched for return addresses."""
    kit = build.kit_of(build.build("release", ["mapache.elf"]))
    status, said = boot(kit, tmp_path, "root=vda")
    assert status == 125
    assert re.search(r"panic: cannot mount vda.*#0 +0x[0-9a-f]{16} process_start_init"
                     r".*sched_thread_begin", said, re.DOTALL)
