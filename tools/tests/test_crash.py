# SPDX-License-Identifier: MIT
"""What is left of synced loads in the guest when the power goes away, or QEMU is killed (tools/lib/crash.py)."""
import os
import random
import shutil
import signal
import struct
import subprocess
import time

import pytest

import crash

SEED = int(os.environ.get("CRASH_SEED") or time.time())
PRESET = os.environ.get("MAPACHE_PRESET", "dev")
PATIENCE = 120  # seconds, for what takes about ten
STATES = ["--complete", "6", "--random", "100", "--deep", "32"]
SHORT = ["create /n", "write /n 0 9000", "fsync /n", "write /n 0 9000", "fdatasync /n", "rename /n /a", "fsync /a",
         "append /a 100"]


@pytest.fixture(scope="module")
def loads(tmp_path_factory):
    return crash.Loads(PRESET, str(tmp_path_factory.mktemp("crash")))


@pytest.fixture(scope="module")
def short(loads):
    """A recording of few operations."""
    folder = os.path.join(loads.scratch, "short")
    os.mkdir(folder)
    crash.record(loads, folder, [*crash.BEGINNING, "sync", *SHORT])
    return folder


def one(loads, what, seed, folder):
    try:
        return getattr(crash.Crashes(loads, 100), what)(seed, str(folder), STATES)
    except crash.CrashError as error:
        pytest.fail(f"tools/crash {what} --seed {seed} --runs 1\n{error}")


@pytest.mark.parametrize("number", (0, 1, 2, 5))
def test_power_cuts_of_a_recorded_load(loads, tmp_path, number):
    """Operations, alone and beside syncs; SQLite with either journal."""
    every = len(crash.RECORDED)
    assert "ok - " in one(loads, "record", SEED // every * every + number, tmp_path)


@pytest.mark.parametrize("number", range(len(crash.KILLED)))
def test_qemu_is_killed(loads, tmp_path, number):
    one(loads, "kill", SEED + number, tmp_path)


# --- Can these tests fail? -------------------------------------------------------------------------------


def test_a_short_recording_is_good(loads, short):
    assert "\nok - " in loads.check(short, *STATES)


@pytest.mark.parametrize("sync", ["fsync /n", "fdatasync /n", "fsync /a"])
def test_a_disk_that_does_not_flush_is_found(loads, short, tmp_path, sync):
    """The flush for which a sync waited is taken out of the log."""
    folder = str(tmp_path / "lies")
    shutil.copytree(short, folder)
    behind = 1 + [text for *_, text in crash.read_calls(short)].index(sync)
    crash.drop_flush(folder, crash.read_calls(short)[behind][0])
    with pytest.raises(crash.CrashError, match="not ok - after"):
        loads.check(folder, *STATES)


def test_a_disk_that_forgets_is_found(loads, short, tmp_path):
    """As it was before the load, with all that was acknowledged since."""
    folder = str(tmp_path / "forgotten")
    shutil.copytree(short, folder)
    os.remove(os.path.join(folder, "log"))
    crash.write_calls(folder, [(0, *rest) for _, *rest in crash.read_calls(short)])
    with pytest.raises(crash.CrashError, match="names are missing"):
        loads.check(folder)


def test_a_commit_that_is_said_too_early_is_found(loads, tmp_path):
    """As if the guest had said each before the flush that it waited for."""
    folder = str(tmp_path)
    said = crash.record_sqlite(loads, folder, "wal")
    early = [(flushes - 1, commit) for flushes, commit in said]
    with pytest.raises(crash.CrashError, match="commits had been said"):
        crash.cut_sqlite(loads, folder, early, 200, random.Random(SEED))


def test_flushes_behind_a_gap_are_waited_for(tmp_path):
    """An entry that is not there yet, in front of one that is."""
    log = tmp_path / "log"
    write, flush = (struct.pack("<4Q", 8, *rest, 0).ljust(512, b"\0") for rest in ((1, 0), (0, crash.FLUSH)))
    whole = b"super".ljust(512, b"\0") + flush + write + b"data".ljust(512, b"\0") + flush
    reader = crash.LogReader(log)
    for there, flushes in ((whole[:1024] + bytes(1024) + flush, 1), (whole[:-512], 1), (whole, 2)):
        log.write_bytes(there)
        with open(log, "rb") as file:
            assert reader.read(file) == (there != whole[:1024] + bytes(1024) + flush)
        assert reader.flushes == flushes


# --- Without any sync --------------------------------------------------------------------------------------


def test_what_nobody_synced_is_kept_after_seconds(tree, loads):
    """A small file in a folder; QEMU is killed when both are found on the disk of the guest that runs."""
    image = loads.root({})
    run = subprocess.Popen(
        [tree / "tools/run", "--preset", PRESET, "--image", image, "--", "sh", "-c",
         "mkdir /kept; echo a >/kept/file; echo made; cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def found():
        return subprocess.run([tree / "tools/get", image, "/kept/file"], capture_output=True).stdout

    try:
        assert run.stdout.readline() == b"made\n"
        last = time.monotonic() + PATIENCE
        while found() != b"a\n" and time.monotonic() < last:
            time.sleep(0.5)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert found() == b"a\n"
