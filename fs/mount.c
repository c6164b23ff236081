// SPDX-License-Identifier: MIT
/*
 * The mount table.
 *
 * Mounting and unmounting hold the table's lock from end to end.  Walks do not: they find the mark
 * of a covered entry with the entry, under the lock of its bucket in the name cache, and take what
 * is mounted there in the same hold.  Where mounts are on mounts, and on the way up, they cross
 * under a spin lock that guards nothing but the marks; a mark changes under both locks.
 *
 * Read-only.  Who opens a file for writing counts himself as a writer and then looks at the flag;
 * who makes a mount read-only sets the flag and then looks at the count.  So one of them sees the
 * other.  A change of names that is under way is finished, or refused by the file system when it
 * comes later than remount(); a mapping that was writable gets SIGBUS at its next store, as the
 * sync has protected its pages.  A file system that fails sets the flag by itself, at any moment
 * and for good: each bit is set and cleared alone, and this one not cleared then.  Such a mount can
 * be taken away though it cannot be synced: the names and attributes that it could not write go
 * with it, and the log says so.  Pages that it could not write keep their file in use.
 */
#include "private.h"
#include <errno.h>
#include <string.h>

static struct {
	struct fsh_mutex lock;
	struct fsh_spin cross_lock; /* dentry.covered_by, mount.covered against walks */
	struct fs_type *types;
	struct mount *first;
	uint64_t last_dev;
	unsigned last_id;
} table;

void mount_init(void)
{
	fsh_mutex_init(&table.lock, "mounts", FSH_RANK_MOUNT);
	fsh_spin_init(&table.cross_lock, "mount marks");
}

void fs_register(struct fs_type *type)
{
	type->next = table.types;
	table.types = type;
}

struct fs_type *fs_find(const char *name)
{
	struct fs_type *type = table.types;

	while (type && strcmp(type->name, name))
		type = type->next;
	return type;
}

struct fs_type *fs_next(struct fs_type *prev)
{
	return prev ? prev->next : table.types;
}

/* --- Crossing -------------------------------------------------------------------------------- */

struct dentry *mount_cross_down(struct dentry *d)
{
	while (fs_read(d->covered_by)) {
		struct dentry *covered = d;

		fsh_spin_lock(&table.cross_lock);
		if (d->covered_by)
			d = dentry_ref(d->covered_by->root);
		fsh_spin_unlock(&table.cross_lock);
		if (d == covered)
			break;
		dentry_unref(covered);
	}
	return d;
}

struct dentry *mount_cross_up(struct dentry *root)
{
	struct dentry *covered;

	fsh_spin_lock(&table.cross_lock);
	covered = root->mount->covered;
	if (covered)
		dentry_ref(covered);
	fsh_spin_unlock(&table.cross_lock);
	if (!covered)
		return root; /* detached a moment ago */
	dentry_unref(root);
	return covered;
}

/* `m` covers d from now on, or (NULL) d is bare again. */
static void mark(struct dentry *d, struct mount *m)
{
	fsh_spin_lock(&table.cross_lock);
	dentry_cover(d, m);
	fsh_spin_unlock(&table.cross_lock);
}

/* m is at no place any more.  Whoever prints a path may still be on the way up. */
static void uncover(struct mount *m)
{
	struct dentry *covered = m->covered;

	fsh_spin_lock(&table.cross_lock);
	dentry_cover(covered, NULL);
	__atomic_store_n(&m->covered, NULL, __ATOMIC_RELAXED);
	fsh_spin_unlock(&table.cross_lock);
	__atomic_fetch_or(&m->flags, MOUNT_DETACHED, __ATOMIC_RELAXED);
	dentry_unref(covered);
}

/* --- Sync ------------------------------------------------------------------------------------ */

static int sync_pages(struct vnode *v, void *arg)
{
	int *first_err = arg, err = 0;
	struct mvm_object *object = vnode_object(v);
	struct mvm_object_counts counts;

	if (!object)
		return 0;
	mvm_object_counts(object, &counts);
	if (counts.dirty_pages || counts.writeback_pages)
		err = mvm_pc_flush(object, 0, UINT64_MAX, MVM_PC_WAIT);
	mvm_object_unref(object);
	if (err && !*first_err)
		*first_err = err;
	return 0;
}

void mount_sync_begins(struct mount *m)
{
	__atomic_store_n(&m->changed, 0, __ATOMIC_SEQ_CST);
}

