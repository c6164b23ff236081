// SPDX-License-Identifier: MIT
/*
 * The vnode cache: one vnode a file, references, and the end of a vnode (fs/vnode.h has the
 * picture).
 *
 * Counting up is an atomic add by somebody who has a reference.  From zero only vnode_get() counts
 * up, under the cache lock; the last reference is dropped under it, too.  So who finds refs == 0
 * with the lock held may decide: keep the vnode idle, or evict it.
 *
 * Evicting sleeps and must not be seen half done: the vnode stays in the table, marked EVICTING,
 * and whoever looks for its number waits until vnode_fini() has taken it out.  In the same way a
 * number that is being loaded is on a list, and others wait for it.
 */
#include "private.h"
#include <errno.h>
#include <string.h>

enum {
	VNODE_CACHED = 1,   /* in the table and in its mount's list */
	VNODE_EVICTING = 2, /* evict() runs */
	VNODE_IDLE = 4,     /* in the idle list: refs == 0 */
};

/* A number on its way in; lives on the loader's stack. */
struct loading {
	struct mount *mount;
	uint64_t ino;
	struct loading *next;
};

static struct {
	struct fsh_mutex lock;
	struct fsh_cond changed; /* something was loaded or evicted */
	struct fs_table table;
	struct loading *loading;
	struct vnode *idle_first, **idle_last;
	size_t n_idle; /* read without the lock, too */
	size_t max_idle;
	size_t n; /* [a] all vnodes, those outside the table, too */
} cache;

void vnode_cache_init(size_t max_idle)
{
	fsh_mutex_init(&cache.lock, "vnode cache", FSH_RANK_LEAF);
	fsh_cond_init(&cache.changed);
	cache.idle_last = &cache.idle_first;
	cache.max_idle = max_idle;
}

/* --- The table; all under the cache lock --------------------------------------------------- */

static struct vnode *vnode_of_link(const struct fs_link *link)
{
	return (struct vnode *)((char *)link - offsetof(struct vnode, link));
}

static uint32_t hash_of(const struct mount *mount, uint64_t ino)
{
	return (uint32_t)(ino ^ ino >> 32 ^ mount->dev << 24);
}

static struct vnode *cache_find(const struct mount *mount, uint64_t ino)
{
	struct fs_link *link = *fs_table_chain(&cache.table, hash_of(mount, ino));

	for (; link; link = link->next) {
		struct vnode *v = vnode_of_link(link);

		if (v->mount == mount && v->ino == ino)
			return v;
	}
	return NULL;
}

static void cache_insert(struct vnode *v)
{
	v->link.hash = hash_of(v->mount, v->ino);
	fs_table_insert(&cache.table, &v->link);
	fs_table_fit(&cache.table);
	v->mount_prev = &v->mount->vnodes;
	v->mount_next = v->mount->vnodes;
	if (v->mount_next)
		v->mount_next->mount_prev = &v->mount_next;
	v->mount->vnodes = v;
	v->state |= VNODE_CACHED;
}

static void cache_remove(struct vnode *v)
{
	fs_table_remove(&cache.table, &v->link);
	fs_table_fit(&cache.table);
	*v->mount_prev = v->mount_next;
	if (v->mount_next)
		v->mount_next->mount_prev = v->mount_prev;
	v->state &= ~VNODE_CACHED;
}

static void idle_append(struct vnode *v)
{
	v->idle_next = NULL;
	v->idle_prev = cache.idle_last;
	*cache.idle_last = v;
	cache.idle_last = &v->idle_next;
	v->state |= VNODE_IDLE;
	fs_write(cache.n_idle, cache.n_idle + 1);
}

static void idle_remove(struct vnode *v)
{
	*v->idle_prev = v->idle_next;
	if (v->idle_next)
		v->idle_next->idle_prev = v->idle_prev;
	else
		cache.idle_last = v->idle_prev;
	v->state &= ~VNODE_IDLE;
	fs_write(cache.n_idle, cache.n_idle - 1);
}

