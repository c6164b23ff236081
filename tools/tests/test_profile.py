# SPDX-License-Identifier: MIT
"""tools/profile counts every instruction of the kernel, and says whose it is."""
import io
import re
import subprocess

import pytest

import profile as profile_tool


def profile(tree, *words):
    done = subprocess.run([tree / "tools/profile", *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text):
    line = re.compile(r"^ *([\d,]+) +[\d.]+% +([\d,]+) +[\d.-]+  (\S+)$", re.M)
    number = lambda word: int(word.replace(",", ""))
    return {name: (number(own), number(entered)) for own, entered, name in line.findall(text)}


def test_a_loop_of_system_calls_is_seen_call_by_call(tree):
    table = rows(profile(tree, "--most", "10000", "--", "/bin/true"))
    more = rows(profile(tree, "--most", "10000", "=getppid"))
    total = sum(own for own, _ in more.values())
    assert more["sys_getppid"][1] >= 2000 and "sys_getppid" not in table
    assert more["trap_entry"][1] - table["trap_entry"][1] >= 2000
    assert more["trap_entry"][0] / more["trap_entry"][1] < 200
    assert total > sum(own for own, _ in table.values())


def test_a_function_is_shown_by_instruction(tree):
    text = profile(tree, "--of", "sys_getppid", "=getppid")
    times = [int(n.replace(",", "")) for n in re.findall(r"^ *([\d,]+) ffff", text, re.M)]
    assert times and max(times) >= 2000
    assert "trap" not in text and ".c:" in text


def test_what_is_not_there_is_refused(tree):
    done = subprocess.run([tree / "tools/profile", "--of", "no_such", "=getppid"], capture_output=True,
                          text=True, timeout=600)
    assert done.returncode == 1 and "no function no_such" in done.stderr
    done = subprocess.run([tree / "tools/profile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "which benchmark" in done.stderr


@pytest.mark.parametrize("words, why", [
    (["=nosuch"], "no benchmark is named =nosuch"), (["=getppid", "=nosuch"], "named =nosuch"),
    (["boot_128m"], "named boot_128m"), ([""], "an empty name"), (["--most", "0", "=getppid"], "one line"),
    (["--most", "-1", "--", "true"], "one line"), (["--preset", "relaese", "=getppid"], "relaese")])
def test_words_that_mean_nothing(tree, words, why):
    done = subprocess.run([tree / "tools/profile", *words], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done
    assert why in done.stderr


@pytest.mark.parametrize("words, why", [
    (["--dir", "/nonexistent", "=stat", "=getppid"], "profile: stat failed: "),
    (["--", "false"], "profile: false: status 1"),
    (["--", "nosuchcmd"], "profile: nosuchcmd: status 127"), (["--boot", "--", "false"], "profile: false: status 1")])
def test_what_failed_is_said(tree, words, why):
    done = subprocess.run([tree / "tools/profile", *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(why), done


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_log_may_be_cut_off(cut):
    """Of a QEMU that was killed."""
    log = io.BytesIO((b"0x0000000000000010:  nop\n\nTrace 0: 0x7f00 [0/0000000000000010/0]\n" * 2)[:-cut])
    blocks = profile_tool.Blocks(None, None)
    blocks.read(log)
    assert blocks.runs == {(0x10,): 1}
