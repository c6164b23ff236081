#!/usr/bin/python3 -B
# SPDX-License-Identifier: MIT
"""The bugs that are planted into mapfs, and that mapfs_crash must find.

planted.cmake builds mapfs_crash once for each, with the file that has the bug in the place of the
right one, and makes the test mapfs_planted_NAME of it.  A bug comes with a workload that shows it;
mapfs_crash without a bug does these, too (workload.c).
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from plant import Bug, main

# A block of metadata, whose copies the log has, becomes data.
FREED = "symlink /s 300; sync; unlink /s; sync; create /n; write /n 0 16384; fsync /n; sync"

# The log goes round.
ROUND = "; ".join(f"chmod /a {i}; fsync /a" for i in range(1, 33))

BUGS = [
    Bug("commit_not_flushed", "commit.c",
        "\t\terr = mapfs_log_write(fs, g->at, c->images, g->n);\n\treturn err ? err : blk_flush(fs->dev);",
        "\t\terr = mapfs_log_write(fs, g->at, c->images, g->n);\n\treturn err;",
        "create /n; fsync /n"),
    Bug("checkpoint_not_flushed", "checkpoint.c",
        "\terr = mapfs_io_wait(&io);\n\treturn err ? err : blk_flush(fs->dev);",
        "\terr = mapfs_io_wait(&io);\n\treturn err;",
        "create /n"),
    Bug("recovery_not_flushed", "recover.c",
        "\treturn err ? err : blk_flush(r->dev);\n}\n\nstatic int write_head(",
        "\treturn err;\n}\n\nstatic int write_head(",
        "create /n"),
    Bug("overwrite_not_flushed", "commit.c",
        "\treturn !err && closed ? flush_for_answer(fs) : err;",
        "\treturn err;",
        "write /a 0 4096; fdatasync /a"),
    Bug("commit_before_data", "commit.c",
        "\terr = flush_before(fs);\n",
        "\terr = 0;\n",
        "write /b 9000 300"),
    Bug("no_quarantine_of_data", "txn.c",
        "\trun->next = c->freed;\n\tc->freed = run;\n\tfsh_mutex_unlock(&c->lock);",
        "\tif (run->metadata) {\n\t\trun->next = c->freed;\n\t\tc->freed = run;\n\t}\n"
        "\tfsh_mutex_unlock(&c->lock);\n"
        "\tif (!run->metadata) {\n\t\trun->next = NULL;\n\t\tmapfs_release_quarantine(txn->fs, run);\n\t}",
        "unlink /a; create /n; write /n 0 12288; fsync /n"),
    Bug("no_quarantine_of_metadata", "commit.c",
        "\t\tif (run->metadata) {\n",
        "\t\tif (0) {\n",
        FREED),
    Bug("no_quarantine_beside_a_commit", "commit.c",
        "\trelease_freed(fs, g->freed);\n",
        "\trelease_freed(fs, g->freed);\n\trelease_freed(fs, c->freed);\n\tc->freed = NULL;\n",
        "write /b 0 300; fsync /b && unlink /a; create /n; write /n 0 12288; fsync /n"),
    Bug("next_group_in_this_one", "commit.c",
        "copy ? memcpy(copy, from, MAPFS_BLOCK_BYTES) : from;",
        "from;\n\t\tif (copy)\n\t\t\tfsh_page_free(copy);",
        "create /e/z; append /b 3000; fsync /b & create /e/n"),
    Bug("freed_block_replayed", "extent_cut.c",
        "!vnode_is(&inode->vnode, FS_IFREG), cut);",
        "false, cut);",
        FREED),
    Bug("orphan_not_listed", "namespace.c",
        "\tif (left == 0)\n\t\tmapfs_orphan_add(txn, mapfs_inode_of(v));\n",
        "",
        "hold /a; unlink /a"),
    Bug("orphans_not_freed", "super.c",
        "\tif (mapfs_orphans_reap(fs)) {",
        "\tif (0) {",
        "hold /a; unlink /a; sync"),
    Bug("old_transaction_replayed", "recover.c",
        " ||\n\t\th->sequence != r->end.sequence)",
        ")",
        ROUND),
    Bug("older_head_taken", "recover.c",
        "fault || head->header.sequence <= r->tail.sequence)",
        "fault || (r->tail.sequence && head->header.sequence > r->tail.sequence))",
        ROUND),
    Bug("sequence_given_again", "commit.c",
        "\tc->sequence = recovery->end.sequence + mapfs_ring_blocks(&fs->sb);",
        "\tc->sequence = recovery->end.sequence;",
        "lose 2 of create /n | create /n; fsync /a; sync"),
    Bug("checksum_of_copies_ignored", "recover.c",
        "mapfs_copy_crc(r->seed, reader->copy, e->kind) != e->crc ||\n\t\t"
        "mapfs_block_fault(r->seed, reader->copy, e->block, e->kind, h->owner) ||",
        "!h ||",
        "create /n"),
    Bug("size_before_zeroing", "resize.c",
        "\terr = write_page_of(inode, size);\n\treturn err ? err : edge_is_written(inode, cuts);",
        "\treturn edge_is_written(inode, cuts);",
        "truncate /a 5000; write /a 8192 100; msync /a 8192 100"),
    Bug("zeroing_before_size", "file.c",
        "\treturn waits ? mapfs_commit_wait(mapfs_of(&inode->vnode), sequence) : 0;",
        "\treturn 0;",
        "truncate /a 5000; fsync /a"),
    Bug("split_without_its_parent", "dir_change.c",
        "\tmapfs_txn_dirty(txn, path->buf[level]);\n\tmapfs_txn_dirty(txn, path->buf[level - 1]);\n",
        "\tmapfs_txn_dirty(txn, path->buf[level]);\n",
        "wide 24 0 | create /w/25~"),
    Bug("reservation_not_returned", "reserve.c",
        "\t\tback = take_surplus(inode) + !used;\n",
        "\t\tback = take_surplus(inode);\n",
        "create /n; write /n 0 9000; truncate /n 0"),
    # Of what is unwritten: the free blocks of the test disk hold junk, which shows when it is read.
    Bug("allocated_is_written", "unwritten.c",
        "\ta.p.unwritten = true;\n",
        "",
        "create /n; allocate /n 0 9000; fsync /n"),
    Bug("written_before_data", "file.c",
        "\t\terr = place(&run);\n",
        "\t\terr = place(&run);\n\tif (!err)\n"
        "\t\terr = mapfs_publish_written(run.inode, run.first, run.n);\n\tif (!err)\n"
        "\t\terr = mapfs_commit(mapfs_of(&run.inode->vnode));\n",
        "create /n; allocate /n 0 9000; write /n 0 4096; fsync /n"),
    Bug("whole_piece_written", "extent.c",
        "\tpart = old;\n\tpart.count = p->logical - old.logical;\n",
        "\tpart = old;\n\tpart.unwritten = false;\n\tpart.count = p->logical - old.logical;\n",
        "create /n; allocate /n 0 12288; write /n 4096 4096; fsync /n"),
    Bug("rest_behind_a_hole_written", "punch.c",
        "\tif (p->cut.rest.unwritten)\n\t\treturn 0;\n",
        "\tp->cut.rest.unwritten = false;\n",
        "create /n; allocate /n 0 12288; punch /n 4096 4096; fsync /n"),
]


if __name__ == "__main__":
    main(__doc__, BUGS, lambda bug: ["--workload", bug.shown_by])
