# SPDX-License-Identifier: MIT
"""mkfs, fsck, get and put on the host, and what the guest sees of their work."""
import os
import re
import subprocess

import pytest

import test_mount


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


# --- mkfs -----------------------------------------------------------------------------------

OLD_NS = 1_234_567_890_123_456_789


def make_folder(folder, names):
    """The same tree, its entries made in the order of `names`."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode() * 1000)
        (folder / name).chmod(0o640)
    (folder / "sub").mkdir(mode=0o2750)
    (folder / "sub").chmod(0o2750)
    os.symlink("some/where", folder / "soft")
    os.link(folder / "n1", folder / "sub/hard")
    with open(folder / "sparse", "wb") as sparse:
        sparse.truncate(1 << 30)
        sparse.seek(700 << 20)
        sparse.write(b"data")
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, ns=(OLD_NS, OLD_NS), follow_symlinks=False)
    return folder


def test_the_same_tree_gives_the_same_bytes(tool, tmp_path):
    """Also when the folder hands out its names in another order, and whatever the clock says."""
    names = [f"n{i}" for i in range(40)]
    images = []
    for which, order in (("one", names), ("two", names[::-1])):
        folder = make_folder(tmp_path / which, order)
        images.append(tmp_path / f"{which}.img")
        assert tool("mkfs", images[-1], "24M", folder).returncode == 0
    assert images[0].read_bytes() == images[1].read_bytes()


@pytest.mark.parametrize("name, facts", [
    ("/", ["directory", "modified 2009-02-13 23:31:30.123456789"]),
    ("/n1", ["file, -rw-r----- (0640)", "links 2", "modified 2009-02-13 23:31:30.123456789"]),
    ("/sub", ["directory", "(2750)", "modified 2009-02-13 23:31:30.123456789"]),
    ("/sub/hard", ["inode 2 ", "links 2"]),
    ("/soft", ["symbolic link", "target some/where", "modified 2009-02-13 23:31:30.123456789"]),
    ("/sparse", ["size 1073741824 bytes", "blocks 1, of all kinds"])])
def test_modes_links_times_and_holes_go_in(tool, tmp_path, name, facts):
    folder = make_folder(tmp_path / "tree", ["n1", "n2"])
    image = tmp_path / "image"
    assert tool("mkfs", image, folder).returncode == 0
    assert image.stat().st_size < 16 << 20  # a hole of 1 GiB needs no room
    shown = " ".join(tool("mapfsview", image, "inode", name).stdout.decode().split())
    for fact in facts:
        assert fact in shown
    assert tool("fsck", "-n", image).returncode == 0


@pytest.mark.parametrize("shape", ["many", "wide", "large", "nothing"])
def test_the_size_is_estimated_well(tool, tmp_path, shape):
    """Without SIZE the tree fits, and does not take many times what it needs."""
    folder = tmp_path / "tree"
    folder.mkdir()
    if shape == "many":
        for i in range(100):
            (folder / f"d{i}").mkdir()
            for k in range(1000):
                (folder / f"d{i}/{k}").write_bytes(b"small")
    elif shape == "wide":
        (folder / "file").write_bytes(b"")
        for i in range(20000):
            os.link(folder / "file", folder / f"{i:0>200}")
    elif shape == "large":
        (folder / "large").write_bytes(os.urandom(1 << 20) * 50)
    image = tmp_path / "image"
    done = tool("mkfs", image, folder)
    assert done.returncode == 0, done.stderr
    assert tool("fsck", "-n", image).returncode == 0
    used = image.stat().st_blocks * 512
    assert image.stat().st_size < 3 * used + (140 << 20 if shape == "many" else 12 << 20)


def test_as_many_inodes_as_asked_for(tool, tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    image = tmp_path / "image"
    for inodes in ("40000", "100"):
        done = tool("mkfs", "--inodes", inodes, image, folder)
        assert done.returncode == 0, done.stderr
        assert tool("fsck", "-n", image).returncode == 0
    for inodes, size in (("100000", "64M"), ("0", "64M"), ("some", "64M")):
        done = tool("mkfs", "--inodes", inodes, tmp_path / "none", size)
        assert done.returncode in (2, 8) and done.stderr
        assert not (tmp_path / "none").exists()
    for i in range(300):
        (folder / str(i)).write_bytes(b"")
    done = tool("mkfs", "--inodes", "100", tmp_path / "none", folder)
    assert done.returncode == 8 and b"--inodes" in done.stderr
    assert not (tmp_path / "none").exists()


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


@pytest.mark.parametrize("size", ["-5M", "0", "5X", "99999999999999999999", "20000000T", "+5M"])
def test_a_bad_size_touches_nothing(tool, tmp_path, size):
    path = tmp_path / "there"
    path.write_text("precious")
    done = tool("mkfs", path, size)
    assert done.returncode == 2
    assert b"is not a size" in done.stderr
    assert path.read_text() == "precious"


def test_holes_are_not_read(tool, tmp_path):
    """A terabyte of hole, by mkfs and by put: it takes as long as the data in it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 40)
        for place in (5, (1 << 39) + 7):
            file.seek(place)
            file.write(b"data")
    image = tmp_path / "sparse.img"
    assert tool("mkfs", image, "16M", folder).returncode == 0
    assert tool("put", image, folder / "sparse", "/again").returncode == 0
    shown = tool("mapfsview", image, "inode", "/again").stdout
    assert str(1 << 40).encode() in shown
    assert tool("fsck", "-n", image).returncode == 0


