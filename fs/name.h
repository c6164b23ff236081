// SPDX-License-Identifier: MIT
/*
 * Inside the name cache: what its files share (name.c has the theory).
 */
#pragma once

#include "private.h"

#define UNHASHED  DENTRY_UNHASHED
#define LISTED    DENTRY_LISTED
#define N_BUCKETS 1024

struct bucket {
	struct fsh_spin lock;
	struct fs_table entries; /* one chain, until there are many */
};

struct name_cache {
	struct bucket buckets[N_BUCKETS];
	struct fsh_spin tree_lock;
	struct dentry *roots;         /* [tree_lock] of all mounts: the tops of all trees */
	struct dentry *first, **last; /* [tree_lock] those LISTED, oldest first */
	size_t n, n_idle;             /* [tree_lock] all entries; those LISTED */
	size_t max_idle;              /* [I] */
	uint64_t directories;         /* [a] changes: which there are, where, who may search them */
	uint64_t looks;               /* [tree_lock] of the sweep at those LISTED */
};

extern struct name_cache names;

static inline uint32_t count_in(uint32_t refs)
{
	return refs & ~(UNHASHED | LISTED);
}

/* --- Names ----------------------------------------------------------------------------------- */

#define HEAD_BYTES sizeof(uint64_t)

static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

static inline bool scan_goes_on(const char *p, const char *end)
{
	if (end)
		return p != end;
	return __builtin_expect(*p != '\0', 1) && __builtin_expect(*p != '/', 1);
}

/* The next eight bytes of a name, or what is left of it. */
static inline uint64_t scan_word(const char **at, const char *end)
{
	const char *p = *at, *word_end = p + HEAD_BYTES;
	uint64_t word = 0;

	do {
		if (!scan_goes_on(p, end))
			break;
		word = word << 8 | (unsigned char)*p;
	} while (++p != word_end);
	*at = p;
	return word;
}

/*
 * The name from `text` to `end`, or, with NULL, to a slash or NUL; returns where that is.  Hashed
 * eight bytes at a time.
 */
static inline const char *name_scan(const char *text, const char *end, struct fs_name *name)
{
	const char *p = text;
	uint64_t hash;

	name->text = text;
	name->head = scan_word(&p, end);
	hash = hash_step(0, name->head);
	while (scan_goes_on(p, end))
		hash = hash_step(hash, scan_word(&p, end));
	name->bytes = (uint32_t)(p - text);
	name->hash = (uint32_t)hash;
	return p;
}

/* In the whole cache an entry is hashed by its name and its parent. */
static inline uint32_t place_hash(const struct dentry *parent, uint32_t name_hash)
{
	return name_hash ^ (uint32_t)((uintptr_t)parent >> 6);
}

static inline struct fs_name name_of_entry(const struct dentry *d)
{
	uint32_t name_hash = place_hash(d->parent, d->link.hash); /* its own inverse */

	return (struct fs_name){d->name, d->name_bytes, name_hash, d->name_head};
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

/* As dentry_lookup(), of what is not remembered: the file system is asked. */
int dentry_lookup_slowly(struct dentry *dir, const struct fs_name *name, struct dentry **out);

/* No reference is left, nobody finds it, it has left.  Its parent is the caller's.  No lock. */
void dentry_free(struct dentry *d);

/* dentry_trim(), where it is seen at once that there is nothing to do. */
static inline void dentry_trim_if_many(void)
{
	if (fs_read(names.n_idle) > names.max_idle)
		dentry_trim();
}

/* --- What recent walks rely on (path.c) ------------------------------------------------------- */

static inline void directories_changed(void)
{
	__atomic_fetch_add(&names.directories, 1, __ATOMIC_RELEASE);
}

/* d is found no more, and may be freed from now on. */
static inline void directory_gone(const struct dentry *d)
{
	if (d->vnode && vnode_is(d->vnode, FS_IFDIR))
		directories_changed();
}

/* --- The table; bucket lock held ------------------------------------------------------------- */

/* Written so that the compiler works out the address once. */
static inline struct bucket *bucket_at(uint32_t place)
{
	return (struct bucket *)((char *)names.buckets + place % N_BUCKETS * sizeof(struct bucket));
}

static inline struct bucket *bucket_of(const struct dentry *d)
{
	return bucket_at(d->link.hash);
}

static inline struct dentry *entry_of(const struct fs_link *link)
{
	return (struct dentry *)((char *)link - offsetof(struct dentry, link));
}

/* Head and length are the same; names that come to this are nearly always the same. */
static inline bool same_tail(const char *a, const char *b, uint32_t bytes)
{
	for (uint32_t i = HEAD_BYTES; i < bytes; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static inline bool is_named(
	const struct dentry *d, const struct dentry *dir, const struct fs_name *name)
{
	return d->name_head == name->head && d->parent == dir && d->name_bytes == name->bytes &&
	       (name->bytes <= HEAD_BYTES || same_tail(d->name, name->text, name->bytes));
}

static inline struct dentry *chain_find(
	const struct fs_link *chain, const struct dentry *dir, const struct fs_name *name)
{
	for (; chain; chain = chain->next)
		if (is_named(entry_of(chain), dir, name))
			return entry_of(chain);
	return NULL;
}

static inline struct dentry *bucket_find(
	struct bucket *b, const struct dentry *dir, const struct fs_name *name)
{
	return chain_find(*fs_table_chain(&b->entries, place_hash(dir, name->hash)), dir, name);
}

/* Entries came or went: has it as many chains as it needs?  No lock. */
void bucket_refit(struct bucket *b);

static inline void bucket_fit(struct bucket *b)
{
	if (!fs_table_fits(&b->entries))
		bucket_refit(b);
}

/* A store that costs nothing where it changes nothing. */
static inline void mark_used(struct dentry *d)
{
	if (!fs_read(d->used))
		fs_write(d->used, true);
}

/* --- The two that every step of a walk takes -------------------------------------------------- */

/*
 * What a directory remembers under this name, referenced, or NULL.  With `cross` the root of what
 * is mounted there, if something is: marks of mounts change under the bucket's lock, too.
 */
static inline struct dentry *dentry_find(
	const struct dentry *dir, const struct fs_name *name, bool cross)
{
	struct bucket *b = bucket_at(place_hash(dir, name->hash));
	struct dentry *d;

	fsh_spin_lock(&b->lock);
	d = bucket_find(b, dir, name);
	if (d) {
		const struct mount *m = cross ? fs_read(d->covered_by) : NULL;

		mark_used(d);
		d = dentry_ref(m ? m->root : d);
	}
	fsh_spin_unlock(&b->lock);
	return d;
}

/* Drop a reference after which nothing is to be done: others are left, or it is listed already. */
static inline bool dentry_unref_fast(struct dentry *d)
{
	uint32_t refs = fs_read(d->refs);

	while (count_in(refs) > 1 || refs == (1 | LISTED))
		if (__atomic_compare_exchange_n(
			    &d->refs, &refs, refs - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	return false;
}
