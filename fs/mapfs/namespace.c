// SPDX-License-Identifier: MIT
/*
 * Names: create, link, unlink, rename, and attributes.
 *
 * Each operation gathers first (finds entries, makes room, claims, pins), then changes memory in
 * one transaction, which cannot fail.  The vfs holds the locks of all vnodes concerned and has
 * checked what is legal.
 */
#include "mapfs.h"

#include <string.h>

static void touch(struct vnode *v, bool contents)
{
	fs_time_t now = fs_time_now();

	fs_write(v->ctime, now);
	if (contents)
		fs_write(v->mtime, now);
}

static void count_subdir(struct vnode *dir, int by)
{
	fs_write(dir->nlink, dir->nlink + (uint32_t)by);
}

/* The state of a change that failed before it began: everything gathered goes back. */
static int gather_failed(struct mapfs_txn *txn, struct mapfs_dir_change *change, int err)
{
	mapfs_txn_drop(txn);
	if (change)
		mapfs_dir_cancel(txn->fs, change);
	return err;
}

/*
 * A directory stands in its parent only: with a second name it could be below itself, and who locks
 * the one and then the other would lock it twice.
 */
static int check_parent(struct mapfs_inode *dir, const struct mapfs_inode *inode)
{
	if (!vnode_is(&inode->vnode, FS_IFDIR) || (inode != dir && inode->parent == mapfs_ino(dir)))
		return 0;
	return mapfs_damaged(
		mapfs_of(&dir->vnode), "directory", mapfs_ino(inode), "is not where its name is");
}

static int dir_lookup(struct vnode *v, const struct fs_name *name, struct vnode **out)
{
	struct mapfs_inode *dir = mapfs_inode_of(v), *inode;
	uint32_t ino;
	int err;

	err = mapfs_dir_find(dir, name, &ino);
	if (err)
		return err;
	err = mapfs_inode_get(mapfs_of(v), ino, &inode);
	if (err)
		return err;
	err = check_parent(dir, inode);
	if (err)
		vnode_unref(&inode->vnode);
	else
		*out = &inode->vnode;
	return err;
}

/* --- Create ------------------------------------------------------------------------------ */

/* What creating gathers. */
struct creation {
	struct mapfs_txn txn;
	struct mapfs_dir_change name;
	struct mapfs_run *number; /* the inode's */
	struct mapfs_run *target; /* the block of a long symbolic link */
	struct mapfs_buf *target_buf;
	struct mapfs_inode *inode;
};

/* Directories are spread over the groups; what is in them stays near. */
static uint64_t number_goal(const struct mapfs_inode *dir, uint32_t mode)
{
	struct mapfs *fs = mapfs_of(&dir->vnode);
	uint32_t group = (mapfs_ino(dir) - 1) / fs->sb.inodes_per_group;

	if ((mode & FS_IFMT) == FS_IFDIR)
		group = __atomic_fetch_add(&fs->next_dir_group, 1, __ATOMIC_RELAXED);
	return (uint64_t)(group % fs->sb.n_groups) * fs->sb.inodes_per_group + 1;
}

