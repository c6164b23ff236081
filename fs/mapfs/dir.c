// SPDX-License-Identifier: MIT
/*
 * Linear directories: blocks full of entries (format.h), searched from the front.
 *
 * An entry never moves while it exists, which makes its byte position a readdir cookie that stays
 * right while others come and go.  A removed entry's room is added to the entry before it, or, at
 * the front of a block, stays as an entry of inode 0.
 *
 * A directory grows in runs of blocks that double, so that it stays in few pieces; blocks behind
 * its size are already its own and hold nothing yet.
 *
 * Everything here is under the directory's vnode lock.
 */
#include "mapfs.h"

#include <string.h>

#define FIRST_OFFSET    ((unsigned)sizeof(struct mapfs_header))
#define GROW_MAX_BLOCKS 64u
#define GROW_NODES      (MAPFS_MAX_DEPTH + 1)

static uint32_t dir_blocks(const struct mapfs_inode *dir)
{
	return (uint32_t)(dir->vnode.size_bytes / MAPFS_BLOCK_BYTES);
}

static int dir_map(struct mapfs_inode *dir, uint32_t block, struct mapfs_piece *p)
{
	int err;

	fsh_mutex_lock(&dir->extent_lock);
	err = mapfs_extent_find(dir, block, 1, p);
	fsh_mutex_unlock(&dir->extent_lock);
	return err;
}

static int dir_block(struct mapfs_inode *dir, uint32_t block, struct mapfs_buf **out)
{
	struct mapfs *fs = mapfs_of(&dir->vnode);
	struct mapfs_piece p;
	int err = dir_map(dir, block, &p);

	if (err)
		return err;
	if (p.start == 0)
		return mapfs_damaged(fs, "inode", mapfs_ino(dir), "is a directory with a hole");
	return mapfs_buf_get(fs, p.start, MAPFS_KIND_DIR, mapfs_ino(dir), out);
}

static bool entry_is(const struct mapfs_dirent *e, const struct fs_name *name)
{
	return e->ino != 0 && e->name_len == name->bytes &&
	       memcmp(e->name, name->text, name->bytes) == 0;
}

/* The offset of the entry with that name in a block, or 0. */
static unsigned find_in_block(const void *data, const struct fs_name *name)
{
	const struct mapfs_dirent *e;

	for (unsigned offset = FIRST_OFFSET; offset < MAPFS_BLOCK_BYTES; offset += e->bytes) {
		e = mapfs_dirent_at(data, offset);
		if (entry_is(e, name))
			return offset;
	}
	return 0;
}

int mapfs_dir_find(
	struct mapfs_inode *dir, const struct fs_name *name, struct mapfs_slot *slot, uint32_t *ino)
{
	struct mapfs_buf *buf;
	int err;

	memset(slot, 0, sizeof(*slot));
	for (uint32_t b = 0; b < dir_blocks(dir); b++) {
		err = dir_block(dir, b, &buf);
		if (err)
			return err;
		slot->offset = find_in_block(buf->data, name);
		if (slot->offset) {
			slot->buf = buf;
			slot->block = b;
			*ino = mapfs_dirent_at(buf->data, slot->offset)->ino;
			return 0;
		}
		mapfs_buf_put(mapfs_of(&dir->vnode), buf);
	}
	return -ENOENT;
}

int mapfs_dir_empty(struct mapfs_inode *dir)
{
	const struct mapfs_dirent *e;
	struct mapfs_buf *buf;
	bool empty = true;
	int err;

	for (uint32_t b = 0; empty && b < dir_blocks(dir); b++) {
		err = dir_block(dir, b, &buf);
		if (err)
			return err;
		for (unsigned at = FIRST_OFFSET; at < MAPFS_BLOCK_BYTES; at += e->bytes) {
			e = mapfs_dirent_at(buf->data, at);
			if (e->ino != 0)
				empty = false;
		}
		mapfs_buf_put(mapfs_of(&dir->vnode), buf);
	}
	return empty ? 0 : -ENOTEMPTY;
}

/* --- Adding ------------------------------------------------------------------------------ */

static unsigned used_bytes(const struct mapfs_dirent *e)
{
	return e->ino ? MAPFS_DIRENT_BYTES(e->name_len) : 0;
}

