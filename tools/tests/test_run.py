# SPDX-License-Identifier: MIT
"""tools/run keeps its contract: output, exit status, options, and nothing else on stdout."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest


def test_output_is_all_that_is_on_stdout(tools_run):
    done = tools_run("--", "echo", "hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"hello\n"
    assert done.stderr == b""


def test_arguments_arrive_unchanged(tools_run):
    words = ["a b", "", "%41", "'\"", "$HOME", "-n", "tab\there", "caf\u00e9", "--"]
    done = tools_run("--", "printf", "[%s]\\n", *words)
    assert done.stdout.decode() == "".join(f"[{word}]\n" for word in words)


def test_output_is_binary_clean(tools_run, tmp_path):
    data = bytes(range(256)) * 64 + b"\x1e[mapache:" + b"\r\n\x1e\x1e[mapache:pani"
    (tmp_path / "data").write_bytes(data)
    done = tools_run("--put", f"{tmp_path / 'data'}:/data", "--", "cat", "/data")
    assert done.stdout == data


@pytest.mark.parametrize("command, status", [
    (("true",), 0),
    (("false",), 1),
    (("sh", "-c", "exit 42"), 42),
    (("no-such-command",), 127),
    (("sh", "-c", "kill -9 $$"), 128 + 9),
])
def test_exit_status(tools_run, command, status):
    assert tools_run("--", *command).returncode == status


def test_time_limit(tools_run):
    done = tools_run("--timeout", "3", "--", "sleep", "1000")
    assert done.returncode == 124


def test_qemu_that_does_not_start(tools_run):
    done = tools_run("--qemu", "-no-such-option", "--", "true")
    assert done.returncode == 125
    assert b"no-such-option" in done.stderr


def test_missing_image(tools_run, tmp_path):
    assert tools_run("--image", str(tmp_path / "none"), "--", "true").returncode == 125


def test_panic(tools_run):
    done = tools_run("--append", "root=none", "--", "true")
    assert done.returncode == 125
    assert done.stdout == b""
    assert b"panic: cannot mount none" in done.stderr and b"the kernel panicked" in done.stderr
    assert b"OpenSBI" not in done.stderr


@pytest.mark.parametrize("init, why", [("/no/such/init", "ENOENT (2)"), ("/bin", "EACCES (13)"), ("/bin/sh/init", "ENOTDIR (20)"),
                                       ("/usr/share/doc/mapache/README.md", "EACCES (13)")])
def test_no_init(tools_run, init, why):
    """It is not the kernel that is broken: one line, which says what to do."""
    done = tools_run("--append", f"init={init}", "--", "true")
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.decode() == (f"cannot execute {init}: {why}; "
                                    "tools/mkfs IMAGE build/release/root makes a disk with /bin/init\n")


def test_memory_runs_out_under_pid_1(tools_run):
    """A program of the guest's tests as init, whose exit status is then that of the test."""
    done = tools_run("--mem", "64M", "--append", "init=/test/t_exhaust", "--", "-n")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", [("--smp", "8"), ("--mem", "64M"), ("--mem", "16G"),
                                    ("--swap", "64M"), ("--icount",)])
def test_machines(tools_run, option):
    done = tools_run(*option, "--", "echo", "up")
    assert (done.returncode, done.stdout) == (0, b"up\n"), done.stderr


def test_root_from_the_initrd(tools_run, tree, preset, tmp_path):
    image = tmp_path / "root.img"
    shutil.copyfile(tree / "build" / preset / "disk.img", image)
    done = tools_run("--mem", "512M", "--append", "root=ram0", "--qemu", "-initrd", "--qemu", image,
                     "--", "cat", "/proc/mounts")
    assert done.returncode == 0 and done.stdout.startswith(b"ram0 / mapfs rw"), done.stderr


@pytest.mark.parametrize("harts", ["0", "9", "two"])
def test_harts_are_1_to_8(tools_run, harts):
    assert tools_run("--smp", harts, "--", "true").returncode == 2


def test_icount_wants_one_hart(tools_run):
    assert tools_run("--icount", "--smp", "2", "--", "true").returncode == 2


def test_put_keeps_the_mode_and_the_image(tools_run, tmp_path, tree, preset):
    image = tree / "build" / preset / "disk.img"
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho it runs\n")
    script.chmod(0o755)
    tools_run("--", "true")  # so that the image is there
    before = image.read_bytes()
    done = tools_run("--put", f"{script}:/bin/script", "--", "script")
    assert (done.returncode, done.stdout) == (0, b"it runs\n"), done.stderr
    assert image.read_bytes() == before


def test_stdin_is_typed_and_ends(tools_run):
    """And it is no output: what is typed to a command is not echoed."""
    assert tools_run("--", "cat", stdin=b"one\ntwo\n").stdout == b"one\ntwo\n"


def test_stdin_that_is_empty_ends(tools_run):
    assert tools_run("--", "cat").returncode == 0


def test_a_shell_without_command_takes_a_script(tools_run):
    done = tools_run(stdin=b"echo $((6 * 7))\nexit 5\n")
    assert done.returncode == 5
    assert b"42" in done.stdout


def stat_of(pid):
    """The fields of /proc/PID/stat behind the name: state, parent, ...; None when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def children(process):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if (stat_of(pid) or [0, 0])[1] == str(process.pid)]


def is_gone(pid):
    fields = stat_of(pid)
    return fields is None or fields[0] == "Z"


def until(condition, seconds=60):
    """Wait for something that must come; the limit is against hanging only."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_ends_qemu_too(tree, preset, number):
    process = subprocess.Popen(
        [tree / "tools/run", "--preset", preset, "--", "sh", "-c", "echo started; sleep 1000"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"started\n"
    qemu = children(process)
    assert qemu
    process.send_signal(number)
    status = process.wait(60)
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    until(lambda: all(is_gone(child) for child in qemu))


def test_help_names_every_option(tools_run):
    text = tools_run("--help").stdout.decode()
    for option in re.findall(r"--[a-z]+", "--preset --smp --mem --image --swap --put --icount "
                             "--timeout --append --qemu --gdb"):
        assert option in text