@pytest.mark.parametrize("seconds, nearest", [(15032385535, (1 << 63) - 1), (-15032385535, -(1 << 63))])
def test_times_that_cannot_be_told(tool, tmp_path, seconds, nearest):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"")
    try:
        os.utime(folder / "file", ns=(0, seconds * 10**9))
    except (OSError, OverflowError):
        subprocess.run(["touch", "-d", f"@{seconds}", folder / "file"], check=True)
    image = tmp_path / "times.img"
    done = tool("mkfs", image, "16M", folder)
    assert done.returncode == 0, done.stderr
    there = os.stat(folder / "file").st_mtime_ns
    if there == seconds * 10**9:  # else the host's own file system ends sooner
        assert tool("mapfsview", image, "inode", "/file").stdout.count(b"2262" if nearest > 0 else b"1677")


def test_put_takes_files_only(tree, image, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    done = subprocess.run([tree / "tools/put", image, tmp_path / "fifo", "/x"], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"is not a regular file" in done.stderr


def commands_of(page, heading):
    """The commands of the first block under that heading, as they are typed: a line may have two."""
    block = page.split(f"\n## {heading}\n")[1].split("\n\n    ")[1].split("\n\n")[0]
    return [command.split() for line in block.splitlines() for command in re.split(" {3,}", line.strip())]


def test_the_commands_of_the_readme_for_an_image_of_ones_own(tree, preset, tmp_path, tools_run):
    """In their order, where FILE and FOLDER are; what is mounted is seen, where this machine mounts."""
    tools_run("--", "true")
    (tmp_path / "FILE").write_text("from the host\n")
    (tmp_path / "FOLDER").mkdir()
    typed = {"run": b"cat /etc/passwd > /root/notes; cat /root/notes\n"}
    said = {}
    commands = commands_of((tree / "README.md").read_text(), "The disk")
    assert [command[0] for command in commands] == [
        f"tools/{name}" for name in ("mkfs", "run", "get", "put", "mount", "mount", "fsck", "mapfsview")]
    for tool, *words in commands:
        name = tool.removeprefix("tools/")
        if name == "mount" and test_mount.WHY_NOT:
            continue
        words = [str(tree / "build" / preset / word[14:]) if word.startswith("build/release/") else word for word in words]
        words[:0] = ["--preset", preset] if name == "run" else []
        done = subprocess.run([tree / tool, *words], cwd=tmp_path, input=typed.get(name, b""), capture_output=True)
        assert done.returncode == 0, (name, words, done)
        said[name] = done.stdout
        if name == "mount" and "-u" not in words:
            assert (tmp_path / "FOLDER/root/FILE").read_text() == "from the host\n"
    assert b"root:" in said["get"] and said["get"] in said["run"].replace(b"\r", b"")
    assert b"from the host" not in said["get"] and (tmp_path / "page.html").stat().st_size > 1000
