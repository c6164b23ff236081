// SPDX-License-Identifier: MIT
/*
 * Inside a pipe: for pipe.c and for what gives a pipe a name.
 */
#pragma once

#include <fs/file.h>
#include <kernel/thread.h>

#define PIPE_PAGES 16 /* as it is made: 64 KiB */

/* All under lock but `ino` and `made_ns`. */
struct pipe {
	struct spinlock lock; /* RANK_PIPE */
	struct waitq readable, writable;
	uint64_t head, tail;       /* bytes taken out and put in */
	unsigned readers, writers; /* open files with FILE_READABLE, with FILE_WRITABLE */
	unsigned n_slots;          /* of the ring, a power of two */
	unsigned n_pages;
	char **page; /* [n_slots] NULL: there is none yet */
	char *first[PIPE_PAGES];
	uint64_t ino;
	int64_t made_ns;
};

/*
 * The operations of every open end (file.private_data is the pipe).  Its release takes the end away
 * and frees the pipe with the last one.
 */
extern const struct file_ops pipe_ops;

/* Without ends; NULL: no memory. */
struct pipe *pipe_alloc(void);
/* For one that never had an end. */
void pipe_free(struct pipe *p);