/* A target that does not fit into the inode gets a block. */
static int gather_long_target(struct creation *c, size_t bytes)
{
	struct mapfs *fs = c->txn.fs;
	int err;

	if (bytes > MAPFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	err = mapfs_reserve_wait(fs, 1);
	if (err)
		return err;
	err = mapfs_claim(fs, MAPFS_BLOCKS, mapfs_inode_goal(c->inode), 1, &c->target);
	if (err) {
		mapfs_unreserve(fs, 1);
		return err;
	}
	mapfs_txn_pin_map(&c->txn, c->target);
	err = mapfs_buf_new(
		fs, c->target->start, MAPFS_KIND_SYMLINK, mapfs_ino(c->inode), &c->target_buf);
	if (!err)
		mapfs_txn_pin(&c->txn, c->target_buf);
	return err;
}

static int gather_target(struct creation *c, const struct vnode_new *what)
{
	size_t bytes = strlen(what->target);

	c->inode->vnode.size_bytes = bytes;
	if (bytes > MAPFS_INLINE_BYTES)
		return gather_long_target(c, bytes);
	c->inode->target = fsh_alloc(bytes + 1);
	if (!c->inode->target)
		return -ENOMEM;
	memcpy(c->inode->target, what->target, bytes);
	return 0;
}

/* A free number; those in quarantine are waited for. */
static int claim_number(struct creation *c, uint64_t goal)
{
	struct mapfs *fs = c->txn.fs;
	int err;

	while ((err = mapfs_claim(fs, MAPFS_INODES, goal, 1, &c->number)) == -ENOSPC &&
		mapfs_quarantined(fs, MAPFS_INODES)) {
		err = mapfs_end_quarantine(fs);
		if (err)
			break;
	}
	return err;
}

static int gather_inode(struct creation *c, struct mapfs_inode *dir, const struct vnode_new *what)
{
	struct mapfs *fs = c->txn.fs;
	int err;

	err = claim_number(c, number_goal(dir, what->mode));
	if (err)
		return err;
	mapfs_txn_pin_map(&c->txn, c->number);
	err = mapfs_inode_alloc(fs, (uint32_t)c->number->start, what->mode, &c->inode);
	if (err)
		return err;
	err = mapfs_inode_pin(&c->txn, c->inode);
	if (!err && vnode_is(&c->inode->vnode, FS_IFLNK))
		err = gather_target(c, what);
	if (!err && vnode_is(&c->inode->vnode, FS_IFREG))
		err = vnode_init_object(&c->inode->vnode, &mapfs_pager_ops, 0);
	return err;
}

static int creation_failed(struct creation *c, int err)
{
	struct mapfs *fs = c->txn.fs;

	(void)gather_failed(&c->txn, &c->name, err);
	if (c->target) {
		mapfs_unclaim(fs, c->target);
		mapfs_unreserve(fs, 1);
	}
	if (c->number)
		mapfs_unclaim(fs, c->number);
	if (c->inode) {
		if (c->inode->vnode.object)
			mvm_object_destroy(c->inode->vnode.object);
		mapfs_inode_free(c->inode);
	}
	return err;
}

static void store_target(struct creation *c, const char *target)
{
	struct mapfs_piece p = {0, 1, c->target->start, false};
	struct mapfs_map_plan no_nodes = {0}; /* the first extent is in the inode */

	memcpy((char *)c->target_buf->data + sizeof(struct mapfs_header), target,
		c->inode->vnode.size_bytes);
	mapfs_txn_dirty(&c->txn, c->target_buf);
	mapfs_extent_insert(&c->txn, c->inode, &p, &no_nodes);
	mapfs_publish(&c->txn, c->target);
}

static void fill_in(struct creation *c, struct mapfs_inode *dir, const struct vnode_new *what)
{
	struct vnode *v = &c->inode->vnode;

	v->uid = what->uid;
	v->gid = what->gid;
	v->rdev = what->rdev;
	v->nlink = 1;
	v->atime = v->mtime = v->ctime = v->btime = fs_time_now();
	c->inode->generation = mapfs_inode_next_generation(&c->txn, c->inode);
	if (vnode_is(v, FS_IFDIR)) {
		v->nlink = 2;
		c->inode->parent = mapfs_ino(dir);
		count_subdir(&dir->vnode, 1);
	}
}

static int dir_create(struct vnode *v, const struct fs_name *name, const struct vnode_new *what,
	struct vnode **out)
{
	struct mapfs_inode *dir = mapfs_inode_of(v);
	struct creation c = {0};
	int err;

	mapfs_txn_init(&c.txn, mapfs_of(v));
	err = mapfs_dir_add_prepare(&c.txn, dir, name, &c.name);
	if (!err)
		err = mapfs_inode_pin(&c.txn, dir);
	if (!err)
		err = gather_inode(&c, dir, what);
	if (!err)
		err = mapfs_txn_begin(&c.txn);
	if (err)
		return creation_failed(&c, err);

	fill_in(&c, dir, what);
	mapfs_publish(&c.txn, c.number);
	if (c.target)
		store_target(&c, what->target);
	mapfs_dir_add(&c.txn, dir, &c.name, name, mapfs_ino(c.inode), what->mode);
	touch(v, true);
	mapfs_inode_store(&c.txn, dir, true);
	mapfs_inode_store(&c.txn, c.inode, true);
	mapfs_txn_end(&c.txn);
	vnode_cache_add(&c.inode->vnode);
	*out = &c.inode->vnode;
	return 0;
}

static int dir_link(struct vnode *dir_vnode, const struct fs_name *name, struct vnode *v)
{
	struct mapfs_inode *dir = mapfs_inode_of(dir_vnode);
	struct mapfs_dir_change change = {0};
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, mapfs_of(v));
	err = mapfs_dir_add_prepare(&txn, dir, name, &change);
	if (!err)
		err = mapfs_inode_pin(&txn, dir);
	if (!err)
		err = mapfs_inode_pin(&txn, mapfs_inode_of(v));
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err)
		return gather_failed(&txn, &change, err);

	mapfs_dir_add(&txn, dir, &change, name, (uint32_t)v->ino, v->mode);
	vnode_set_nlink(v, v->nlink + 1);
	touch(v, false);
	touch(dir_vnode, true);
	mapfs_inode_store(&txn, dir, true);
	mapfs_inode_store(&txn, mapfs_inode_of(v), false);
	mapfs_txn_end(&txn);
	return 0;
}

