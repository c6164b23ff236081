# SPDX-License-Identifier: MIT
"""mapfsview: what each structure of an image looks like, of a good one and of damaged ones; its page."""
import json
import os
import re
import subprocess

import pytest

import browser

BLOCK = 4096
NASTY = "<img src=x onerror='document.title=1'> & \udcff"


@pytest.fixture
def tool(tree):
    def run(name, *arguments, status=0):
        done = subprocess.run([tree / "tools" / name, *map(str, arguments)], capture_output=True,
                              text=True, errors="surrogateescape")
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
    (folder / NASTY).write_text("a name that wants to be markup\n")
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


def test_a_tree_of_extents_node_by_node(tool, view, tmp_path):
    """A file of 40 blocks with holes between them has more extents than there is room for in its inode."""
    (tmp_path / "folder/holes").touch()
    for i in range(40):
        change(tmp_path / "folder/holes", 2 * i * BLOCK, b"data")
    tool("mkfs", tmp_path / "other", "64M", tmp_path / "folder")
    text = tool("mapfsview", tmp_path / "other", "tree", "/holes")
    assert "root, in the inode: depth 1, 1 of 14 entries" in text
    assert re.search(r"node, block (\d+): depth 0, 40 of 338 entries", text)
    assert len(re.findall(r"file block \d+: block \d+$", text, re.M)) == 40
    assert "extents: 40, nodes beside the root: 1" in text
    node = number(text, r"node, block (\d+)")
    assert "extent node of inode" in tool("mapfsview", tmp_path / "other", "owner", node)
    assert "depth 0, 40 of 338 entries" in tool("mapfsview", tmp_path / "other", "block", node)


def test_a_directory_node_by_node(view):
    text = view("dir", "/many")
    assert sorted(re.findall(r"file +(name-\d+)", text)) == [f"name-{i:03}" for i in range(300)]
    nodes = re.findall(r"(root|node), block (\d+): depth (\d)", text)
    assert nodes[0][0] == "root" and nodes[0][2] == "1" and len(nodes) > 2
    assert f"entries: 300, nodes: {len(nodes)}" in text
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
    assert f"free blocks: {free}, in runs: " in view("free")
    files = view("files")
    assert "302 files have blocks" in files and "(/big)" in files


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
    text = tool("mapfsview", image, "block", block, status=1)
    assert f"!! block {block}, directory node of inode" in text and "has a wrong checksum" in text
    assert re.search("checksum +\\w+, wrong", text)


def test_a_log_that_is_to_be_replayed(tool, image):
    """When the head that counts is torn, the other one leads to groups that are in place already."""
    change(image, 2 * BLOCK, bytes(BLOCK))
    text = tool("mapfsview", image, "log", status=1)
    assert "!! head 0 holds something else" in text
    groups = re.findall(r"^group (\d+): (\d+) blocks from offset (\d+)", text, re.M)
    assert len(groups) == 2 and groups[0][2] == "0" and groups[1][2] == groups[0][1]
    assert "block 1, state block: a later copy counts" in text
    assert re.search("recovery: groups: 2, .* then head 0 says", text)
    live = sum(int(n) for _, n, _ in groups)
    assert re.search(rf"log: to be replayed +{live} blocks", tool("mapfsview", image))
    assert "newer in the log: block " in tool("mapfsview", image, "state")
    assert "copy of        block " in tool("mapfsview", image, "block", 5)


# --- The page


@pytest.fixture
def page(tool, image, tmp_path):
    def write():
        tool("mapfsview", image, "html", "-o", tmp_path / "page.html")
        return tmp_path / "page.html"

    return write


def centre_of(shown, element):
    shown.value(f"{element}.scrollIntoView({{block: 'center'}})")
    box = shown.value(f"(b => ({{x: b.x + b.width / 2, y: b.y + b.height / 2}}))"
                      f"({element}.getBoundingClientRect())")
    return box["x"], box["y"]


def centre_of_cell(shown, block):
    return (shown.value(f"map.canvas.getBoundingClientRect().x + 5 + "
                        f"CELL * (Math.floor(({block} - map.first) / map.scale) % map.columns)"),
            shown.value(f"map.canvas.getBoundingClientRect().y + 5 + "
                        f"CELL * Math.floor(({block} - map.first) / map.scale / map.columns)"))