/* The offset of an entry with room behind it (or of a free one), or 0. */
static unsigned room_in_block(const void *data, unsigned need)
{
	const struct mapfs_dirent *e;

	for (unsigned offset = FIRST_OFFSET; offset < MAPFS_BLOCK_BYTES; offset += e->bytes) {
		e = mapfs_dirent_at(data, offset);
		if (e->bytes - used_bytes(e) >= need)
			return offset;
	}
	return 0;
}

/*
 * Claim blocks to go on with behind the directory's end, and prepare to add them to its map.  What
 * is reserved for that and not needed goes back with the room.
 */
static int claim_growth(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_slot *slot)
{
	uint32_t at = dir_blocks(dir), want = at < 1 ? 1 : at;
	struct mapfs_piece p = {.logical = at};
	uint64_t goal;
	int err;

	want = want < GROW_MAX_BLOCKS ? want : GROW_MAX_BLOCKS;
	fsh_mutex_lock(&dir->extent_lock);
	err = mapfs_extent_goal(dir, at, &goal);
	fsh_mutex_unlock(&dir->extent_lock);
	if (err)
		return err;
	while ((err = mapfs_reserve_wait(txn->fs, want + GROW_NODES)) == -ENOSPC && want > 1)
		want = 1;
	if (err)
		return err;
	slot->reserved = want + GROW_NODES;
	err = mapfs_claim(txn->fs, MAPFS_BLOCKS, goal, want, &slot->run);
	if (err)
		return err;
	slot->reserved -= slot->run->count;
	mapfs_txn_pin_map(txn, slot->run);
	p.start = slot->run->start;
	p.count = slot->run->count;
	err = mapfs_extent_prepare(txn, dir, &p, &slot->plan);
	slot->reserved -= err ? 0 : slot->plan.n_nodes;
	return err;
}

/* A new block behind the end: one that is the directory's already, or a claimed one. */
static int room_behind(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_slot *slot)
{
	struct mapfs_piece p;
	int err;

	slot->fresh = true;
	slot->block = dir_blocks(dir);
	slot->offset = FIRST_OFFSET;
	err = dir_map(dir, slot->block, &p);
	if (!err && p.start == 0) {
		err = claim_growth(txn, dir, slot);
		p.start = err ? 0 : slot->run->start;
	}
	if (err)
		return err;
	return mapfs_buf_new(txn->fs, p.start, MAPFS_KIND_DIR, mapfs_ino(dir), &slot->buf);
}

int mapfs_dir_room(struct mapfs_txn *txn, struct mapfs_inode *dir, const struct fs_name *name,
	struct mapfs_slot *slot)
{
	unsigned need = MAPFS_DIRENT_BYTES(name->bytes);
	int err = 0;

	memset(slot, 0, sizeof(*slot));
	for (uint32_t b = dir->dir_hint; b < dir_blocks(dir); b++) {
		err = dir_block(dir, b, &slot->buf);
		if (err)
			return err;
		slot->offset = room_in_block(slot->buf->data, need);
		slot->block = b;
		if (slot->offset)
			break;
		mapfs_buf_put(txn->fs, slot->buf);
		slot->buf = NULL;
	}
	if (!slot->buf)
		err = room_behind(txn, dir, slot);
	if (err)
		mapfs_dir_room_cancel(txn->fs, slot);
	else
		mapfs_txn_pin(txn, slot->buf);
	return err;
}

void mapfs_dir_room_cancel(struct mapfs *fs, struct mapfs_slot *slot)
{
	slot->reserved += slot->plan.n_nodes;
	mapfs_extent_cancel(fs, &slot->plan);
	if (slot->run) {
		slot->reserved += slot->run->count;
		mapfs_unclaim(fs, slot->run);
	}
	mapfs_unreserve(fs, slot->reserved);
	slot->run = NULL;
	slot->reserved = 0;
}