/* --- Unlink ------------------------------------------------------------------------------ */

/*
 * In a transaction that has pinned it: v loses a name, its last one when it is a directory.
 * Without a name it is an orphan until evict() frees it.
 */
static void lose_name(struct mapfs_txn *txn, struct vnode *v)
{
	uint32_t left = vnode_is(v, FS_IFDIR) ? 0 : v->nlink - 1;

	touch(v, false);
	vnode_set_nlink(v, left);
	if (left == 0)
		mapfs_orphan_add(txn, mapfs_inode_of(v));
	mapfs_inode_store(txn, mapfs_inode_of(v), false);
}

static int dir_unlink(struct vnode *dir_vnode, const struct fs_name *name, struct vnode *v)
{
	struct mapfs_inode *dir = mapfs_inode_of(dir_vnode);
	struct mapfs_dir_change change = {0};
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, mapfs_of(v));
	mapfs_orphan_pin(&txn);
	err = mapfs_dir_remove_prepare(&txn, dir, name, &change);
	if (!err)
		err = mapfs_inode_pin(&txn, dir);
	if (!err)
		err = mapfs_inode_pin(&txn, mapfs_inode_of(v));
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err)
		return gather_failed(&txn, &change, err);

	mapfs_dir_remove(&txn, dir, &change);
	if (vnode_is(v, FS_IFDIR))
		count_subdir(dir_vnode, -1);
	lose_name(&txn, v);
	touch(dir_vnode, true);
	mapfs_inode_store(&txn, dir, true);
	mapfs_txn_end(&txn);
	return 0;
}

static int dir_rmdir(struct vnode *dir, const struct fs_name *name, struct vnode *v)
{
	int err = mapfs_dir_empty(mapfs_inode_of(v));

	return err ? err : dir_unlink(dir, name, v);
}

/* --- Rename ------------------------------------------------------------------------------ */

struct renaming {
	const struct vnode_rename *r;
	struct mapfs_txn txn;
	struct mapfs_dir_change from, to; /* of the old and the new name */
};

static int gather_names(struct renaming *n)
{
	const struct vnode_rename *r = n->r;
	struct mapfs_inode *from = mapfs_inode_of(r->from_dir), *to = mapfs_inode_of(r->to_dir);
	int err;

	if (r->flags & FS_RENAME_EXCHANGE)
		err = mapfs_dir_set_prepare(&n->txn, from, r->from_name, &n->from);
	else
		err = mapfs_dir_remove_prepare(&n->txn, from, r->from_name, &n->from);
	if (err)
		return err;
	if (r->to)
		return mapfs_dir_set_prepare(&n->txn, to, r->to_name, &n->to);
	return mapfs_dir_add_prepare(&n->txn, to, r->to_name, &n->to);
}

