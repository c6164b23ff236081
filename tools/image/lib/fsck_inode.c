// SPDX-License-Identifier: MIT
/*
 * Pass 1: every inode of every table, whatever the bitmaps say.
 *
 * An inode whose checksum is wrong is lost: nothing in it can be believed.  One whose map is
 * damaged is cut short there (fsck_map.c).
 */
#include "fsck.h"

#include <fs/types.h>

#include <string.h>

static bool type_known(uint32_t mode)
{
	switch (mode & FS_IFMT) {
	case FS_IFREG:
	case FS_IFDIR:
	case FS_IFLNK:
	case FS_IFCHR:
	case FS_IFBLK:
	case FS_IFIFO:
	case FS_IFSOCK:
		return true;
	default:
		return false;
	}
}

static bool has_extents(const struct mapfs_inode_disk *d)
{
	return !(d->flags & MAPFS_INODE_INLINE_DATA);
}

void fsck_drop_inode(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];

	fsck_map_release(f, ino);
	fsck_dir_release(f, ino);
	inode->in_use = false;
	inode->changed = true;
	memset(&inode->d, 0, sizeof(inode->d));
}

static void check_map(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	const char *fault = fsck_map_read(f, ino);
	uint64_t n = fsck_map_blocks(inode);

	if (fault) {
		if (fsck_problem(f, "inode %u %s", ino, fault))
			inode->map_changed = true;
	} else if (inode->d.n_blocks != n && (inode->d.mode & FS_IFMT) != FS_IFDIR &&
		   fsck_problem(f, "inode %u counts %llu blocks but has %llu", ino,
			   (unsigned long long)inode->d.n_blocks, (unsigned long long)n)) {
		inode->d.n_blocks = n;
		inode->changed = true;
	}
}

static const char *inode_fault(struct fsck *f, uint32_t ino, const struct mapfs_inode_disk *d)
{
	uint32_t type = d->mode & FS_IFMT;

	if (d->crc != mapfs_inode_crc(f->seed, ino, d))
		return "has a wrong checksum";
	if (!type_known(d->mode))
		return "is of no known type";
	if (d->size > MAPFS_MAX_FILE || d->n_root > MAPFS_ROOT_EXTENTS ||
		d->depth > MAPFS_MAX_DEPTH || (d->depth && !d->n_root))
		return "has impossible sizes";
	if (!has_extents(d) && (type != FS_IFLNK || d->size > MAPFS_INLINE_BYTES || d->n_root))
		return "has data where its extents should be";
	return NULL;
}

static const char *target_fault(struct fsck *f, uint32_t ino, uint64_t block, const void *data)
{
	const char *fault = mapfs_block_fault(f->seed, data, block, MAPFS_KIND_SYMLINK, ino);

	if (!fault && !fsck_claim_node(f, block, ino))
		fault = "has a target that something else has";
	return fault;
}

static void check_symlink(struct fsck *f, uint32_t ino)
{
	const struct mapfs_inode_disk *d = &f->inodes[ino].d;
	uint8_t data[MAPFS_BLOCK_BYTES] __attribute__((aligned(8)));
	uint64_t block = fsck_block_of(&f->inodes[ino], 0);
	const char *fault = NULL;

	if (!has_extents(d))
		return;
	if (block == 0 || d->size > MAPFS_SYMLINK_MAX)
		fault = "has no target";
	else if (fsck_read(f, block, data) == 0)
		fault = target_fault(f, ino, block, data);
	if (fault && fsck_problem(f, "symbolic link %u %s", ino, fault))
		fsck_drop_inode(f, ino);
	else if (fault)
		f->inodes[ino].in_use = false;
}

static void check_inode(struct fsck *f, uint32_t ino, const struct mapfs_inode_disk *d, bool marked)
{
	struct fsck_inode *inode = &f->inodes[ino];
	const char *fault;

	if (d->mode == 0 && !marked)
		return;
	if (d->mode == 0)
		fault = "is marked as in use but is empty";
	else
		fault = inode_fault(f, ino, d);
	/* What is left of an inode that the bitmap says is free matters to nobody. */
	if (fault && !marked)
		return;
	if (fault) {
		if (d->mode && fsck_problem(f, "inode %u %s", ino, fault))
			inode->changed = true;
		return;
	}
	inode->d = *d;
	inode->in_use = true;
	if (has_extents(d))
		check_map(f, ino);
	if ((d->mode & FS_IFMT) == FS_IFLNK)
		check_symlink(f, ino);
	if ((d->mode & FS_IFMT) == FS_IFDIR)
		fsck_dir_read(f, ino);
}

static void scan_group(struct fsck *f, uint32_t group)
{
	uint64_t at = mapfs_inode_map_at(&f->sb, group);
	struct mapfs_inode_disk table[MAPFS_INODES_PER_BLOCK];
	struct mapfs_bitmap map;
	bool map_good;

	if (fsck_read(f, at, &map))
		memset(&map, 0, sizeof(map));
	map_good = !mapfs_block_fault(f->seed, &map, at, MAPFS_KIND_INODE_MAP, group);
	for (uint32_t i = 0; i < f->sb.inodes_per_group; i++) {
		unsigned slot = i % MAPFS_INODES_PER_BLOCK;
		if (slot == 0)
			fsck_at("inodes", group * f->sb.inodes_per_group + i, f->n_inodes);
		if (slot == 0 && fsck_read(f, at + 1 + i / MAPFS_INODES_PER_BLOCK, table))
			memset(table, 0, sizeof(table));
		check_inode(f, group * f->sb.inodes_per_group + i + 1, &table[slot],
			map_good && map.bits[i / 8] >> i % 8 & 1);
	}
}

void fsck_scan_inodes(struct fsck *f)
{
	for (uint32_t g = 0; g < f->sb.n_groups; g++)
		scan_group(f, g);
}

static int store_inode(struct fsck *f, uint32_t ino)
{
	struct mapfs_inode_disk table[MAPFS_INODES_PER_BLOCK];
	struct mapfs_inode_disk *d = &f->inodes[ino].d;
	unsigned offset;
	uint64_t block = mapfs_inode_at(&f->sb, ino, &offset);
	int err = fsck_read(f, block, table);

	if (err)
		return err;
	if (f->inodes[ino].in_use)
		d->crc = mapfs_inode_crc(f->seed, ino, d);
	memcpy((uint8_t *)table + offset, d, sizeof(*d));
	return fsck_write(f, block, table);
}

int fsck_store_inodes(struct fsck *f)
{
	int err = 0;

	for (uint32_t ino = 1; ino <= f->n_inodes && !err; ino++) {
		struct fsck_inode *inode = &f->inodes[ino];
		if (inode->in_use && inode->map_changed)
			fsck_map_store(f, ino);
		if (inode->changed)
			err = store_inode(f, ino);
	}
	return err;
}
