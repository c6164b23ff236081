// SPDX-License-Identifier: MIT
/*
 * Inside the name cache: what its files share (name.c has the theory).
 */
#pragma once

#include "private.h"

#define UNHASHED  DENTRY_UNHASHED
#define LISTED    DENTRY_LISTED
#define N_BUCKETS 4096 /* a quarter of the names that the kernel keeps unused */

struct bucket {
	struct fsh_spin lock;
	struct dentry *first;
};

struct name_cache {
	struct bucket buckets[N_BUCKETS];
	struct fsh_spin tree_lock;
	struct dentry *roots;         /* [tree_lock] of all mounts: the tops of all trees */
	struct dentry *first, **last; /* [tree_lock] those LISTED, oldest first */
	size_t n, n_idle;             /* [tree_lock] all entries; those LISTED */
	size_t max_idle;              /* [I] */
	uint64_t looks;               /* [tree_lock] of the sweep at those LISTED */
};

extern struct name_cache names;

static inline uint32_t count_in(uint32_t refs)
{
	return refs & ~(UNHASHED | LISTED);
}

/* --- The list of those that may go; tree lock held ------------------------------------------- */

static inline void idle_append(struct dentry *d)
{
	d->idle_next = NULL;
	d->idle_prev = names.last;
	*names.last = d;
	names.last = &d->idle_next;
	fs_write(names.n_idle, names.n_idle + 1);
}

static inline void idle_remove(struct dentry *d)
{
	*d->idle_prev = d->idle_next;
	if (d->idle_next)
		d->idle_next->idle_prev = d->idle_prev;
	else
		names.last = d->idle_prev;
	fs_write(names.n_idle, names.n_idle - 1);
}

/* Out of all lists; tree lock held. */
void dentry_leave(struct dentry *d);

/* No reference is left, nobody finds it, it has left.  Its parent is the caller's.  No lock. */
void dentry_free(struct dentry *d);

/* --- The table; bucket lock held ------------------------------------------------------------- */

static inline struct bucket *bucket_of(const struct dentry *parent, uint32_t hash)
{
	uint32_t where = (uint32_t)((uintptr_t)parent >> 6);

	return &names.buckets[(hash ^ (hash >> 10) ^ where) % N_BUCKETS];
}

/* Names are short, and those that are compared are nearly always the same. */
static inline bool same_text(const char *a, const char *b, uint32_t bytes)
{
	for (const char *end = a + bytes; a != end; a++, b++)
		if (*a != *b)
			return false;
	return true;
}

static inline struct dentry *bucket_find(
	struct bucket *b, const struct dentry *dir, const struct fs_name *name)
{
	struct dentry *d = b->first;

	while (d && !(d->hash == name->hash && d->parent == dir && d->name_bytes == name->bytes &&
			    same_text(d->name, name->text, name->bytes)))
		d = d->hash_next;
	return d;
}

static inline void bucket_remove(struct bucket *b, struct dentry *d)
{
	struct dentry **link = &b->first;

	while (*link != d)
		link = &(*link)->hash_next;
	*link = d->hash_next;
}