/* The fresh block becomes a part of the directory: one free entry. */
static void adopt_block(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_slot *slot)
{
	struct mapfs_piece p;

	mapfs_dirent_at(slot->buf->data, FIRST_OFFSET)->bytes = MAPFS_BLOCK_BYTES - FIRST_OFFSET;
	fs_write(dir->vnode.size_bytes, dir->vnode.size_bytes + MAPFS_BLOCK_BYTES);
	if (!slot->run)
		return;
	p = (struct mapfs_piece){slot->block, slot->run->count, slot->run->start, false};
	fsh_mutex_lock(&dir->extent_lock);
	mapfs_extent_insert(txn, dir, &p, &slot->plan);
	fsh_mutex_unlock(&dir->extent_lock);
	mapfs_publish(txn, slot->run);
	mapfs_unreserve(txn->fs, slot->reserved);
	slot->run = NULL;
	slot->reserved = 0;
}

void mapfs_dir_add(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_slot *slot,
	const struct fs_name *name, uint32_t ino, uint32_t mode)
{
	struct mapfs_dirent *e, *rest;
	unsigned used;

	if (slot->fresh)
		adopt_block(txn, dir, slot);
	e = mapfs_dirent_at(slot->buf->data, slot->offset);
	used = used_bytes(e);
	if (used) {
		rest = mapfs_dirent_at(e, used);
		rest->bytes = (uint16_t)(e->bytes - used);
		e->bytes = (uint16_t)used;
		e = rest;
	}
	e->ino = ino;
	e->type = (uint8_t)FS_DTYPE(mode);
	e->name_len = (uint8_t)name->bytes;
	memcpy(e->name, name->text, name->bytes);
	dir->dir_hint = slot->block;
	mapfs_txn_dirty(txn, slot->buf);
}

void mapfs_dir_remove(struct mapfs_txn *txn, struct mapfs_inode *dir, struct mapfs_slot *slot)
{
	struct mapfs_dirent *e = mapfs_dirent_at(slot->buf->data, slot->offset), *before = NULL;

	for (unsigned at = FIRST_OFFSET; at < slot->offset; at += before->bytes)
		before = mapfs_dirent_at(slot->buf->data, at);
	e->ino = 0;
	if (before)
		before->bytes = (uint16_t)(before->bytes + e->bytes);
	if (slot->block < dir->dir_hint)
		dir->dir_hint = slot->block;
	mapfs_txn_dirty(txn, slot->buf);
}

void mapfs_dir_set(struct mapfs_txn *txn, struct mapfs_slot *slot, uint32_t ino, uint32_t mode)
{
	struct mapfs_dirent *e = mapfs_dirent_at(slot->buf->data, slot->offset);

	e->ino = ino;
	e->type = (uint8_t)FS_DTYPE(mode);
	mapfs_txn_dirty(txn, slot->buf);
}

/* --- Reading ----------------------------------------------------------------------------- */

/* The entries of one block from byte `from` of it on; false when the reader has had enough. */
static bool emit_block(
	const void *data, uint64_t base, unsigned from, uint64_t *cookie, struct fs_readdir *r)
{
	const struct mapfs_dirent *e;

	for (unsigned at = FIRST_OFFSET; at < MAPFS_BLOCK_BYTES; at += e->bytes) {
		struct fs_entry entry;
		e = mapfs_dirent_at(data, at);
		if (e->ino == 0 || at < from)
			continue;
		entry = (struct fs_entry){.name = e->name,
			.name_bytes = e->name_len,
			.mode = (uint32_t)e->type << 12,
			.ino = e->ino,
			.next = base + at + e->bytes};
		*cookie = base + at;
		if (!r->emit(r, &entry))
			return false;
	}
	*cookie = base + MAPFS_BLOCK_BYTES;
	return true;
}

int mapfs_readdir(struct vnode *v, uint64_t *cookie, struct fs_readdir *r)
{
	struct mapfs_inode *dir = mapfs_inode_of(v);
	struct mapfs_buf *buf;
	bool more = true;
	int err;

	while (more && *cookie < v->size_bytes) {
		uint64_t base = *cookie & ~(uint64_t)(MAPFS_BLOCK_BYTES - 1);
		err = dir_block(dir, (uint32_t)(base / MAPFS_BLOCK_BYTES), &buf);
		if (err)
			return err;
		more = emit_block(buf->data, base, (unsigned)(*cookie - base), cookie, r);
		mapfs_buf_put(mapfs_of(v), buf);
	}
	return 0;
}
