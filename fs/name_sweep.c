// SPDX-License-Identifier: MIT
/*
 * The end of names: a clock over all entries takes those that nobody uses and nobody walked over since
 * it last came by.
 */
#include "name.h"

#define BATCH 32 /* entries in one hold of the tree lock */

/* From unused to unhashed, in one step; false: somebody has it. */
static bool take_idle(struct dentry *d)
{
	uint32_t refs = 0;
	struct bucket *b;
	bool idle;

	if (fs_read(d->refs))
		return false;
	b = bucket_of(d->parent, d->hash);
	fsh_spin_lock_nested(&b->lock);
	idle = __atomic_compare_exchange_n(
		&d->refs, &refs, UNHASHED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	if (idle)
		bucket_remove(b, d);
	fsh_spin_unlock(&b->lock);
	return idle;
}

/* Somebody has the file but not this name: it is mapped, or dirty, and keeps its name longer. */
static bool used_elsewhere(const struct vnode *v)
{
	return fs_read(v->refs) > 1u + vnode_is_pinned(v);
}

static bool may_go(const struct dentry *d, const struct mount *mount)
{
	if (mount)
		return d->mount == mount;
	return !fs_read(d->refs) && !fs_read(d->used) && !(d->vnode && used_elsewhere(d->vnode));
}

/*
 * Look at up to *scan entries, oldest first, and take out up to BATCH of those that may go (all
 * unused ones of `mount`, or of any those not used lately).  The rest goes to the young end.
 */
static unsigned take_batch(const struct mount *mount, size_t *scan, struct dentry **batch)
{
	unsigned n = 0;

	fsh_spin_lock(&names.tree_lock);
	for (unsigned i = 0; i < BATCH && *scan && names.first; i++, (*scan)--) {
		struct dentry *d = names.first;

		if (may_go(d, mount) && take_idle(d)) {
			dentry_leave(d);
			batch[n++] = d;
			continue;
		}
		fs_write(d->used, false);
		all_remove(d);
		all_append(d);
	}
	fsh_spin_unlock(&names.tree_lock);
	return n;
}

/* Returns how many went. */
static size_t sweep(const struct mount *mount, size_t scan, size_t want)
{
	struct dentry *batch[BATCH];
	size_t freed = 0;

	while (scan && freed < want) {
		unsigned n = take_batch(mount, &scan, batch);

		for (unsigned i = 0; i < n; i++) {
			struct dentry *parent = batch[i]->parent;

			dentry_free(batch[i]);
			dentry_unref(parent);
		}
		freed += n;
	}
	return freed;
}

size_t dentry_count(void)
{
	return fs_read(names.n);
}

void dentry_shrink(size_t keep)
{
	size_t n = dentry_count();

	/* Twice round: the first pass takes the marks of use away. */
	if (n > keep)
		sweep(NULL, 2 * n, n - keep);
}

void dentry_trim(void)
{
	if (dentry_count() > names.max)
		dentry_shrink(names.max - names.max / 8);
}

bool dentry_mount_prune(struct mount *mount, uint32_t root_refs)
{
	/* Directories become unused as their entries go, one level a pass. */
	while (sweep(mount, dentry_count(), SIZE_MAX))
		continue;
	return fs_read(mount->root->refs) == (root_refs | UNHASHED);
}

/* --- Proving --------------------------------------------------------------------------------- */

/* Tree lock held. */
static void check_entry(struct dentry *d)
{
	struct fs_name name = {d->name, d->name_bytes, d->hash};
	uint32_t refs = fs_read(d->refs), children = 0;
	struct bucket *b = bucket_of(d->parent, d->hash);

	for (struct dentry *child = d->children; child; child = child->sibling_next, children++)
		fsh_assert(child->parent == d && *child->sibling_prev == child);
	fsh_assert((refs & ~UNHASHED) >= children);
	fsh_assert(d->hash == fs_name_hash(d->name, d->name_bytes));
	fsh_assert(d->parent->mount == d->mount);
	fsh_assert(*d->all_prev == d);
	if (d->vnode)
		fsh_assert(d->vnode->refs && d->vnode->mount == d->mount);
	if (children)
		fsh_assert(d->vnode && vnode_is(d->vnode, FS_IFDIR));
	fsh_spin_lock_nested(&b->lock);
	fsh_assert((refs & UNHASHED) || bucket_find(b, d->parent, &name) == d);
	fsh_spin_unlock(&b->lock);
}

void dentry_cache_check(void)
{
	size_t n = 0;

	fsh_spin_lock(&names.tree_lock);
	for (struct dentry *d = names.first; d; d = d->all_next, n++)
		check_entry(d);
	fsh_assert(n == names.n);
	fsh_spin_unlock(&names.tree_lock);
}
