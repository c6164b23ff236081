// SPDX-License-Identifier: MIT
/*
 * A file of the simulated machine: a pager whose every step is a point, and whose transfers end
 * later if the machine says so (a disk, which is a fiber of its own).
 */
#pragma once

#include "host.h"

#include <mm/pagecache.h>
#include <mm/pager.h>

#define FILES      2
#define FILE_PAGES 8

struct sim_file {
	struct mvm_object *object;
	char (*disk)[MVM_PAGE_BYTES];
	bool reserved[FILE_PAGES];
	unsigned fills[FILE_PAGES]; /* how often each page was read */
	unsigned released;          /* calls of release() */
	bool inode_locked;
};

extern struct sim_file files[FILES];

/* No files; transfers are pending for a while if `slow`. */
void file_begin(bool slow);

/* File i, FILE_PAGES long, all zeros; the caller has the one reference to its object. */
void file_make(unsigned i);

/* Write back what is dirty, drop the object, which nobody else refers to any more. */
void file_unmake(unsigned i);

/* The word of the disk (at rest). */
uint64_t file_disk_word(unsigned i, unsigned index, unsigned offset);

/* Stop the disk's fiber, after all transfers. */
void file_end(void);

/* The file system's lock over read, write and truncate of the file: may be held over a sleep. */
void file_inode_lock(struct sim_file *file);
void file_inode_unlock(struct sim_file *file);

/* What a file system does after it has cut the file: pages from `first` to `last` read as zeros. */
void file_free_blocks(struct sim_file *file, mvm_pgoff_t first, mvm_pgoff_t last);

/* The file that owns the object. */
struct sim_file *file_of(struct mvm_object *obj);
