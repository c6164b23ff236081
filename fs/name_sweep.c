// SPDX-License-Identifier: MIT
/*
 * The end of names: a sweep along the list of those that may go (name.c has the theory), to keep to
 * the limit, to give memory back, and to unmount.
 */
#include "name.h"

#define BATCH 32 /* entries in one hold of the tree lock */

/* What a sweep is for. */
struct sweep {
	const struct mount *mount; /* all unused names of this one; NULL: of any */
	bool whole;   /* those walked over lately, too, and directories with their last name */
	size_t looks; /* so many are still to be looked at */
};

/*
 * From unused, but for `held` references of the caller, to unhashed in one
 * step.  Tree lock held.
 */
static bool take(struct dentry *d, uint32_t held)
{
	uint32_t refs = fs_read(d->refs);
	struct bucket *b;
	bool taken;

	if (count_in(refs) != held || (refs & UNHASHED))
		return false;
	b = bucket_of(d);
	fsh_spin_lock_nested(&b->lock);
	taken = __atomic_compare_exchange_n(&d->refs, &refs, (refs & LISTED) | UNHASHED, false,
		__ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	if (taken) {
		fs_table_remove(&b->entries, &d->link);
		directory_gone(d);
	}
	fsh_spin_unlock(&b->lock);
	if (taken)
		dentry_leave(d);
	return taken;
}

/* Somebody has the file, but no name of it: it is mapped, or dirty, and keeps its names longer. */
static bool used_elsewhere(const struct vnode *v)
{
	return fs_read(v->refs) > fs_read(v->names) + vnode_is_pinned(v);
}

static bool may_go(const struct dentry *d, const struct sweep *s)
{
	if (s->mount)
		return d->mount == s->mount;
	return (s->whole || !fs_read(d->used)) && !(d->vnode && used_elsewhere(d->vnode));
}

/* What somebody has is listed again when he lets go.  Tree lock held. */
static bool unlist_if_used(struct dentry *d)
{
	uint32_t refs = fs_read(d->refs);

	while (count_in(refs)) {
		if (__atomic_compare_exchange_n(&d->refs, &refs, refs & ~LISTED, true,
			    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			idle_remove(d);
			return true;
		}
	}
	return false;
}

/* It stays, as the youngest.  Tree lock held. */
static void keep(struct dentry *d, const struct sweep *s)
{
	if (!s->whole)
		fs_write(d->used, false);
	idle_remove(d);
	idle_append(d);
}

/* Look at the oldest ones and take out those that may go; returns how many. */
static unsigned take_batch(struct sweep *s, struct dentry **batch)
{
	unsigned n = 0;

	fsh_spin_lock(&names.tree_lock);
	for (unsigned i = 0; i < BATCH && s->looks && names.first; i++, s->looks--) {
		struct dentry *d = names.first;

		names.looks++;
		if (unlist_if_used(d))
			continue;
		if (may_go(d, s) && take(d, 0))
			batch[n++] = d;
		else
			keep(d, s);
	}
	fsh_spin_unlock(&names.tree_lock);
	return n;
}

/* The caller's reference is the only one left, and the directory may go along: it is taken out. */
static bool take_directory(struct dentry *d, const struct sweep *s)
{
	bool taken;

	fsh_spin_lock(&names.tree_lock);
	taken = may_go(d, s) && take(d, 1);
	fsh_spin_unlock(&names.tree_lock);
	return taken;
}

/*
 * The end of an entry that was taken out; in a whole sweep also of directories
 * that it was the last in.
 */
static void free_taken(struct dentry *d, const struct sweep *s)
{
	struct dentry *parent = d->parent;

	dentry_free(d);
	while (s->whole && take_directory(parent, s)) {
		d = parent;
		parent = d->parent;
		dentry_free(d);
	}
	dentry_unref(parent);
}

/* Returns how many went of those that were looked at. */
static unsigned sweep_batch(struct sweep *s)
{
	struct dentry *batch[BATCH];
	unsigned n = take_batch(s, batch);

	for (unsigned i = 0; i < n; i++)
		free_taken(batch[i], s);
	return n;
}

size_t dentry_count(uint64_t *looks)
{
	*looks = fs_read(names.looks);
	return fs_read(names.n);
}

void dentry_shrink(size_t keep)
{
	struct sweep s = {.whole = true, .looks = fs_read(names.n_idle)};

	while (s.looks && fs_read(names.n) > keep && fs_read(names.n_idle))
		sweep_batch(&s);
}

void dentry_trim(void)
{
	struct sweep s;

	if (fs_read(names.n_idle) <= names.max_idle)
		return;
	do
		s = (struct sweep){.looks = BATCH};
	while (sweep_batch(&s) && fs_read(names.n_idle) > names.max_idle - names.max_idle / 8);
}

bool dentry_mount_prune(struct mount *mount, uint32_t root_refs)
{
	struct sweep s = {.mount = mount, .whole = true, .looks = fs_read(names.n_idle)};

	while (s.looks && fs_read(names.n_idle))
		sweep_batch(&s);
	return fs_read(mount->root->refs) == (root_refs | UNHASHED);
}

/* --- Proving --------------------------------------------------------------------------------- */

/* Tree lock held. */
static void check_entry(struct dentry *d)
{
	struct fs_name name = name_of_entry(d), again;
	uint32_t refs = fs_read(d->refs), children = 0;
	struct bucket *b = bucket_of(d);

	for (struct dentry *child = d->children; child; child = child->sibling_next, children++)
		fsh_assert(child->parent == d && *child->sibling_prev == child);
	fsh_assert(count_in(refs) >= children);
	fsh_assert(count_in(refs) || (refs & LISTED));
	fsh_assert(!(refs & LISTED) || *d->idle_prev == d);
	name_scan(d->name, d->name + d->name_bytes, &again);
	fsh_assert(name.hash == again.hash && name.head == again.head);
	fsh_assert(d->parent->mount == d->mount);
	if (d->vnode)
		fsh_assert(d->vnode->refs && d->vnode->mount == d->mount);
	if (children)
		fsh_assert(d->vnode && vnode_is(d->vnode, FS_IFDIR));
	fsh_spin_lock_nested(&b->lock);
	fsh_assert((refs & UNHASHED) || bucket_find(b, d->parent, &name) == d);
	fsh_spin_unlock(&b->lock);
}

/* Every entry once, those of one mount together. */
static struct dentry *next_in_tree(struct dentry *d)
{
	if (d->children)
		return d->children;
	while (!d->sibling_next && d->parent != d)
		d = d->parent;
	return d->sibling_next;
}

void dentry_cache_check(void)
{
	size_t n = 0, n_listed = 0, n_idle = 0;

	fsh_spin_lock(&names.tree_lock);
	for (struct dentry *d = names.roots; d; d = next_in_tree(d), n++) {
		check_entry(d);
		n_listed += (fs_read(d->refs) & LISTED) != 0;
	}
	for (struct dentry *d = names.first; d; d = d->idle_next)
		n_idle++;
	fsh_assert(n == names.n);
	fsh_assert(n_listed == n_idle && n_idle == names.n_idle);
	fsh_spin_unlock(&names.tree_lock);
}