/* A reference on a vnode that was found in the table and is not being evicted. */
static void ref_found(struct vnode *v)
{
	if (v->state & VNODE_IDLE)
		idle_remove(v);
	vnode_ref(v);
}

/* --- Life ----------------------------------------------------------------------------------- */

void vnode_init(struct vnode *v, struct mount *mount, const struct vnode_ops *ops, uint64_t ino,
	uint32_t mode)
{
	v->ops = ops;
	v->mount = mount;
	v->ino = ino;
	v->mode = mode;
	v->refs = 1;
	v->nlink = 1;
	fsh_mutex_init(&v->lock, "inode", FSH_RANK_INODE);
	__atomic_fetch_add(&cache.n, 1, __ATOMIC_RELAXED);
}

void vnode_fini(struct vnode *v)
{
	fsh_assert(v->refs == 0 && v->alias == NULL && v->locks == NULL);
	fsh_mutex_destroy(&v->lock);
	__atomic_fetch_sub(&cache.n, 1, __ATOMIC_RELAXED);
	if (v->state & VNODE_CACHED) {
		fsh_mutex_lock(&cache.lock);
		cache_remove(v);
		fsh_cond_broadcast(&cache.changed);
		fsh_mutex_unlock(&cache.lock);
	}
}

void vnode_pin(struct vnode *v)
{
	__atomic_store_n(&v->pinned, 1, __ATOMIC_RELAXED);
	vnode_ref(v);
}

bool vnode_is_pinned(const struct vnode *v)
{
	return fs_read(v->pinned);
}

int vnode_init_object(struct vnode *v, const struct mvm_pager_ops *ops, uint64_t size_bytes)
{
	int err = mvm_object_new(ops, v, size_bytes, &v->object);

	if (err)
		return err;
	/* The object comes with a reference, which counts as its user's: give both back. */
	vnode_ref(v);
	mvm_object_unref(v->object);
	return 0;
}

void vnode_object_release(struct mvm_object *object)
{
	vnode_unref(mvm_object_owner(object));
}

struct mvm_object *vnode_object(struct vnode *v)
{
	if (v->object && mvm_object_ref(v->object))
		vnode_ref(v);
	return v->object;
}

struct vnode *vnode_of_object(struct mvm_object *object)
{
	return mvm_object_owner(object);
}

static void evict(struct vnode *v)
{
	if (v->object) {
		mvm_object_destroy(v->object);
		v->object = NULL;
	}
	v->ops->evict(v);
}

/* The oldest idle vnodes are marked to be evicted until `keep` are left; at most one a call, so
 * that no lock is held over the evicting. */
static struct vnode *take_idle(size_t keep)
{
	struct vnode *v = NULL;

	fsh_mutex_lock(&cache.lock);
	if (cache.n_idle > keep) {
		v = cache.idle_first;
		idle_remove(v);
		v->state |= VNODE_EVICTING;
	}
	fsh_mutex_unlock(&cache.lock);
	return v;
}

size_t vnode_shrink(size_t keep)
{
	size_t n = 0;
	struct vnode *v;

	while ((v = take_idle(keep))) {
		evict(v);
		n++;
	}
	return n;
}

