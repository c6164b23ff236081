# SPDX-License-Identifier: MIT
"""mkfs, fsck, get and put on the host, and what the guest sees of their work."""
import os
import subprocess

import pytest


@pytest.fixture
def tool(tree):
    def run(name, *arguments):
        return subprocess.run([tree / "tools" / name, *arguments], capture_output=True)

    return run


@pytest.fixture
def image(tool, tmp_path):
    """An image made from a folder with a little of everything."""
    folder = tmp_path / "folder"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "text").write_text("a line\n")
    (folder / "empty").write_bytes(b"")
    (folder / "deep/er/blocks").write_bytes(os.urandom(5 * 4096 + 123))
    script = folder / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    path = tmp_path / "image"
    done = tool("mkfs", path, "16M", folder)
    assert done.returncode == 0, done.stderr
    return path


def test_a_new_image_is_clean(tool, image):
    assert tool("fsck", "-n", image).returncode == 0


@pytest.mark.parametrize("name", ["text", "empty", "deep/er/blocks"])
def test_get_gives_what_mkfs_took(tool, image, tmp_path, name):
    done = tool("get", image, "/" + name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "folder" / name).read_bytes()


def test_get_into_a_file(tool, image, tmp_path):
    assert tool("get", image, "/text", tmp_path / "out").returncode == 0
    assert (tmp_path / "out").read_text() == "a line\n"


def test_put_overwrites_and_stays_clean(tool, image, tmp_path):
    new = tmp_path / "new"
    for size in (100_000, 10, 0, 1_000_000):
        data = os.urandom(size)
        new.write_bytes(data)
        assert tool("put", image, new, "/text").returncode == 0
        assert tool("get", image, "/text").stdout == data
        assert tool("fsck", "-n", image).returncode == 0


def test_get_of_what_is_not_there(tool, image):
    done = tool("get", image, "/none")
    assert done.returncode not in (0, None)
    assert done.stderr


def test_not_an_image(tool, tmp_path):
    (tmp_path / "noise").write_bytes(os.urandom(1 << 20))
    done = tool("fsck", "-n", tmp_path / "noise")
    assert done.returncode == 4 or done.returncode == 8
    assert done.stderr or done.stdout


def test_an_edit_in_the_guest_is_what_get_shows(tools_run, tool, tree, preset, tmp_path):
    """The main job: a shared mapping's store, after power-off, on the disk, and nothing else."""
    tools_run("--", "true")
    image = tmp_path / "disk.img"
    subprocess.run(["cp", "--sparse=always", tree / "build" / preset / "disk.img", image], check=True)
    path = "/usr/share/doc/mapache/README.md"
    before = tool("get", image, path).stdout
    assert before.count(b"Mapache")
    done = tools_run("--image", image, "--", "mapedit", path, "Mapache", "Raccoon")
    assert done.returncode == 0, done.stderr
    assert tool("get", image, path).stdout == before.replace(b"Mapache", b"Raccoon")
    assert tool("fsck", "-n", image).returncode == 0
    done = tools_run("--image", image, "--", "cat", path)
    assert done.stdout == before.replace(b"Mapache", b"Raccoon")


def test_sums_are_those_of_the_host(tools_run, tree):
    files = sorted(path.name for path in (tree / "mm").glob("*.c"))[:4] or ["README.md"]
    folder = "/usr/share/doc/mapache/mm/" if files != ["README.md"] else "/usr/share/doc/mapache/"
    done = tools_run("--", "mapsum", *[folder + name for name in files])
    host = subprocess.run(["sha256sum", *files], capture_output=True, text=True,
                          cwd=tree / "mm" if files != ["README.md"] else tree).stdout
    assert [line.split()[0] for line in done.stdout.decode().splitlines()] == [
        line.split()[0] for line in host.splitlines()]


def test_an_image_that_was_not_unmounted_is_recovered(tools_run, tool, tree, preset, tmp_path):
    tools_run("--", "true")
    image = tmp_path / "disk.img"
    subprocess.run(["cp", "--sparse=always", tree / "build" / preset / "disk.img", image], check=True)
    done = tools_run("--image", image, "--timeout", "3", "--", "sh", "-c",
                     "echo text >/kept; sync; sleep 1000")
    assert done.returncode == 124
    assert tool("fsck", "-n", image).returncode == 0
    done = tools_run("--image", image, "--", "cat", "/kept")
    assert "mapfs vda: recovered" in (tree / "build" / preset / "run.log").read_text()
    assert (done.returncode, done.stdout) == (0, b"text\n")
    assert tool("fsck", "-n", image).returncode == 0