@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_what_the_text_says(view, page, width, dark):
    with browser.Page(page(), width, dark=dark) as shown:
        legend = {name: int(n.replace(",", "")) for name, n in shown.value(
            "[...document.querySelectorAll('#legend button')].map("
            "b => [b.childNodes[1].textContent, b.querySelector('.count').textContent])")}
        summary = re.findall(r"^  (\S.*?) +(\d+) blocks +[\d.]+ %$", view(), re.M)
        assert legend == {name: int(n) for name, n in summary}
        assert legend["free"] == number(view("state"), r"free blocks +(\d+)")
        assert shown.value("document.querySelectorAll('#files .file').length") == 25
        assert shown.value("document.documentElement.scrollWidth <= innerWidth")
        assert shown.value("new Set(map.canvas.getContext('2d').getImageData(0, 0, 300, 200).data).size") > 20
        assert shown.errors == []
        assert [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []


def test_a_block_is_pointed_at_and_kept(view, page):
    block = first_block(view, "/big") + 3
    with browser.Page(page()) as shown:
        shown.click(*centre_of(shown, "byId('go-block')"))
        shown.type(str(block))
        shown.click(*centre_of(shown, "document.querySelector('#go button')"))
        assert shown.value("map.scale") == 1
        shown.move(*centre_of_cell(shown, block + 1))
        text = shown.value("byId('tip').textContent")
        assert f"Block {block + 1:,}: file data, of /big (inode " in text and "file block 4" in text
        shown.click(*centre_of_cell(shown, block + 2))
        details = shown.value("byId('details').innerText")
        assert f"Block {block + 2:,}" in details and "/big" in details and "20,480 on" in details
        assert shown.errors == []


def test_zoom_keeps_what_is_under_the_pointer(view, page):
    block = first_block(view, "/big")
    with browser.Page(page()) as shown:
        while shown.value("map.scale") > 1:
            before = shown.value("map.scale")
            shown.mouse("mouseWheel", *centre_of_cell(shown, block), deltaX=0, deltaY=-100)
            assert shown.value("map.scale") < before
            assert shown.value(f"{block} >= map.first && {block} < map.first + cells() * map.scale")
        shown.click(*centre_of(shown, "byId('zoom-all')"))
        assert shown.value("map.first === 0 && cells() * map.scale >= image.image.blocks")
        assert shown.errors == []


def test_a_file_is_found_and_shown_alone(page):
    with browser.Page(page()) as shown:
        shown.click(*centre_of(shown, "byId('search')"))
        shown.type("many name-123")
        assert shown.value("[...document.querySelectorAll('.file .path')].map(p => p.textContent)") == [
            "/many/name-123"]
        shown.click(*centre_of(shown, "document.querySelector('.file')"))
        assert shown.value("document.querySelector('.file').getAttribute('aria-pressed')") == "true"
        assert "/many/name-123" in shown.value("byId('details').innerText")
        assert shown.value("chosen.file >= 0 && isChosen(runs.ofFile[chosen.file][0])")
        assert shown.errors == []


def test_names_are_never_markup(page):
    with browser.Page(page()) as shown:
        shown.click(*centre_of(shown, "byId('search')"))
        shown.type("<img")
        assert shown.value("document.querySelector('.file .path').textContent") == (
            "/" + NASTY.replace("\udcff", "\\xff"))
        assert shown.value("document.images.length") == 0
        assert shown.value("document.title") == "image: mapfs"
        assert shown.errors == []


def test_the_page_of_a_damaged_image(tool, image, page):
    change(image, 1026 * BLOCK + 64, b"\0\0")
    tool("mapfsview", image, "html", "-o", image.parent / "page.html", status=1)
    with browser.Page(image.parent / "page.html") as shown:
        assert "bitmap of the blocks of group 0" in shown.value("byId('findings').innerText")
        assert "damaged" in shown.value("byId('groups').innerText")
        assert shown.errors == []


def test_the_page_of_an_image_that_is_to_be_recovered(image, page):
    change(image, 2 * BLOCK, bytes(BLOCK))
    with browser.Page(page()) as shown:
        assert shown.value("document.querySelectorAll('#log tbody tr').length") == 2
        assert "head 0 is damaged" in shown.value("byId('log').innerText")
        assert "to be recovered" in shown.value("byId('tiles').innerText")
        assert shown.errors == []


def test_the_page_of_a_large_image_is_small(tool, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for i in range(6000):
        (folder / f"file-{i}").write_bytes(b"x" * (i + 1))
    tool("mkfs", tmp_path / "image", "4G", folder)
    tool("mapfsview", tmp_path / "image", "html", "-o", tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 600_000
    with browser.Page(tmp_path / "page.html") as shown:
        assert shown.value("document.querySelectorAll('#groups tbody tr').length") > 30
        assert "1,001 small ones are not listed" in shown.value("byId('files-count').textContent")
        assert shown.value("image.runs.length / 4") < 6000
        assert shown.errors == []


def test_json_has_every_block_once(view):
    layout = json.loads(view("json"))
    assert sum(layout["runs"][::4]) == 16384 == sum(n for _, n in layout["uses"])
    assert layout["findings"] == []


def test_the_image_is_not_overwritten_by_its_page(view, image):
    assert "is the image" in view("html", "-o", image, status=2)


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
