# SPDX-License-Identifier: MIT
"""The shell at a terminal: its line editor, history, and what Ctrl-C and Ctrl-D do when.

What counts is what a line does when it is entered, not how it was drawn: each test types keys that
end as a command which prints [ARGUMENTS], and looks at that. One guest serves all tests.
"""
import pexpect
import pytest

PROMPT = r"mapache:[^\r\n]*# "
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE = "\x1b[H", "\x1b[F", "\x1b[3~"
BACKSPACE, TAB, ENTER = "\x7f", "\t", "\r"


def control(letter):
    code = chr(ord(letter) & 31)
    return code * 2 if letter == "A" else code  # QEMU takes Ctrl-A for itself and passes the second


@pytest.fixture(scope="module")
def guest():
    from conftest import PRESET, TREE
    child = pexpect.spawn(str(TREE / "tools/run"), ["--preset", PRESET], timeout=20,
                          encoding="utf-8", codec_errors="replace", dimensions=(24, 80))
    child.expect("Ctrl-A X leaves QEMU")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


@pytest.fixture
def shell(guest):
    """At a fresh prompt, with p ARGUMENT... to print [ARGUMENT ...]."""
    enter(guest, "p() { echo \"[$*]\"; }" + ENTER)
    assert result(guest, "p ready") == "ready"
    return guest


def enter(shell, keys, end=PROMPT):
    """Types keys that leave the line, and waits for what follows: the editor draws the prompt anew
    with each key, so only a prompt behind a new line counts."""
    shell.send(keys)
    shell.expect(r"\r+\n")
    shell.expect(end)


def start(shell, command):
    """Enters a command and waits until it runs, with the terminal in the modes of commands."""
    shell.send("p started; " + command + ENTER)
    shell.expect(r"\n\[started\]\r+\n")


def result(shell, keys):
    """What p prints when the keys have been typed and Enter pressed."""
    shell.send(keys + ENTER)
    shell.expect(r"\n\[([^\r\n]*)\]\r+\n")
    text = shell.match.group(1)
    shell.expect(PROMPT)
    return text


@pytest.mark.parametrize("keys, wanted", [
    ("p abd" + LEFT + "c", "abcd"),
    ("p ab" + LEFT * 2 + RIGHT + "x", "axb"),
    ("p abc" + BACKSPACE + "d", "abd"),
    ("p abc" + LEFT * 2 + BACKSPACE, "bc"),
    ("p abc" + LEFT * 2 + DELETE, "ac"),
    ("p abc" + LEFT * 2 + control("D"), "ac"),
    ("bc" + HOME + "p a" + END + "d", "abcd"),
    ("bc" + control("A") + "p a" + control("E") + "d", "abcd"),
    ("p abc" + control("B") * 2 + control("F") + "x", "abxc"),
    ("rubbish" + control("U") + "p a", "a"),
    ("p keep rubbish" + LEFT * 7 + control("K"), "keep"),
    ("p one two" + control("W") + "three", "one three"),
    ("p one two" + control("W") + control("Y") * 2, "one twotwo"),
    ("p a" + control("L") + "b", "ab"),
    ("p \u00e4\u00f6" + LEFT + BACKSPACE + "u", "u\u00f6"),
    ("p 'a" + BACKSPACE + "b  c'", "b  c"),
    (BACKSPACE + LEFT + DELETE + control("W") + "p a" + RIGHT, "a"),
])
def test_editing(shell, keys, wanted):
    assert result(shell, keys) == wanted


def test_a_line_longer_than_the_screen(shell):
    words = " ".join(f"word{i}" for i in range(40))
    assert result(shell, "p " + words) == words
    assert result(shell, UP + control("A") + RIGHT * 2 + "first " + END + " last") == \
        f"first {words} last"


def test_history(shell):
    for word in "one", "two", "three":
        assert result(shell, "p " + word) == word
    assert result(shell, UP) == "three"
    assert result(shell, UP * 3) == "one"
    assert result(shell, UP * 3 + DOWN + "x") == "threex"
    assert result(shell, control("P") + control("P") + control("N")) == "threex"


def test_history_keeps_the_unfinished_line(shell):
    assert result(shell, "p before") == "before"
    assert result(shell, "p unfin" + UP + DOWN + "ished") == "unfinished"


def test_an_edited_old_line_is_a_new_one(shell):
    assert result(shell, "p abc") == "abc"
    assert result(shell, UP + "d") == "abcd"
    assert result(shell, UP * 2) == "abc"


