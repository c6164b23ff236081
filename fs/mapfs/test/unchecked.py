#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""What fsck checks, left out: mapfs_repair must see it, by the row of its table that is named here.

CMakeLists.txt builds mapfs_repair once for each, as mapfs_unchecked_NAME.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from plant import Bug, main

FSCK, INODE, MAP, CLAIM, DIR, TREE = (
    f"tools/image/lib/fsck{part}.c" for part in ("", "_inode", "_map", "_claim", "_dir", "_tree"))

CHECKS = [
    Bug("copy_of_the_super_block", FSCK, "} else if (copy_fault || ", "} else if (0 && ", "copy_zeroed"),
    Bug("heads_of_the_log", FSCK, "if (err == -EINVAL) {", "if (err == -EINVAL && (err = 0)) {",
        "heads_flipped"),
    Bug("checksum_of_inodes", INODE, "d->crc != mapfs_inode_crc(f->seed, ino, d)", "0", "inode_flipped"),
    Bug("one_owner", CLAIM, "if (!(f->claim[block] & CONTESTED))", "if (1)", "data_of_a_later_file"),
    Bug("owner_of_nodes", CLAIM, "if (f->claim[block] & NODE)", "if (0)", "node_twice"),
    Bug("bits", FSCK, "memcmp(map.bits, want->bits, sizeof(map.bits)) != 0", "0", "used_block_is_free"),
    Bug("order_of_extents", MAP, "p->count == 0 || p->logical < r->end", "0", "extents_unsorted"),
    Bug("blocks_behind_the_end", MAP, "(uint64_t)p->logical + p->count > r->wanted", "0",
        "extents_behind_the_end"),
    Bug("depth_of_nodes", MAP, "node.depth != depth || ", "", "node_of_wrong_depth"),
    Bug("places_of_nodes", DIR, "fault = mapfs_dir_place_fault(&node, node.depth, is_root, from, to);",
        "fault = NULL;", "key_a_little_higher"),
    Bug("hashes", DIR, "if (mapfs_dir_hash(e->key) != ", "if (0 && mapfs_dir_hash(e->key) != ",
        "key_of_another_hash"),
    Bug("unique_names", TREE, "if (fsck_dir_seen_before(dir, i))", "if (0)", "name_twice"),
    Bug("one_name_of_a_folder", TREE, "if (is_dir(target) && target->reached)", "if (0)",
        "second_name_of_a_folder"),
    Bug("link_counts", TREE, "inode->d.nlink != inode->links && ", "0 && ", "too_many_links"),
    Bug("parents", TREE, "inode->d.parent != inode->parent &&", "0 &&", "wrong_parent"),
    Bug("connectivity", TREE, "if (!inode->in_use || inode->reached || inode->d.nlink == 0)", "if (1)",
        "file_without_a_name"),
    Bug("orphans", TREE, "if (inode->d.flags & MAPFS_INODE_ORPHAN && (f->fix || !inode->orphan) &&",
        "if (0 &&", "orphan_not_on_the_list"),
    Bug("free_counts", FSCK, "state.free_blocks != free_blocks || ", "", "wrong_free_blocks"),
    Bug("taken_names", TREE, "while (ino) {", "while (0) {", "names_in_lost_found_may_be_taken"),
    Bug("only_looking", FSCK, "if (!f->fix || f->found == 0)", "if (f->found == 0)", "wrong_free_blocks"),
]

if __name__ == "__main__":
    main(__doc__, CHECKS, lambda check: [check.shown_by])