static int sync_changes(struct mount *m)
{
	int err;

	mount_sync_begins(m);
	err = m->ops->sync ? m->ops->sync(m) : 0;
	if (err && !mount_readonly(m))
		mount_changed(m); /* to be tried again */
	return err;
}

int mount_sync(struct mount *m)
{
	int err = 0, sync_err;

	vnode_for_each(m, sync_pages, &err);
	sync_err = sync_changes(m);
	return err ? err : sync_err;
}

void mount_changed(struct mount *m)
{
	if (fs_read(m->changed) || __atomic_exchange_n(&m->changed, 1, __ATOMIC_SEQ_CST))
		return;
	fsh_sync_wanted();
}

/* --- Mounting -------------------------------------------------------------------------------- */

static char *copy_string(const char *s)
{
	char *copy = fsh_alloc(strlen(s) + 1);

	if (copy)
		strcpy(copy, s);
	return copy;
}

static void mount_free(struct mount *m)
{
	fsh_mutex_destroy(&m->rename_lock);
	fsh_free((void *)m->source);
	fsh_free(m);
}

static struct mount *mount_alloc(struct fs_type *type, const char *source, unsigned flags)
{
	struct mount *m = fsh_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->type = type;
	m->flags = flags & MOUNT_ASKED;
	m->dev = ++table.last_dev;
	m->id = ++table.last_id;
	m->max_file_bytes = INT64_MAX;
	m->source = copy_string(source);
	fsh_mutex_init(&m->rename_lock, "rename", FSH_RANK_RENAME);
	if (m->source)
		return m;
	mount_free(m);
	return NULL;
}

/* No vnode is in use: let the file system go. */
static void mount_end(struct mount *m)
{
	vnode_mount_evict(m);
	if (m->ops->unmount)
		m->ops->unmount(m);
	mount_free(m);
}

/* A usable file system, not in the table and at no place yet. */
static int mount_new(const char *type_name, const char *source, const char *shown, unsigned flags,
	const char *options, struct mount **out)
{
	struct fs_type *type = fs_find(type_name);
	struct vnode *root;
	struct mount *m;
	int err;

	if (!type)
		return -ENODEV;
	m = mount_alloc(type, shown, flags);
	if (!m)
		return -ENOMEM;
	err = type->mount(m, source, options, &root);
	if (err) {
		mount_free(m);
		return err;
	}
	err = dentry_new_root(m, root, &m->root);
	if (err)
		mount_end(m);
	*out = m;
	return err;
}

static void table_append(struct mount *m)
{
	struct mount **last = &table.first;

	while (*last)
		last = &(*last)->next;
	*last = m;
}

static void table_remove(struct mount *m)
{
	struct mount **link = &table.first;

	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
}

/* --- Ending ---------------------------------------------------------------------------------- */

/* The first of those that cover something in m; NULL: none does. */
static struct mount *mount_below(const struct mount *m)
{
	struct mount *other = table.first;

	while (other && !(other->covered && other->covered->mount == m))
		other = other->next;
	return other;
}

/* Nothing of it is in use but the root, by the mount and `users` others. */
static bool is_idle(struct mount *m, uint32_t users)
{
	return dentry_mount_prune(m, 1 + users) && !vnode_mount_busy(m, m->root->vnode, 1);
}

/* Out of the tree, then end it; -EBUSY: it is in use and stays. */
static int end_idle(struct mount *m, uint32_t users)
{
	struct dentry *covered = m->covered;

	if (covered)
		mark(covered, NULL);
	if (!is_idle(m, users)) {
		if (covered)
			mark(covered, m);
		return -EBUSY;
	}
	table_remove(m);
	for (uint32_t i = 0; i < 1 + users; i++)
		dentry_unref(m->root);
	mount_end(m);
	dentry_unref(covered);
	return 0;
}

/* 0 also when all is written that ever will be. */
static int last_sync(struct mount *m)
{
	int err = mount_sync(m);

	if (!err || !(fs_read(m->flags) & MOUNT_FAILED))
		return err;
	fsh_log("mount: %s has failed: changes that it could not write are lost", m->source);
	return 0;
}

/* End the detached mounts that nobody uses any more. */
static void end_detached(void)
{
	struct mount *m, *next;

	for (m = table.first; m; m = next) {
		next = m->next;
		if ((m->flags & MOUNT_DETACHED) && is_idle(m, 0) && last_sync(m) == 0)
			(void)end_idle(m, 0);
	}
}