def test_completion(shell):
    assert result(shell, "cd /tmp; mkdir -p long_name other; p made") == "made"
    assert result(shell, "p lo" + TAB + "x") == "long_name/x"
    assert result(shell, "p /usr/share/d" + TAB + "m" + TAB) == "/usr/share/doc/mapache/"
    assert result(shell, "cd /; p back") == "back"


def test_a_command_over_several_lines(shell):
    enter(shell, "for i in 1 2" + ENTER, "> ")
    enter(shell, "do p $i" + ENTER, "> ")
    shell.send("done" + ENTER)
    shell.expect(r"\n\[1\]\r+\n\[2\]\r+\n")
    shell.expect(PROMPT)


def test_an_open_quote_goes_on(shell):
    enter(shell, "p 'a" + ENTER, "> ")
    shell.send("b'" + ENTER)
    shell.expect(r"\n\[a\r+\nb\]\r+\n")
    shell.expect(PROMPT)


def test_ctrl_c_gives_up_a_command_of_several_lines(shell):
    enter(shell, "while true; do" + ENTER, "> ")
    enter(shell, "rubbish" + control("C"))
    assert result(shell, "p fine") == "fine"


def test_ctrl_c_ends_a_loop_of_builtins(shell):
    start(shell, "while true; do :; done")
    shell.send(control("C"))
    shell.expect(PROMPT)
    assert result(shell, "p $?") == "130"


def test_ctrl_c_ends_a_whole_pipeline(shell):
    start(shell, "cat | cat | cat")
    shell.send(control("C"))
    shell.expect(PROMPT)
    assert result(shell, "ps >/tmp/ps; p $(grep -c cat /tmp/ps)") == "0"


def test_ctrl_c_ends_a_loop_around_a_command(shell):
    shell.send("for i in 1 2 3; do p $i; sleep 1000; done" + ENTER)
    shell.expect(r"\n\[1\]\r+\n")
    shell.send(control("C"))
    shell.expect(PROMPT)
    assert result(shell, "p after") == "after"


def test_ctrl_backslash_quits_a_command(shell):
    start(shell, "sleep 1000")
    shell.send(control("\\"))
    shell.expect(PROMPT)
    assert result(shell, "p $?") == "131"


def test_ctrl_d_is_the_end_of_a_commands_input(shell):
    start(shell, "wc -c")
    shell.send("12345" + ENTER + control("D"))
    shell.expect(r"\n6\r+\n")
    shell.expect(PROMPT)


def test_ctrl_d_in_a_line_does_not_end_the_shell(shell):
    assert result(shell, "p a" + control("D")) == "a"


def test_the_terminal_edits_lines_for_commands(shell):
    """Erase and kill characters while cat reads: the terminal's own line editing."""
    start(shell, "cat")
    shell.send("abx" + BACKSPACE + "c" + ENTER)
    shell.expect(r"\nabc\r+\n")
    shell.send("rubbish" + control("U") + "clean" + ENTER)
    shell.expect(r"\nclean\r+\n")
    shell.send(control("D"))
    shell.expect(PROMPT)


def test_typing_ahead(shell):
    """What is typed while a command runs is the next command."""
    start(shell, "read x; p $x")
    shell.send("one" + ENTER + "p two" + ENTER)
    shell.expect(r"\n\[one\]\r+\n")
    shell.expect(r"\n\[two\]\r+\n")
    shell.expect(PROMPT)


def test_background_jobs_survive_ctrl_c(shell):
    enter(shell, "sleep 1000 &" + ENTER)
    enter(shell, "rubbish" + control("C"))
    assert result(shell, "kill -0 $!; p $?") == "0"
    assert result(shell, "kill $!; wait $!; p $?") == "143"


def test_a_broken_command_says_so_and_the_shell_goes_on(shell):
    enter(shell, "if )" + ENTER, "syntax error")
    shell.expect(PROMPT)
    enter(shell, "nosuchcommand" + ENTER, "nosuchcommand: not found")
    shell.expect(PROMPT)
    assert result(shell, "p $?") == "127"


def test_a_crash_is_reported(shell):
    enter(shell, "sh -c 'kill -SEGV $$'" + ENTER)
    assert result(shell, "p $?") == "139"


def test_scripts(shell):
    assert result(shell, "printf '#!/bin/sh\\necho \"[$# $1]\"\\nexit 4\\n' >/tmp/s; chmod 755 /tmp/s;"
                         " /tmp/s 'a b' c") == "2 a b"
    assert result(shell, "p $?") == "4"
    assert result(shell, "sh /tmp/s x") == "1 x"
    assert result(shell, "PATH=/tmp:/bin; s y") == "1 y"
