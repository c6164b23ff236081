#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""The bugs that are planted into mapfs, the vfs and mm, and that mapfs_fsx must find: those of mm are from mm's own
list of mutants.  planted.cmake builds mapfs_fsx once for each, and makes the test mapfs_fsx_planted_NAME of it.
"""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.join(HERE, *[".."] * 4)
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(TOP, "mm", "test")]
from plant import Bug, main

BUGS = [
    Bug("hole_not_zeroed", "file.c",
        "\t\t\t\tmemset(page_data(run, i), 0, MAPFS_BLOCK_BYTES);",
        "\t\t\t\t;"),
    Bug("size_rounded_up", "file.c",
        "\tbytes = bytes < run->size ? bytes : run->size;\n",
        ""),
    Bug("size_inside_a_block_not_published", "file.c",
        "\tif (!grows && !run->ends_cut)",
        "\tif (!run->ends_cut)"),
    Bug("store_goes_astray", "file.c",
        "\t\tmapfs_io_add(&io, BLK_WRITE, p.start, p.count, page_data, run);",
        "\t\tif (p.count < 5)\n\t\t\tmapfs_io_add(&io, BLK_WRITE, p.start, p.count, page_data, run);"),
    Bug("promise_not_dropped", "file.c",
        "\tmapfs_promise_drop(inode, (uint32_t)index, false);",
        "\t(void)inode, (void)index;"),
    Bug("edge_block_freed", "resize.c",
        "mapfs_blocks_of(size), MAPFS_FILE_BLOCKS",
        "size / MAPFS_BLOCK_BYTES, MAPFS_FILE_BLOCKS"),
    Bug("larger_size_not_published", "resize.c",
        "\t\terr = write_page_of(inode, old);\n\tif (!err)\n\t\terr = publish_cache_size(inode);\n",
        "\t\terr = write_page_of(inode, old);\n"),
    Bug("hole_loses_the_size", "punch.c",
        "\tint err = publish_size(v, end);",
        "\tint err = 0;"),
    Bug("hole_keeps_its_blocks", "punch.c",
        "\tint err = 0;\n\n\tfsh_mutex_lock(&inode->map_lock);\n\twhile (!err && past > first)",
        "\tint err = 0;\n\n\tfsh_mutex_lock(&inode->map_lock);\n\twhile (!err && past > first + 1)"),
    Bug("rest_behind_a_hole_lost", "punch.c",
        "\t\tmapfs_extent_insert(&p.txn, inode, &p.cut.rest, &p.plan);\n",
        ""),
    Bug("append_not_at_the_end", "fs/file.c",
        "\tif (fs_read(f->flags) & FS_O_APPEND)",
        "\tif (0)"),
]

# Name here, and name there.
OF_MM = {
    "tail_not_zeroed": "truncate: rest of the page not zeroed",
    "tail_shows_as_the_file_grows": "grow: old tail not zeroed",
    "private_page_outlives_a_cut": "truncate: private copies stay",
    "translation_outlives_a_cut": "truncate: translations stay",
    "private_store_reaches_the_file": "fault: private page of the file writable",
    "shared_store_not_noted": "fault: shared page writable though clean",
    "dirty_page_evicted": "reclaim: evicts dirty pages",
    "read_past_the_end": "read: past the size",
    "fork_shares_a_private_page": "fork: parent not write-protected",
}


def of_mm():
    from planted import MUTANTS
    for name, theirs in OF_MM.items():
        mutant = next(m for m in MUTANTS if m.name == theirs)
        yield Bug(name, "mm/" + mutant.file, mutant.old, mutant.new)


if __name__ == "__main__":
    main(__doc__, BUGS + list(of_mm()), lambda bug: ["--ops", "200000", "--seed", "1"])
