// SPDX-License-Identifier: MIT
/*
 * Inside the name cache: what its files share (name.c has the theory).
 */
#pragma once

#include "private.h"

#define UNHASHED  DENTRY_UNHASHED
#define N_BUCKETS 1024

struct bucket {
	struct fsh_spin lock;
	struct dentry *first;
};

struct name_cache {
	struct bucket buckets[N_BUCKETS];
	struct fsh_spin tree_lock;
	struct dentry *first, **last; /* [tree_lock] all entries, oldest first */
	size_t n;                     /* [tree_lock] */
	size_t max;
};

extern struct name_cache names;

/* --- The list of all; tree lock held --------------------------------------------------------- */

static inline void all_append(struct dentry *d)
{
	d->all_next = NULL;
	d->all_prev = names.last;
	*names.last = d;
	names.last = &d->all_next;
}

static inline void all_remove(struct dentry *d)
{
	*d->all_prev = d->all_next;
	if (d->all_next)
		d->all_next->all_prev = d->all_prev;
	else
		names.last = d->all_prev;
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