static int gather_rename(struct renaming *n)
{
	const struct vnode_rename *r = n->r;
	int err = gather_names(n);

	if (err)
		return err;
	mapfs_orphan_pin(&n->txn);
	err = mapfs_inode_pin(&n->txn, mapfs_inode_of(r->from_dir));
	if (!err)
		err = mapfs_inode_pin(&n->txn, mapfs_inode_of(r->to_dir));
	if (!err)
		err = mapfs_inode_pin(&n->txn, mapfs_inode_of(r->from));
	if (!err && r->to)
		err = mapfs_inode_pin(&n->txn, mapfs_inode_of(r->to));
	return err;
}

/* v moves from one directory to another: its ".." and their link counts go along. */
static void change_parent(struct vnode *v, struct vnode *from_dir, struct vnode *to_dir)
{
	touch(v, false);
	if (!vnode_is(v, FS_IFDIR) || from_dir == to_dir)
		return;
	mapfs_inode_of(v)->parent = (uint32_t)to_dir->ino;
	count_subdir(from_dir, -1);
	count_subdir(to_dir, 1);
}

static void exchange_names(struct renaming *n)
{
	const struct vnode_rename *r = n->r;

	mapfs_dir_set(
		&n->txn, mapfs_inode_of(r->to_dir), &n->to, (uint32_t)r->from->ino, r->from->mode);
	mapfs_dir_set(
		&n->txn, mapfs_inode_of(r->from_dir), &n->from, (uint32_t)r->to->ino, r->to->mode);
	change_parent(r->to, r->to_dir, r->from_dir);
	mapfs_inode_store(&n->txn, mapfs_inode_of(r->to), false);
}

static void replace_name(struct renaming *n)
{
	const struct vnode_rename *r = n->r;

	mapfs_dir_set(
		&n->txn, mapfs_inode_of(r->to_dir), &n->to, (uint32_t)r->from->ino, r->from->mode);
	mapfs_dir_remove(&n->txn, mapfs_inode_of(r->from_dir), &n->from);
	if (vnode_is(r->to, FS_IFDIR))
		count_subdir(r->to_dir, -1);
	lose_name(&n->txn, r->to);
}

static void move_name(struct renaming *n)
{
	const struct vnode_rename *r = n->r;

	mapfs_dir_add(&n->txn, mapfs_inode_of(r->to_dir), &n->to, r->to_name,
		(uint32_t)r->from->ino, r->from->mode);
	mapfs_dir_remove(&n->txn, mapfs_inode_of(r->from_dir), &n->from);
}

static bool must_be_empty(const struct vnode_rename *r)
{
	return r->to && vnode_is(r->to, FS_IFDIR) && !(r->flags & FS_RENAME_EXCHANGE);
}

static int publish_data(struct vnode *v)
{
	return v->object ? mvm_pc_flush(v->object, 0, ~(mvm_pgoff_t)0, MVM_PC_WAIT) : 0;
}

/*
 * A file that takes the name of another has its own data on the way before, so that after a crash
 * the name does not stand for an empty file where a full one was.  Of an exchange both do that.
 */
static int publish_takers(const struct vnode_rename *r)
{
	int err;

	if (!r->to)
		return 0;
	err = publish_data(r->from);
	return !err && r->flags & FS_RENAME_EXCHANGE ? publish_data(r->to) : err;
}

static int dir_rename(const struct vnode_rename *r)
{
	struct renaming n = {.r = r};
	int err;

	err = must_be_empty(r) ? mapfs_dir_empty(mapfs_inode_of(r->to)) : publish_takers(r);
	if (err)
		return err;
	mapfs_txn_init(&n.txn, mapfs_of(r->from));
	err = gather_rename(&n);
	if (!err)
		err = mapfs_txn_begin(&n.txn);
	if (err) {
		(void)gather_failed(&n.txn, &n.to, err);
		return gather_failed(&n.txn, &n.from, err);
	}

	if (r->flags & FS_RENAME_EXCHANGE)
		exchange_names(&n);
	else if (r->to)
		replace_name(&n);
	else
		move_name(&n);
	change_parent(r->from, r->from_dir, r->to_dir);
	touch(r->from_dir, true);
	touch(r->to_dir, true);
	mapfs_inode_store(&n.txn, mapfs_inode_of(r->from), false);
	mapfs_inode_store(&n.txn, mapfs_inode_of(r->from_dir), true);
	mapfs_inode_store(&n.txn, mapfs_inode_of(r->to_dir), true);
	mapfs_txn_end(&n.txn);
	return 0;
}

