# SPDX-License-Identifier: MIT
"""Progress bars of the image tools on a terminal, and what an interrupt leaves."""
import os
import pathlib
import random
import re
import signal
import subprocess

import pexpect
import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
CLEARED = "\r\x1b[K"
MIB = 1 << 20


def tool(name, *arguments):
    return subprocess.run([TOOLS / name, *arguments], capture_output=True)


def on_terminal(name, *arguments):
    """The bar comes at once and shows each step; the terminal takes a few of them before we read."""
    return pexpect.spawn(str(TOOLS / name), [str(argument) for argument in arguments], timeout=120,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                         env=dict(os.environ, MAPACHE_PROGRESS="now"), dimensions=(24, 100), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """With a file whose bytes are random, and one that is long and zeros, which become a hole."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "random").write_bytes(random.Random(1).randbytes(20 * MIB))
    with open(folder / "long", "wb") as file:
        for _ in range(400):
            file.write(bytes(MIB))
    return folder


@pytest.fixture
def image(tmp_path, folder):
    path = tmp_path / "image"
    assert tool("mkfs", path, "512M").returncode == 0
    assert tool("put", path, folder / "random", "/random").returncode == 0
    return path


def commands(tmp_path, folder):
    (folder / "long").unlink()
    return {
        "mkfs": ["mkfs", tmp_path / "new", "512M", folder],
        "put": ["put", tmp_path / "image", folder / "random", "/again"],
        "get": ["get", tmp_path / "image", "/random", tmp_path / "got"],
        "fsck": ["fsck", "-n", tmp_path / "image"],
    }


@pytest.mark.parametrize("name", ["mkfs", "put", "get", "fsck"])
def test_a_bar_on_a_terminal(tmp_path, folder, image, name):
    child = on_terminal(*commands(tmp_path, folder)[name])
    seen = child.read()
    child.close()
    assert child.exitstatus == 0
    steps = re.findall(r"\r([^\r]+)\x1b\[K", seen)
    assert all(step.startswith(name + ": ") and len(step) < 100 for step in steps)
    shares = [int(re.search(r" (\d+)%", step)[1]) for step in steps]
    assert len(shares) > 5 and max(shares) >= (90 if name != "fsck" else 50)
    assert any(re.search(r"\[=*>? *\] .*\d of \d+.*/s, \d+ s left", step) for step in steps)
    assert seen.rpartition("%")[2].count(CLEARED) == 1, "the last bar is taken away"


@pytest.mark.parametrize("name", ["mkfs", "put", "get", "fsck"])
def test_no_bar_in_a_pipe(tmp_path, folder, image, name, monkeypatch):
    monkeypatch.setenv("MAPACHE_PROGRESS", "now")
    done = tool(*commands(tmp_path, folder)[name])
    assert (done.returncode, done.stderr) == (0, b"")


def interrupt(child):
    """Once the bar is seen; the work that is left is more than the terminal takes unread."""
    child.expect(r" [1-9]%")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT


def test_an_interrupted_mkfs_leaves_no_image(tmp_path, folder):
    interrupt(on_terminal("mkfs", tmp_path / "new", "512M", folder))
    assert not (tmp_path / "new").exists()


def test_an_interrupted_get_leaves_no_file(tmp_path, folder, image):
    assert tool("put", image, folder / "long", "/long").returncode == 0
    subprocess.run(["cp", "--sparse=always", image, tmp_path / "before"], check=True)
    interrupt(on_terminal("get", image, "/long", tmp_path / "got"))
    assert not (tmp_path / "got").exists()
    assert subprocess.run(["cmp", image, tmp_path / "before"]).returncode == 0


def test_an_interrupted_put_leaves_an_image_that_recovers(tmp_path, folder, image):
    interrupt(on_terminal("put", image, folder / "long", "/long"))
    assert tool("fsck", "-n", image).returncode == 0
    assert tool("get", image, "/random").stdout == (folder / "random").read_bytes()
    assert tool("put", image, folder / "random", "/again").returncode == 0
    assert tool("fsck", "-n", image).returncode == 0
