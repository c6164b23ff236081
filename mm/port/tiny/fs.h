// SPDX-License-Identifier: MIT
/*
 * Four files, known by their numbers, on the disk of log.h: a block of inodes, a block of bits
 * for the blocks in use, data.
 */
#pragma once

#include "log.h"
#include "riscv.h"
#include "sleeplock.h"

#define N_INODES       4u
#define N_DIRECT       124u
#define PAGE_BLOCKS    (PAGE_BYTES / BLOCK_BYTES)
#define MAX_FILE_PAGES (N_DIRECT / PAGE_BLOCKS)

struct dinode {
	uint32_t size;            /* bytes */
	uint16_t block[N_DIRECT]; /* 0: a hole */
};

struct inode {
	struct sleeplock lock; /* one reader or writer at a time: ilock() */
	struct dinode d;       /* [fs.lock] */
	struct mvm_object *object;
	uint8_t promised[MAX_FILE_PAGES]; /* [fs.lock] blocks, for pages that will be written */
};

extern struct fs {
	struct spinlock lock;
	unsigned free, promised; /* blocks */
	struct inode inodes[N_INODES];
} fs;

/* Make the file system; its first file has these contents. */
void mkfs(const void *contents, unsigned bytes);

void ilock(struct inode *ip);
void iunlock(struct inode *ip);

/* Whole blocks between a file and the kernel's memory.  What was never written reads as zeros.
 * Writing takes as many operations of the log as it must, and moves the file's end to behind what
 * it wrote, but not past `size`. */
void read_file(struct inode *ip, void *to, uint64_t offset, uint64_t bytes);
void write_file(struct inode *ip, const void *from, uint64_t offset, uint64_t bytes, uint64_t size);

/* Promise the blocks that a page of the file lacks, once; writing takes them from the promise.
 * False: there are not that many.  And give back what is left of a promise. */
bool promise_page(struct inode *ip, uint64_t page);
void break_promise(struct inode *ip, uint64_t page);

/* What a file's object is made with (glue.c). */
extern const struct mvm_pager_ops file_pager;

/* Panics unless the disk says what the memory says. */
void fs_check(void);
