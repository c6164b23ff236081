# SPDX-License-Identifier: MIT
"""Linux beside Mapache: the figures of two lean kernels, kept in the tree, and any kernel that is given.

A given kernel (an arch/riscv/boot/Image) gets vmbench, the same file, as its first process, in an initramfs
made here, with an empty ext4 file system that vmbench copies to /dev/ram0.  All ids and times in it are fixed,
so that the same kernel gives the same figures.
"""
import os
import shutil
import stat
import subprocess

import build
from bench_machine import Kernel
from bench_table import read

FOLDER = os.path.join(build.TREE, "usr/bench/linux")
VERSIONS = ("6.1", "6.12")
EXT4_BYTES = 64 << 20
WORDS = f"console=ttyS0 quiet ramdisk_size={EXT4_BYTES >> 10} norandmaps"
IMAGE_MAGIC_AT, IMAGE_MAGIC = 0x38, b"RSC\x05"  # Documentation/riscv/boot-image-header.rst
ALIGNMENT = 4  # of names and contents in an archive of cpio's format "newc"


def tables():
    """Linux's figures: those of vmbench as they were given, and what was measured beside them."""
    found = []
    for version in VERSIONS:
        table = read(os.path.join(FOLDER, f"linux-{version}.tsv"), f"Linux {version}")
        beside = os.path.join(FOLDER, f"beside-{version}.tsv")
        if os.path.exists(beside):
            more = read(beside, table.title)
            table.value.update(more.value)
            table.unit.update(more.unit)
        found.append(table)
    return found


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def cpio_entry(number, name, mode, contents=b"", device=(0, 0)):
    name = name.encode() + b"\0"
    numbers = [number, mode, 0, 0, 1, 0, len(contents), 0, 0, *device, len(name), 0]
    head = b"070701" + "".join(f"{n:08x}" for n in numbers).encode()
    return padded(head + name) + padded(contents)


def initramfs(program, file_system=None):
    """An archive with the console, the program as /init, and what is to be copied to /dev/ram0."""
    entries = [("dev", stat.S_IFDIR | 0o755), ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),
               ("init", stat.S_IFREG | 0o755, program)]
    if file_system is not None:
        entries.append(("ext4.img", stat.S_IFREG | 0o644, file_system))
    entries.append(("TRAILER!!!", 0))
    return b"".join(cpio_entry(number, *entry) for number, entry in enumerate(entries, 1))


def empty_ext4(folder):
    """The bytes of an empty ext4 file system, None where mkfs.ext4 is not known."""
    mkfs = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not mkfs:
        return None
    path = os.path.join(folder, "ext4.img")
    with open(path, "wb") as image:
        image.truncate(EXT4_BYTES)
    fixed = "00000000-0000-4000-8000-00000000000"
    subprocess.run([mkfs, "-q", "-F", "-b", "4096", "-U", fixed + "1", "-E", f"hash_seed={fixed}2", path],
                   check=True, env=dict(os.environ, E2FSPROGS_FAKE_TIME="1700000000"))
    with open(path, "rb") as image:
        return image.read()


def fault_of(image):
    """Why this is no kernel, as it can be known before it is booted; None: it may be one."""
    try:
        with open(image, "rb") as file:
            head = file.read(IMAGE_MAGIC_AT + len(IMAGE_MAGIC))
    except OSError as error:
        return f"cannot read {image}: {error.strerror}"
    return None if head[IMAGE_MAGIC_AT:] == IMAGE_MAGIC else f"{image} is no arch/riscv/boot/Image"


def given(image, program, folder, with_ext4=True):
    """The kernel of this image; its initramfs is made in the folder."""
    with open(program, "rb") as file:
        archive = initramfs(file.read(), empty_ext4(folder) if with_ext4 else None)
    initrd = os.path.join(folder, "initramfs.cpio")
    with open(initrd, "wb") as out:
        out.write(archive)
    return Kernel(image, initrd, lambda arguments: " ".join([WORDS, "--", *arguments]))
