# SPDX-License-Identifier: MIT
"""mapfsview: what each structure of an image looks like, of a good one and of damaged ones."""
import os
import re
import subprocess

import pytest

BLOCK = 4096
ROOT_INO = 1


@pytest.fixture
def tool(tree):
    def run(name, *arguments, status=0):
        done = subprocess.run([tree / "tools" / name, *map(str, arguments)], capture_output=True,
                              text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr if status else done.stdout

    return run


@pytest.fixture
def image(tool, tmp_path):
    """/big in one part of 30 blocks, /many/name-000 .. 299, a short and a long link."""
    folder = tmp_path / "folder"
    (folder / "many").mkdir(parents=True)
    (folder / "big").write_bytes(b"a known line\n" * (30 * BLOCK // 13))
    for i in range(300):
        (folder / f"many/name-{i:03}").write_text(f"{i}\n")
    (folder / "short").symlink_to("big")
    (folder / "long").symlink_to("t" * 300)
    (folder / "big").chmod(0o640)
    os.utime(folder / "big", ns=(1, 1_000_000_007))
    path = tmp_path / "image"
    tool("mkfs", path, "64M", folder)
    return path


@pytest.fixture
def view(tool, image):
    before = image.read_bytes()
    yield lambda *arguments, **options: tool("mapfsview", image, *arguments, **options)
    assert image.read_bytes() == before, "mapfsview wrote to the image"


def number(text, pattern):
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in:\n{text}"
    return int(found.group(1))


def change(image, offset, data):
    with open(image, "r+b") as file:
        file.seek(offset)
        file.write(data)


def first_block(view, path):
    return number(view("inode", path), r"file block 0[^:]*: block (\d+)")


# --- Good images


def test_super_blocks(view):
    text = view("super")
    assert "version        2" in text
    assert "size           16384 blocks of 4096 bytes: 64 MiB" in text
    assert "equal to the super block, byte for byte" in text


def test_state_says_what_the_groups_say(view):
    state, groups = view("state"), view("groups")
    assert "clean          yes" in state and "orphans        none" in state
    for what in ("blocks", "inodes"):
        assert number(state, rf"free {what} +(\d+)") == number(groups, rf"{what} +(\d+) of +\d+ free")


def test_bitmaps_as_runs(view):
    text = view("bitmaps", 0)
    runs = re.findall(r"(used|free) +(\d+) \.\. (\d+) \((\d+)\)", text.split("inodes of group")[0])
    assert all(int(last) - int(first) + 1 == int(n) for _, first, last, n in runs)
    assert sum(int(n) for kind, _, _, n in runs if kind == "free") == number(text, r"free +(\d+) of")


def test_an_inode_by_path_and_by_number(view):
    text = view("inode", "/big")
    for line in ("file, -rw-r----- (0640)", "modified       1970-01-01 00:00:01.000000007 UTC",
                 "links          1", f"size           {30 * BLOCK // 13 * 13} bytes", "right",
                 "bitmap         in use"):
        assert line in text
    assert view("inode", number(text, r"inode (\d+)")) == text
    assert "target         big" in view("inode", "/short")
    assert "target         " + "t" * 300 in view("inode", "/long")


def test_a_file_in_one_part_and_the_owner_of_its_blocks(view):
    start = first_block(view, "/big")
    assert f"file block 0 .. 29: block {start} .. {start + 29} (30)" in view("tree", "/big")
    assert view("owner", start + 3) == (f"block {start + 3}: data of inode "
                                        f"{number(view('inode', '/big'), 'inode ([0-9]+)')} (/big), "
                                        "file block 3, bytes 12288 .. 16383\n")
    assert "a known line" in view("block", start)


def test_a_directory_node_by_node(view):
    text = view("dir", "/many")
    assert sorted(re.findall(r"file +(name-\d+)", text)) == [f"name-{i:03}" for i in range(300)]
    nodes = re.findall(r"(root|node), block (\d+): depth (\d)", text)
    assert nodes[0][0] == "root" and nodes[0][2] == "1" and len(nodes) > 2
    assert f"300 entries in {len(nodes)} nodes" in text
    hashes = re.findall(r"hash (\w+)\.\d+  inode", text)
    assert hashes == sorted(hashes)
    for _, block, _ in nodes:
        assert "directory node of inode" in view("owner", block)
        assert "(/many)" in view("owner", block)


@pytest.mark.parametrize("block, what", [
    (0, "super block"), (16383, "copy of the super block"), (1, "state, block 1"),
    (2, "head 0"), (4, "of the log, ring offset 0"), (1026, "bitmap of blocks of group 0"),
    (1027, "bitmap of inodes of group 0"), (1028, "inode 1: drwx"), (16000, "free")])
def test_each_block_is_named(view, block, what):
    assert what in view("block", block)


def test_free_space_and_parts(view):
    free = number(view("state"), r"free blocks +(\d+)")
    assert f"{free} free blocks in " in view("free")
    files = view("files")
    assert "301 files have blocks" in files and "(/big)" in files


def test_summary_counts_every_block_once(view):
    text = view()
    assert sum(map(int, re.findall(r"(\d+) blocks +[\d.]+ %", text))) == 16384
    assert "fsck finds nothing wrong" in text


# --- Damaged ones


def test_a_damaged_super_block_is_shown_and_its_copy_used(tool, image):
    change(image, 24, b"\xff")
    text = tool("mapfsview", image, "super", status=1)
    assert "!! the super block's checksum is wrong" in text and "!! differs" in text
    assert "(/big)" in tool("mapfsview", image, "inode", "/big")
    change(image, 16383 * BLOCK, b"no magic")
    assert "not a mapfs image" in tool("mapfsview", image, "super", status=1)
    assert "`super` and `block`" in tool("mapfsview", image, "log", status=8)


def test_a_damaged_inode_is_shown(tool, image):
    text = tool("mapfsview", image, "inode", "/big")
    ino, byte, block = (number(text, pattern) for pattern in
                        (r"inode (\d+)", r"byte (\d+) of", r"of block (\d+)"))
    change(image, block * BLOCK + byte + 24, b"\x07")  # of the size
    fault = f"!! inode {ino} has a wrong checksum"
    text = tool("mapfsview", image, "inode", ino, status=1)
    assert fault in text and "size           122" in text
    assert fault in tool("mapfsview", image, status=1)


def test_a_damaged_directory_node_does_not_hide_the_others(tool, image):
    text = tool("mapfsview", image, "dir", "/many")
    block = int(re.findall(r"node, block (\d+): depth 0", text)[0])
    change(image, block * BLOCK + 100, b"\xff\xff")
    text = tool("mapfsview", image, "dir", "/many", status=1)
    assert f"!! block {block} has a wrong checksum" in text
    assert 100 < len(re.findall("name-", text)) < 300
    assert "wrong checksum" in tool("mapfsview", image, "block", block, status=1)


# --- The command line


@pytest.mark.parametrize("arguments, status, message", [
    (["none"], 2, "no command 'none'"), (["inode"], 2, "wants one argument"),
    (["inode", "big"], 2, "neither a path"), (["inode", "/none"], 1, "no such path"),
    (["block", "16384"], 1, "there are 16384"), (["block", "-1"], 2, "not the number"),
    (["super", "1"], 2, "wants no argument"), (["bitmaps", "1"], 1, "there are 1")])
def test_errors_are_said(view, arguments, status, message):
    assert message in view(*arguments, status=status)


def test_what_is_no_image(tool, tmp_path):
    assert "No such file" in tool("mapfsview", tmp_path / "none", status=8)
    (tmp_path / "noise").write_bytes(os.urandom(1 << 20))
    assert "not a mapfs image" in tool("mapfsview", tmp_path / "noise", status=8)
    assert "  ff0 " in tool("mapfsview", tmp_path / "noise", "block", 3)
    (tmp_path / "empty").write_bytes(b"")
    tool("mapfsview", tmp_path / "empty", status=8)
    tool("mapfsview", tmp_path / "empty", "super", status=1)


def test_help_names_each_command(tool, tree):
    text = tool("mapfsview", "--help")
    source = (tree / "tools/image/mapfsview.c").read_text()
    names = re.findall(r'^\t\{"(\w+)", \.', source, re.M)
    assert len(names) > 10
    assert all(f"\n  {name} " in text for name in names)