/* --- Attributes -------------------------------------------------------------------------- */

static int symlink_read(struct vnode *v, char *to, size_t bytes)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);
	struct mapfs_buf *buf;
	size_t n = v->size_bytes < bytes ? v->size_bytes : bytes;
	struct mapfs_piece p;
	int err;

	if (inode->target) {
		memcpy(to, inode->target, n);
		return (int)n;
	}
	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_extent_find(inode, 0, 1, &p);
	fsh_mutex_unlock(&inode->extent_lock);
	if (!err && p.start == 0)
		err = mapfs_damaged(
			mapfs_of(v), "inode", v->ino, "is a symbolic link without a target");
	if (err)
		return err;
	err = mapfs_buf_get(mapfs_of(v), p.start, MAPFS_KIND_SYMLINK, mapfs_ino(inode), &buf);
	if (err)
		return err;
	memcpy(to, (char *)buf->data + sizeof(struct mapfs_header), n);
	mapfs_buf_put(mapfs_of(v), buf);
	return (int)n;
}

int mapfs_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	struct mapfs_txn txn;
	int err = 0;

	if (mask & FS_SET_SIZE)
		err = mapfs_file_resize(mapfs_inode_of(v), attr->size_bytes);
	if (err)
		return err;
	mapfs_txn_init(&txn, mapfs_of(v));
	err = mapfs_inode_pin(&txn, mapfs_inode_of(v));
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err)
		return gather_failed(&txn, NULL, err);
	vnode_apply_attr(v, attr, mask);
	if (mask & FS_SET_SIZE && !(mask & FS_SET_MTIME))
		fs_write(v->mtime, v->ctime);
	mapfs_inode_store(&txn, mapfs_inode_of(v), false);
	mapfs_txn_end(&txn);
	return 0;
}

int mapfs_fsync(struct vnode *v, bool data_only)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);
	struct mapfs *fs = mapfs_of(v);
	int err;

	err = mapfs_cut_retry(inode);
	if (err)
		return err;
	if (fs_read(fs->read_only) || !fs_read(fs->writing))
		return mapfs_commit_error(fs);
	if (data_only)
		return mapfs_commit_through(fs, fs_read(inode->data_sequence));
	err = mapfs_inode_flush(inode);
	return err ? err : mapfs_commit(fs);
}

const struct vnode_ops mapfs_dir_ops = {
	.lookup = dir_lookup,
	.create = dir_create,
	.link = dir_link,
	.unlink = dir_unlink,
	.rmdir = dir_rmdir,
	.rename = dir_rename,
	.readdir = mapfs_readdir,
	.setattr = mapfs_setattr,
	.fsync = mapfs_fsync,
	.evict = mapfs_evict,
};

/* What is promised counts: a program that sees no blocks takes the file for a hole. */
static int file_getattr_blocks(struct vnode *v, struct fs_attr *attr)
{
	struct mapfs_inode *inode = mapfs_inode_of(v);

	/* Promises become blocks under this lock. */
	fsh_mutex_lock(&inode->extent_lock);
	attr->blocks = (inode->n_blocks + mapfs_promised_pages(inode)) * (MAPFS_BLOCK_BYTES / 512);
	fsh_mutex_unlock(&inode->extent_lock);
	return 0;
}

const struct vnode_ops mapfs_file_ops = {
	.getattr = file_getattr_blocks,
	.punch = mapfs_punch,
	.allocate = mapfs_allocate,
	.setattr = mapfs_setattr,
	.fsync = mapfs_fsync,
	.evict = mapfs_evict,
};

const struct vnode_ops mapfs_symlink_ops = {
	.readlink = symlink_read,
	.setattr = mapfs_setattr,
	.fsync = mapfs_fsync,
	.evict = mapfs_evict,
};

const struct vnode_ops mapfs_node_ops = {
	.setattr = mapfs_setattr,
	.fsync = mapfs_fsync,
	.evict = mapfs_evict,
};