/* --- The calls ------------------------------------------------------------------------------- */

int mount_root(const char *type, const char *source, unsigned flags, struct dentry **out)
{
	struct mount *m;
	int err;

	fsh_mutex_lock(&table.lock);
	err = table.first ? -EBUSY : mount_new(type, source, source, flags, "", &m);
	if (!err) {
		table_append(m);
		*out = dentry_ref(m->root);
	}
	fsh_mutex_unlock(&table.lock);
	return err;
}

int mount_nowhere(const char *type, const char *source, const char *options, struct mount **mount)
{
	int err = 0;

	fsh_mutex_lock(&table.lock);
	if (!*mount)
		err = mount_new(type, source, source, 0, options, mount);
	if (err)
		*mount = NULL;
	fsh_mutex_unlock(&table.lock);
	return err;
}

static int may_cover(const struct dentry *d)
{
	if (!vnode_is(d->vnode, FS_IFDIR))
		return -ENOTDIR;
	if (d->vnode->nlink == 0)
		return -ENOENT;
	/* Walks begin at the top without looking whether it is covered. */
	return d->covered_by || (d == d->mount->root && !d->mount->covered) ? -EBUSY : 0;
}

int mount_on(struct dentry *where, const char *type, const char *source, const char *shown,
	unsigned flags, const char *options)
{
	struct mount *m;
	int err;

	fsh_mutex_lock(&table.lock);
	end_detached();
	err = may_cover(where);
	if (!err)
		err = mount_new(type, source, shown, flags, options, &m);
	if (!err) {
		m->covered = dentry_ref(where);
		table_append(m);
		mark(where, m);
	}
	fsh_mutex_unlock(&table.lock);
	return err;
}

int mount_take(struct dentry *root)
{
	struct mount *m = root->mount;
	int err;

	if (root != m->root)
		return -EINVAL;
	fsh_mutex_lock(&table.lock);
	end_detached();
	err = !m->covered || mount_below(m) ? -EBUSY : last_sync(m);
	if (!err)
		err = end_idle(m, 1);
	fsh_mutex_unlock(&table.lock);
	return err;
}

/* Off its place, and before that what is below it: a walk down to the leaves without recursion. */
static void uncover_tree(struct mount *top)
{
	struct mount *m, *below;

	while (top->covered) {
		for (m = top; (below = mount_below(m));)
			m = below;
		uncover(m);
	}
}

int mount_detach(struct dentry *root)
{
	struct mount *m = root->mount;
	int err = 0;

	if (root != m->root)
		return -EINVAL;
	fsh_mutex_lock(&table.lock);
	if (m->covered)
		uncover_tree(m);
	else
		err = -EBUSY;
	if (!err) {
		dentry_unref(root);
		end_detached();
	}
	fsh_mutex_unlock(&table.lock);
	return err;
}

/* The last one mounted, of those that are still in order. */
static struct mount *last_mount(void)
{
	struct mount *m = table.first;

	while (m && m->next)
		m = m->next;
	return m;
}

int mount_shutdown(void)
{
	struct mount *m;
	int first_err = 0;

	fsh_mutex_lock(&table.lock);
	while ((m = last_mount())) {
		int err = mount_sync(m);

		if (err && !first_err)
			first_err = err;
		if (end_idle(m, 0) == 0)
			continue;
		/* Somebody is still in there: the medium is left clean, the memory stays. */
		__atomic_fetch_or(&m->flags, MOUNT_RDONLY, __ATOMIC_RELAXED);
		table_remove(m);
		if (m->ops->unmount)
			m->ops->unmount(m);
	}
	fsh_mutex_unlock(&table.lock);
	return first_err;
}

/* --- Read-only and back ---------------------------------------------------------------------- */

int mount_writer_begin(struct mount *m)
{
	__atomic_fetch_add(&m->writers, 1, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&m->flags, __ATOMIC_SEQ_CST) & MOUNT_RDONLY))
		return 0;
	mount_writer_end(m);
	return -EROFS;
}

void mount_writer_end(struct mount *m)
{
	__atomic_fetch_sub(&m->writers, 1, __ATOMIC_RELEASE);
}

/* A file without a name is freed when its last user goes. */
static int is_nameless(struct vnode *v, void *arg)
{
	(void)arg;
	return fs_read(v->nlink) == 0 ? -EBUSY : 0;
}

