# SPDX-License-Identifier: MIT
"""Boot in instructions: from power-on to the first user instruction, and the firmware's share.

With 128 MiB of memory and the root on a RAM disk that holds vmbench alone, which is the first process: no disk
is waited for, so that the figure repeats.  Mapache's kernel says in its log where it enters user mode; of Linux
only the moment is known at which vmbench's main begins, some thousand instructions later.
"""
import os
import re
import shutil
import subprocess
import tempfile

import bench_linux
import tool
from bench_machine import Kernel

MEMORY = "128M"
NOTHING = "=none"  # a name that no benchmark has
DISK_BYTES = "16M"
MAIN = r"# vmbench: time CSR at start of main = (\d+) insn"
USER = r"first user instruction: (\d+)"

# Reads the counter, writes it to the UART in hexadecimal, and ends the machine.
FIRST_INSTRUCTION = """
	.global _start
_start:	csrr	a1, instret
	li	a3, 0x10000000
	li	a4, 60
1:	srl	a5, a1, a4
	andi	a5, a5, 15
	addi	a5, a5, '0'
	li	a6, '9'
	ble	a5, a6, 2f
	addi	a5, a5, 'a' - '9' - 1
2:	sb	a5, 0(a3)
	addi	a4, a4, -4
	bgez	a4, 1b
	li	a3, 0x100000
	li	a4, 0x5555
	sw	a4, 0(a3)
3:	j	3b
"""


def small_root(kit, program, folder):
    """A file system with the directories that the kernel mounts on, and vmbench."""
    tree = os.path.join(folder, "root")
    for name in ("bench", "dev", "proc", "tmp"):
        os.makedirs(os.path.join(tree, name))
    shutil.copy(program, os.path.join(tree, "bench/vmbench"))
    image = os.path.join(folder, "root.img")
    subprocess.run([kit.tool("mkfs"), image, DISK_BYTES, tree], check=True, stdout=subprocess.DEVNULL)
    return image


def mapache(kit, program, folder, kernel=None):
    return Kernel(kernel or kit.kernel, small_root(kit, program, folder), lambda arguments: " ".join(
        ["root=ram0 norandmaps init=/bench/vmbench --", *arguments]))


def instructions_in(said, line):
    found = re.search(line, said)
    if not found:
        raise tool.Refused(f"the machine did not say: {line}")
    return int(found[1])


def of_mapache(kit, program, memory=MEMORY):
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        said = mapache(kit, program, folder).boot([NOTHING], memory=memory)
    return instructions_in(said, USER)


def of_linux(image, program):
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        kernel = bench_linux.given(image, program, folder, with_ext4=False)
        return instructions_in(kernel.boot([NOTHING], memory=MEMORY), MAIN)


def of_firmware(kit, program, memory=MEMORY):
    """What the firmware takes until the kernel's first instruction: a kernel in Mapache's place that only says so."""
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        probe = os.path.join(folder, "kernel")
        subprocess.run(["riscv64-linux-gnu-gcc", "-march=rv64imac_zicsr", "-mabi=lp64", "-nostdlib",
                        "-static", "-Wl,-n,-Ttext=0x80200000,--build-id=none", "-x", "assembler", "-",
                        "-o", probe], input=FIRST_INSTRUCTION, text=True, check=True)
        command = mapache(kit, program, folder, kernel=probe).command([NOTHING], memory)
        done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return int(done.stdout[-16:], 16)
