// SPDX-License-Identifier: MIT
/*
 * The list of orphans: inodes without a name that are still in use, and files that are being cut.
 *
 * It leads from the state block through the inodes on the disk.  All orphans of this mount are in
 * memory, each with its block pinned, so taking one out of the middle of the list reads nothing.
 *
 * An orphan that cannot be freed, or cut, when its last user goes (no memory, a block that cannot
 * be read) is left to the next mount.  The list on the disk still leads through it, so its struct
 * stays on the list in memory when the inode has left the vnode cache.  If it has a name and is
 * used again, the new inode takes the old one's place, and its cut is ended before anybody gets it.
 */
#include "mapfs.h"

/* --- The list ---------------------------------------------------------------------------- */

/* One credit: the block that points to an orphan is the state block or that of the one before. */
void mapfs_orphan_pin(struct mapfs_txn *txn)
{
	mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, txn->fs->state_buf));
}

void mapfs_orphan_add(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	struct mapfs *fs = txn->fs;

	fsh_mutex_lock(&fs->store_lock);
	if (inode->orphan) {
		fsh_mutex_unlock(&fs->store_lock);
		return;
	}
	inode->orphan = true;
	inode->orphan_buf = mapfs_buf_ref(fs, mapfs_inode_pinned(txn, inode));
	inode->orphan_next = fs->orphans;
	inode->orphan_next_ino = mapfs_state(fs)->orphan_head;
	if (fs->orphans)
		fs->orphans->orphan_prev = inode;
	fs->orphans = inode;
	mapfs_state(fs)->orphan_head = mapfs_ino(inode);
	mapfs_txn_dirty(txn, fs->state_buf);
	fsh_mutex_unlock(&fs->store_lock);
}

/* The orphan before points to the one after, on the disk as well. */
static void orphan_repoint(struct mapfs_txn *txn, struct mapfs_inode *prev, uint32_t next_ino)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_inode_disk *d;
	unsigned offset;

	mapfs_inode_at(&fs->sb, mapfs_ino(prev), &offset);
	d = (struct mapfs_inode_disk *)((char *)prev->orphan_buf->data + offset);
	prev->orphan_next_ino = d->orphan_next = next_ino;
	d->crc = mapfs_inode_crc(fs->seed, mapfs_ino(prev), d);
	mapfs_txn_dirty(txn, prev->orphan_buf);
}

/* Store lock held.  Returns what it had pinned. */
static struct mapfs_buf *orphan_unlink(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_inode *prev = inode->orphan_prev, *next = inode->orphan_next;
	struct mapfs_buf *buf = inode->orphan_buf;

	if (next)
		next->orphan_prev = prev;
	if (prev) {
		prev->orphan_next = next;
		orphan_repoint(txn, prev, inode->orphan_next_ino);
	} else {
		fs->orphans = next;
		mapfs_state(fs)->orphan_head = inode->orphan_next_ino;
		mapfs_txn_dirty(txn, fs->state_buf);
	}
	inode->orphan = false;
	inode->orphan_prev = inode->orphan_next = NULL;
	inode->orphan_buf = NULL;
	return buf;
}

static void orphan_remove(struct mapfs_txn *txn, struct mapfs_inode *inode, bool only_named)
{
	struct mapfs *fs = txn->fs;
	struct mapfs_buf *buf = NULL;

	fsh_mutex_lock(&fs->store_lock);
	if (inode->orphan && !(only_named && fs_read(inode->vnode.nlink) == 0))
		buf = orphan_unlink(txn, inode);
	fsh_mutex_unlock(&fs->store_lock);
	mapfs_buf_put(fs, buf);
}

void mapfs_orphan_remove(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	orphan_remove(txn, inode, false);
}

void mapfs_orphan_keep_named(struct mapfs_txn *txn, struct mapfs_inode *inode)
{
	orphan_remove(txn, inode, true);
}

/* The first orphan of an earlier mount comes into memory, as if this mount had unlinked it. */
static int orphan_adopt(struct mapfs *fs, uint32_t ino, struct mapfs_inode **out)
{
	struct mapfs_inode_disk d;
	struct mapfs_buf *buf;
	int err;

	err = mapfs_inode_peek(fs, ino, &d);
	if (!err && !(d.flags & MAPFS_INODE_ORPHAN))
		err = mapfs_damaged(fs, "inode", ino, "is on the list of orphans but is none");
	if (!err)
		err = mapfs_inode_buf(fs, ino, &buf);
	if (err)
		return err;
	err = mapfs_inode_get(fs, ino, out);
	if (err) {
		mapfs_buf_put(fs, buf);
		return err;
	}
	(*out)->orphan = true;
	(*out)->orphan_buf = buf;
	fs->orphans = *out;
	return 0;
}

int mapfs_orphans_reap(struct mapfs *fs)
{
	struct mapfs_inode *inode;
	uint32_t ino;
	int err;

	while ((ino = mapfs_state(fs)->orphan_head) != 0) {
		err = orphan_adopt(fs, ino, &inode);
		if (err)
			return err;
		if (inode->vnode.nlink != 0)
			err = mapfs_cut_complete(inode);
		vnode_unref(&inode->vnode);
		if (err || mapfs_state(fs)->orphan_head == ino)
			return err ? err : -EIO;
	}
	return 0;
}

/* --- What could not be freed ------------------------------------------------------------- */

/* Nobody has it: else it would be in the vnode cache. */
static struct mapfs_inode *abandoned_find(const struct mapfs *fs, uint32_t ino)
{
	struct mapfs_inode *inode = fs->orphans;

	while (inode && mapfs_ino(inode) != ino)
		inode = inode->orphan_next;
	return inode;
}

int mapfs_orphan_return(struct mapfs *fs, struct mapfs_inode *inode)
{
	struct mapfs_inode *old;

	fsh_mutex_lock(&fs->store_lock);
	old = abandoned_find(fs, mapfs_ino(inode));
	if (old) {
		inode->orphan = true;
		inode->orphan_buf = old->orphan_buf;
		inode->orphan_next_ino = old->orphan_next_ino;
		inode->orphan_next = old->orphan_next;
		inode->orphan_prev = old->orphan_prev;
		if (inode->orphan_next)
			inode->orphan_next->orphan_prev = inode;
		if (inode->orphan_prev)
			inode->orphan_prev->orphan_next = inode;
		else
			fs->orphans = inode;
	}
	fsh_mutex_unlock(&fs->store_lock);
	fsh_free(old);
	return old && !fs_read(fs->read_only) ? mapfs_cut_complete(inode) : 0;
}

void mapfs_orphans_forget(struct mapfs *fs)
{
	struct mapfs_inode *inode;

	while ((inode = fs->orphans)) {
		fs->orphans = inode->orphan_next;
		mapfs_buf_put(fs, inode->orphan_buf);
		fsh_free(inode);
	}
}