static void set_flags(struct mount *m, unsigned flags)
{
	__atomic_fetch_or(&m->flags, flags, __ATOMIC_SEQ_CST);
}

static void clear_flags(struct mount *m, unsigned flags)
{
	unsigned old = __atomic_fetch_and(&m->flags, ~flags, __ATOMIC_SEQ_CST);

	if (old & MOUNT_FAILED)
		set_flags(m, old & flags & MOUNT_RDONLY);
}

static int become_readonly(struct mount *m)
{
	int err = 0;

	/*
	 * Whoever writes shall not even for a moment meet a mount for reading that
	 * this does not become.
	 */
	if (__atomic_load_n(&m->writers, __ATOMIC_SEQ_CST))
		return -EBUSY;
	set_flags(m, MOUNT_RDONLY);
	if (__atomic_load_n(&m->writers, __ATOMIC_SEQ_CST))
		err = -EBUSY;
	if (!err)
		err = vnode_for_each(m, is_nameless, NULL);
	if (!err)
		err = mount_sync(m);
	if (!err && m->ops->remount)
		err = m->ops->remount(m, false);
	if (err)
		clear_flags(m, MOUNT_RDONLY);
	return err;
}

static int remount(struct mount *m, unsigned flags)
{
	unsigned old = m->flags;
	int err = 0;

	if ((flags & MOUNT_RDONLY) && !(old & MOUNT_RDONLY))
		err = become_readonly(m);
	else if (!(flags & MOUNT_RDONLY) && (old & MOUNT_RDONLY) && m->ops->remount)
		err = m->ops->remount(m, true);
	if (err)
		return err;
	set_flags(m, flags & MOUNT_ASKED & ~old);
	clear_flags(m, old & MOUNT_ASKED & ~flags);
	return 0;
}

int mount_remount(struct dentry *root, unsigned flags)
{
	int err;

	if (root != root->mount->root)
		return -EINVAL;
	fsh_mutex_lock(&table.lock);
	err = remount(root->mount, flags);
	fsh_mutex_unlock(&table.lock);
	return err;
}

/* --- All of them ----------------------------------------------------------------------------- */

int mount_sync_all(void)
{
	int first_err = 0;

	fsh_mutex_lock(&table.lock);
	for (struct mount *m = table.first; m; m = m->next) {
		int err = mount_sync(m);

		if (err && !first_err)
			first_err = err;
	}
	fsh_mutex_unlock(&table.lock);
	return first_err;
}

int mount_sync_changed(void)
{
	int first_err = 0;

	fsh_mutex_lock(&table.lock);
	for (struct mount *m = table.first; m; m = m->next) {
		int err = fs_read(m->changed) ? sync_changes(m) : 0;

		if (err && !first_err)
			first_err = err;
	}
	fsh_mutex_unlock(&table.lock);
	return first_err;
}

bool mount_any_changed(void)
{
	bool any = false;

	fsh_mutex_lock(&table.lock);
	for (struct mount *m = table.first; m; m = m->next)
		any |= fs_read(m->changed) != 0;
	fsh_mutex_unlock(&table.lock);
	return any;
}

void mount_shrink_all(size_t keep)
{
	fsh_mutex_lock(&table.lock);
	for (struct mount *m = table.first; m; m = m->next)
		if (m->ops->shrink)
			m->ops->shrink(m, keep);
	fsh_mutex_unlock(&table.lock);
}

void mount_trim_all(void)
{
	if (!fsh_mutex_trylock(&table.lock))
		return;
	for (struct mount *m = table.first; m; m = m->next)
		if (m->ops->trim)
			m->ops->trim(m);
	fsh_mutex_unlock(&table.lock);
}

int mount_statfs(struct mount *m, struct fs_stat *out)
{
	*out = (struct fs_stat){
		.block_bytes = 4096,
		.dev = m->dev,
		.flags = fs_read(m->flags) & MOUNT_ASKED,
	};
	return m->ops->statfs(m, out);
}

void mount_for_each(void (*fn)(struct mount *mount, void *arg), void *arg)
{
	fsh_mutex_lock(&table.lock);
	end_detached();
	for (struct mount *m = table.first; m; m = m->next)
		if (!(m->flags & MOUNT_DETACHED))
			fn(m, arg);
	fsh_mutex_unlock(&table.lock);
}
