# SPDX-License-Identifier: MIT
"""The interactive shell, driven as a person would through a terminal."""
import re
import termios

import pexpect
import pytest

PROMPT = r"mapache:[^\r\n]*# "


@pytest.fixture
def shell(tree, preset):
    """tools/run on a pseudo terminal, at its prompt."""
    child = pexpect.spawn(str(tree / "tools/run"), ["--preset", preset], timeout=60,
                          encoding="utf-8", codec_errors="replace", dimensions=(24, 80))
    child.expect("Ctrl-A X leaves QEMU")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def says(child, line):
    """What the shell prints for the line: what comes after the line's end, without escapes."""
    child.sendline(line)
    child.expect("\n")
    child.expect(PROMPT)
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", child.before).strip("\n")


def status(child):
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_commands(shell):
    assert says(shell, "echo one two | wc -w") == "2"
    assert "README.md" in says(shell, "ls /usr/share/doc/mapache")


def test_exit_powers_off_with_the_status(shell):
    shell.sendline("exit 7")
    assert status(shell) == 7


def test_exec_gives_the_signals_back(shell):
    """An interactive shell ignores SIGTERM; the program in its place, a child of init's, does not."""
    shell.sendline("exec sh -c 'kill -TERM $$; exit 7'")
    assert status(shell) == 128 + 15


def test_ctrl_d_ends_the_shell(shell):
    shell.sendcontrol("d")
    assert status(shell) == 0


def test_poweroff(shell):
    shell.sendline("poweroff")
    assert status(shell) == 0


def test_ctrl_c_ends_the_command_not_the_shell(shell):
    shell.sendline("cat")
    shell.sendline("it runs")
    shell.expect(r"it runs\r+\nit runs\r+\n")  # typed, and copied
    shell.sendcontrol("c")
    shell.expect(PROMPT)
    assert says(shell, "echo $?") == str(128 + 2)


def test_ctrl_c_at_the_prompt_gives_a_new_one(shell):
    shell.send("rubbish")
    shell.sendcontrol("c")
    shell.expect("\n")
    shell.expect(PROMPT)
    assert says(shell, "echo fine") == "fine"


def stop(child, line):
    """Starts what copies lines, sees it run, and stops it with Ctrl-Z."""
    child.sendline(line)
    child.sendline("it runs")
    child.expect(r"it runs\r+\nit runs\r+\n")
    child.sendcontrol("z")
    child.expect(r"\[1\] \+ Stopped  " + re.escape(line))
    child.expect(PROMPT)


@pytest.mark.parametrize("line", ["cat", "cat | cat"])
def test_ctrl_z_stops_and_fg_continues(shell, line):
    stop(shell, line)
    assert says(shell, "echo $?") == str(128 + 20)
    assert says(shell, "jobs") == f"[1] + Stopped  {line}"
    shell.sendline("fg")
    shell.expect(re.escape(line) + r"\r+\n")
    shell.sendline("again")
    shell.expect(r"again\r+\nagain\r+\n")
    shell.sendcontrol("d")
    shell.expect(PROMPT)
    assert says(shell, "jobs") == ""


def test_the_background_may_not_read(shell):
    stop(shell, "cat")
    shell.sendline("bg")
    shell.expect(r"\[1\] cat &\r+\n")
    while "Stopped" not in says(shell, "jobs"):  # it runs until it reads
        pass
    shell.sendline("fg")
    shell.expect(r"cat\r+\n")
    shell.sendcontrol("c")
    shell.expect(PROMPT)
    assert says(shell, "echo $?") == str(128 + 2)


def test_jobs_in_the_background(shell):
    shell.sendline("sleep 1000 &")
    shell.expect(r"\[1\] (\d+)\r+\n")
    sleeper = shell.match[1]
    shell.expect(PROMPT)
    assert says(shell, "jobs") == "[1] + Running  sleep 1000"
    shell.sendline("fg %1")
    shell.expect(r"sleep 1000\r+\n")
    shell.sendcontrol("c")
    shell.expect(PROMPT)
    assert says(shell, "jobs") == ""
    assert "No such process" in says(shell, f"kill {sleeper}")


def test_a_stopped_job_does_not_outlive_the_shell(shell):
    stop(shell, "cat")
    shell.sendline("exit 3")
    assert status(shell) == 3


def test_ctrl_a_x_leaves_qemu(shell):
    shell.sendcontrol("a")
    shell.send("x")
    assert status(shell) == 0


def test_the_terminal_is_restored(tree, preset):
    """Whatever the guest and QEMU did to it: leave by Ctrl-A X and look at its modes."""
    child = pexpect.spawn("/bin/sh", timeout=60, encoding="utf-8", codec_errors="replace")
    child.setecho(True)
    before = termios.tcgetattr(child.child_fd)
    child.sendline(f"{tree}/tools/run --preset {preset}; echo left $?")
    child.expect(PROMPT)
    assert termios.tcgetattr(child.child_fd) != before
    child.sendcontrol("a")
    child.send("x")
    child.expect(r"left 0\r+\n")
    assert termios.tcgetattr(child.child_fd)[:4] == before[:4]
    child.close(force=True)
