// SPDX-License-Identifier: MIT
/*
 * Inside a pipe: for pipe.c and for what gives a pipe a name.
 */
#pragma once

#include <fs/file.h>
#include <kernel/thread.h>

#define PIPE_PAGES 16 /* as it is made: 64 KiB */

/* All under lock but who made it when. */
struct pipe {
	struct spinlock lock; /* RANK_PIPE */
	struct waitq readable, writable;
	uint64_t head, tail;                 /* bytes taken out and put in */
	unsigned readers, writers;           /* open files with FILE_READABLE, with FILE_WRITABLE */
	uint32_t reader_opens, writer_opens; /* how many ends there ever were, modulo 2^32 */
	unsigned n_slots;                    /* of the ring, a power of two */
	unsigned n_pages;
	char **page; /* [n_slots] NULL: there is none yet */
	char *first[PIPE_PAGES];
	struct vnode *vnode;   /* whose vnode.fifo it is, or NULL; not counted, and set once */
	struct dentry *dentry; /* counted: of a pipe that got an entry later; NULL: it has none */
	uint64_t ino;
	uint32_t uid, gid;
	int64_t made_ns;
};

/*
 * A pipe that is somebody's vnode.fifo gets and loses ends with that vnode's lock held, outside of
 * its own: so it is the vnode's exactly as long as it has an end.
 */

/*
 * The operations of every open end (file.private_data is the pipe).  Its release takes the end away
 * and frees the pipe with the last one.
 */
extern const struct file_ops pipe_ops;

/* Without ends; NULL: no memory. */
struct pipe *pipe_alloc(void);
/* For one that never had an end. */
void pipe_free(struct pipe *p);