/* Drop a reference unless it is the last. */
static bool unref_fast(struct vnode *v)
{
	uint32_t refs = fs_read(v->refs);

	while (refs > 1)
		if (__atomic_compare_exchange_n(
			    &v->refs, &refs, refs - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	return false;
}

void vnode_unref(struct vnode *v)
{
	bool end = false;

	if (unref_fast(v))
		return;
	fsh_mutex_lock(&cache.lock);
	if (__atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		end = !(v->state & VNODE_CACHED) || fs_read(v->nlink) == 0;
		if (end)
			v->state |= VNODE_EVICTING;
		else
			idle_append(v);
	}
	fsh_mutex_unlock(&cache.lock);
	if (end)
		evict(v);
	else if (fs_read(cache.n_idle) > cache.max_idle)
		vnode_shrink(cache.max_idle);
}

/* --- Finding -------------------------------------------------------------------------------- */

static struct loading *loading_find(const struct mount *mount, uint64_t ino)
{
	struct loading *l = cache.loading;

	while (l && !(l->mount == mount && l->ino == ino))
		l = l->next;
	return l;
}

/* The vnode, referenced; or NULL, and the caller has to load it. */
static struct vnode *find_or_begin(struct loading *self)
{
	struct vnode *v;

	for (;;) {
		v = cache_find(self->mount, self->ino);
		if (v ? !(v->state & VNODE_EVICTING) : !loading_find(self->mount, self->ino))
			break;
		fsh_cond_wait(&cache.changed, &cache.lock);
	}
	if (v) {
		ref_found(v);
		return v;
	}
	self->next = cache.loading;
	cache.loading = self;
	return NULL;
}

static void loading_end(struct loading *self, struct vnode *v)
{
	struct loading **link = &cache.loading;

	while (*link != self)
		link = &(*link)->next;
	*link = self->next;
	if (v)
		cache_insert(v);
	fsh_cond_broadcast(&cache.changed);
}

int vnode_get(struct mount *mount, uint64_t ino,
	int (*load)(struct mount *mount, uint64_t ino, struct vnode **out), struct vnode **out)
{
	struct loading self = {.mount = mount, .ino = ino};
	int err;

	fsh_mutex_lock(&cache.lock);
	*out = find_or_begin(&self);
	fsh_mutex_unlock(&cache.lock);
	if (*out)
		return 0;
	err = load(mount, ino, out);
	fsh_mutex_lock(&cache.lock);
	loading_end(&self, err ? NULL : *out);
	fsh_mutex_unlock(&cache.lock);
	return err;
}

void vnode_cache_add(struct vnode *v)
{
	fsh_mutex_lock(&cache.lock);
	cache_insert(v);
	fsh_mutex_unlock(&cache.lock);
}

/* --- All vnodes of a mount ------------------------------------------------------------------ */

/* The next one from v on that can be had, referenced. */
static struct vnode *ref_from(struct vnode *v)
{
	while (v && (v->state & VNODE_EVICTING))
		v = v->mount_next;
	if (v)
		ref_found(v);
	return v;
}

int vnode_for_each(struct mount *mount, int (*fn)(struct vnode *v, void *arg), void *arg)
{
	struct vnode *v, *next;
	int err = 0;

	fsh_mutex_lock(&cache.lock);
	v = ref_from(mount->vnodes);
	fsh_mutex_unlock(&cache.lock);
	while (v) {
		err = fn(v, arg);
		fsh_mutex_lock(&cache.lock);
		next = err ? NULL : ref_from(v->mount_next);
		fsh_mutex_unlock(&cache.lock);
		vnode_unref(v);
		v = next;
	}
	return err;
}

bool vnode_mount_busy(struct mount *mount, struct vnode *root, uint32_t own_refs)
{
	bool busy = false;

	fsh_mutex_lock(&cache.lock);
	for (struct vnode *v = mount->vnodes; v && !busy; v = v->mount_next) {
		uint32_t idle_refs = vnode_is_pinned(v);

		if (v == root)
			idle_refs += own_refs;
		busy = v->refs > idle_refs || (v->state & VNODE_EVICTING);
	}
	fsh_mutex_unlock(&cache.lock);
	return busy;
}

static int drop_pin(struct vnode *v, void *arg)
{
	(void)arg;
	if (__atomic_exchange_n(&v->pinned, 0, __ATOMIC_RELAXED))
		vnode_unref(v);
	return 0;
}

void vnode_mount_evict(struct mount *mount)
{
	struct vnode *v;

	vnode_for_each(mount, drop_pin, NULL);
	for (;;) {
		fsh_mutex_lock(&cache.lock);
		v = mount->vnodes;
		if (v) {
			fsh_assert(v->refs == 0);
			idle_remove(v);
			v->state |= VNODE_EVICTING;
		}
		fsh_mutex_unlock(&cache.lock);
		if (!v)
			return;
		evict(v);
	}
}

/* --- Proving -------------------------------------------------------------------------------- */

size_t vnode_count(size_t *idle)
{
	*idle = fs_read(cache.n_idle);
	return fs_read(cache.n);
}

static void check_cached(const struct vnode *v)
{
	bool idle = v->state & VNODE_IDLE;

	fsh_assert(v->state & VNODE_CACHED);
	fsh_assert((v->refs == 0) == (idle || (v->state & VNODE_EVICTING)));
	fsh_assert(!idle || v->nlink);
	fsh_assert(!v->pinned || (v->refs && v->nlink));
	fsh_assert(!v->alias || v->refs);
	fsh_assert(cache_find(v->mount, v->ino) == v);
	fsh_assert(*v->mount_prev == v && (!idle || *v->idle_prev == v));
}

void vnode_cache_check(void)
{
	size_t idle = 0;

	fsh_mutex_lock(&cache.lock);
	fs_table_check(&cache.table);
	for (struct fs_link *link = NULL; (link = fs_table_next(&cache.table, link));)
		check_cached(vnode_of_link(link));
	for (struct vnode *v = cache.idle_first; v; v = v->idle_next)
		idle++;
	fsh_assert(idle == cache.n_idle);
	fsh_mutex_unlock(&cache.lock);
}

/* --- Attributes ----------------------------------------------------------------------------- */

void vnode_set_nlink(struct vnode *v, uint32_t nlink)
{
	fsh_assert(fsh_mutex_held(&v->lock));
	fs_write(v->nlink, nlink);
	if (nlink)
		return;
	if (v->object)
		mvm_object_doom(v->object);
	/* The caller has a reference of its own: this is not the last. */
	drop_pin(v, NULL);
}

void vnode_report_error(struct vnode *v, int error)
{
	__atomic_store_n(&v->error, error, __ATOMIC_RELAXED);
	__atomic_fetch_add(&v->error_count, 1, __ATOMIC_RELEASE);
}

void vnode_touch(struct vnode *v)
{
	fs_time_t now = fs_time_now();

	fs_write(v->mtime, now);
	fs_write(v->ctime, now);
}

void vnode_apply_attr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	if (mask & FS_SET_MODE) {
		fs_write(v->mode, (v->mode & FS_IFMT) | (attr->mode & FS_PERM));
		if (vnode_is(v, FS_IFDIR))
			dentry_search_changed();
	}
	if (mask & FS_SET_UID)
		fs_write(v->uid, attr->uid);
	if (mask & FS_SET_GID)
		fs_write(v->gid, attr->gid);
	if (mask & FS_SET_ATIME)
		fs_write(v->atime, attr->atime);
	if (mask & FS_SET_MTIME)
		fs_write(v->mtime, attr->mtime);
	fs_write(v->ctime, fs_time_now());
}

uint64_t vnode_size(struct vnode *v)
{
	return v->object ? mvm_object_size(v->object) : fs_read(v->size_bytes);
}

int vnode_getattr(struct vnode *v, struct fs_attr *attr)
{
	*attr = (struct fs_attr){
		.dev = v->mount->dev,
		.ino = v->ino,
		.rdev = v->rdev,
		.mode = fs_read(v->mode),
		.nlink = fs_read(v->nlink),
		.uid = fs_read(v->uid),
		.gid = fs_read(v->gid),
		.size_bytes = vnode_size(v),
		.blocks = fs_read(v->blocks),
		.block_bytes = 4096,
		.atime = fs_read(v->atime),
		.mtime = fs_read(v->mtime),
		.ctime = fs_read(v->ctime),
		.btime = v->btime,
	};
	return v->ops->getattr ? v->ops->getattr(v, attr) : 0;
}

/* One more in the direction of step, which is 1 or -1. */
static int writers_count(struct vnode *v, int32_t step)
{
	int32_t n = fs_read(v->writers);

	do {
		if (n * step < 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(
		&v->writers, &n, n + step, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

int vnode_writer_begin(struct vnode *v)
{
	return writers_count(v, 1);
}

void vnode_writer_end(struct vnode *v)
{
	__atomic_fetch_sub(&v->writers, 1, __ATOMIC_RELAXED);
}

int vnode_program_begin(struct vnode *v)
{
	return writers_count(v, -1);
}

void vnode_program_end(struct vnode *v)
{
	__atomic_fetch_add(&v->writers, 1, __ATOMIC_RELAXED);
}

/* The caller's limit is for files that grow. */
static int check_size(struct vnode *v, uint64_t size_bytes)
{
	if (size_bytes > v->mount->max_file_bytes)
		return -EFBIG;
	return size_bytes > fsh_file_size_limit() && size_bytes > vnode_size(v) ? -EFBIG : 0;
}

static int check_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	if ((mask & FS_SET_SIZE) && !vnode_is(v, FS_IFREG))
		return vnode_is(v, FS_IFDIR) ? -EISDIR : -EINVAL;
	if (mount_readonly(v->mount))
		return -EROFS;
	return mask & FS_SET_SIZE ? check_size(v, attr->size_bytes) : 0;
}

/*
 * Resolve what is left to the vfs: the present, and the set-id bits.  True:
 * something is to be set.
 */
static bool complete_setattr(const struct vnode *v, struct fs_attr *attr, unsigned *mask)
{
	fs_time_t now = fs_time_now();
	uint32_t mode = rights_without_setid(v->mode);
	bool only_setid = *mask == FS_DROP_SETID;

	if (*mask & FS_SET_ATIME_NOW) {
		attr->atime = now;
		*mask |= FS_SET_ATIME;
	}
	if (*mask & FS_SET_MTIME_NOW) {
		attr->mtime = now;
		*mask |= FS_SET_MTIME;
	}
	if ((*mask & FS_DROP_SETID) && !vnode_is(v, FS_IFDIR) && mode != v->mode) {
		attr->mode = mode;
		*mask |= FS_SET_MODE;
		only_setid = false;
	}
	*mask &= ~(FS_SET_ATIME_NOW | FS_SET_MTIME_NOW | FS_DROP_SETID);
	return !only_setid;
}

int vnode_setattr_locked(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	struct fs_attr complete = *attr;
	int err = 0;

	fsh_assert(fsh_mutex_held(&v->lock));
	if (!complete_setattr(v, &complete, &mask))
		return 0;
	if (mask & FS_SET_SIZE)
		err = seals_allow_size(v, complete.size_bytes);
	if (err)
		return err;
	return v->ops->setattr ? v->ops->setattr(v, &complete, mask) : -EPERM;
}

int vnode_setattr(
	struct vnode *v, const struct fs_cred *cred, const struct fs_attr *attr, unsigned mask)
{
	struct fs_attr allowed = *attr;
	bool writes = cred && (mask & FS_SET_SIZE); /* an open file counts already */
	int err = check_setattr(v, attr, mask);

	if (err)
		return err;
	fsh_mutex_lock(&v->lock);
	if (cred)
		err = rights_setattr(v, cred, &allowed, &mask);
	if (!err && writes)
		err = vnode_writer_begin(v);
	if (!err) {
		err = vnode_setattr_locked(v, &allowed, mask);
		if (writes)
			vnode_writer_end(v);
	}
	fsh_mutex_unlock(&v->lock);
	return err;
}

int vnode_sync(struct vnode *v, bool data_only)
{
	struct mvm_object *object = vnode_object(v);
	int err = 0;

	if (object) {
		err = mvm_pc_flush(object, 0, UINT64_MAX, MVM_PC_WAIT);
		mvm_object_unref(object);
	}
	if (!err && v->ops->fsync)
		err = v->ops->fsync(v, data_only);
	return err;
}
