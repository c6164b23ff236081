// SPDX-License-Identifier: MIT
/*
 * Making an empty file system: the super blocks, the state block, the log, each group's bitmaps,
 * and the root directory.  The super blocks, first and copy, are cleared before and written last:
 * in between the device holds no file system, neither this one nor an earlier one.
 */
#include "layout.h"
#include "recover.h"

#include "crc32c.h"

#include <fs/blkdev.h>
#include <fs/host.h>
#include <fs/mapfs.h>
#include <fs/types.h>

#include <errno.h>
#include <string.h>

struct making {
	struct blkdev *dev;
	const struct mapfs_make *how;
	struct mapfs_super sb;
	uint32_t seed;
	uint64_t free_blocks, free_inodes;
	void *block; /* the one being made */
};

static int write_block(struct making *m, uint64_t block)
{
	return blk_write(m->dev, block * MAPFS_BLOCK_SECTORS, m->block, MAPFS_BLOCK_BYTES);
}

static int write_metadata(struct making *m, uint64_t block, enum mapfs_kind kind, uint32_t owner)
{
	struct mapfs_header *h = m->block;

	h->kind = kind;
	h->block = block;
	h->owner = owner;
	h->crc = mapfs_block_crc(m->seed, m->block);
	return write_block(m, block);
}

static void *clear_block(struct making *m)
{
	return memset(m->block, 0, MAPFS_BLOCK_BYTES);
}

static void set_bits(struct mapfs_bitmap *map, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		map->bits[i / 8] |= (uint8_t)(1 << i % 8);
}

/* `used` bits at the front and those past `length` are taken. */
static int write_bitmap(struct making *m, uint64_t block, enum mapfs_kind kind, uint32_t group,
	uint32_t used, uint32_t length)
{
	struct mapfs_bitmap *map = clear_block(m);

	set_bits(map, 0, used);
	set_bits(map, length, MAPFS_GROUP_BLOCKS);
	map->n_free = length - used;
	return write_metadata(m, block, kind, group);
}

/* No inode of an earlier file system may seem to be one of this. */
static int clear_inode_table(struct making *m, uint32_t group)
{
	uint64_t first = mapfs_inode_map_at(&m->sb, group) + 1;
	int err = 0;

	clear_block(m);
	for (uint32_t i = 0; i < mapfs_inode_table_blocks(&m->sb) && !err; i++)
		err = write_block(m, first + i);
	return err;
}

static int write_group(struct making *m, uint32_t group)
{
	uint32_t overhead = mapfs_group_overhead(&m->sb),
		 length = mapfs_group_length(&m->sb, group);
	uint32_t inodes_used = group == 0 ? MAPFS_ROOT_INO : 0;
	int err;

	m->free_blocks += length - overhead;
	m->free_inodes += m->sb.inodes_per_group - inodes_used;
	err = write_bitmap(m, mapfs_block_map_at(&m->sb, group), MAPFS_KIND_BLOCK_MAP, group,
		overhead, length);
	if (!err && !m->how->device_is_zero)
		err = clear_inode_table(m, group);
	if (err)
		return err;
	return write_bitmap(m, mapfs_inode_map_at(&m->sb, group), MAPFS_KIND_INODE_MAP, group,
		inodes_used, m->sb.inodes_per_group);
}

/* The root: an empty directory, its own parent, that has no block yet. */
static int write_root(struct making *m)
{
	unsigned offset;
	uint64_t block = mapfs_inode_at(&m->sb, MAPFS_ROOT_INO, &offset);
	struct mapfs_inode_disk *d = (struct mapfs_inode_disk *)((char *)clear_block(m) + offset);

	d->mode = FS_IFDIR | 0755;
	d->nlink = 2;
	d->atime_ns = d->mtime_ns = d->ctime_ns = d->btime_ns = m->how->now_ns;
	d->generation = 1;
	d->parent = MAPFS_ROOT_INO;
	d->crc = mapfs_inode_crc(m->seed, MAPFS_ROOT_INO, d);
	return write_block(m, block);
}

static int write_state(struct making *m)
{
	struct mapfs_state *state = clear_block(m);

	state->clean = 1;
	state->free_blocks = m->free_blocks;
	state->free_inodes = m->free_inodes;
	return write_metadata(m, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0);
}

static int write_supers(struct making *m)
{
	int err;

	memcpy(clear_block(m), &m->sb, sizeof(m->sb));
	err = write_block(m, m->sb.n_blocks - 1);
	if (!err)
		err = blk_flush(m->dev);
	if (!err)
		err = write_block(m, MAPFS_SUPER_BLOCK);
	return err ? err : blk_flush(m->dev);
}

static int clear_supers(struct making *m)
{
	int err;

	clear_block(m);
	err = write_block(m, MAPFS_SUPER_BLOCK);
	if (!err)
		err = write_block(m, m->dev->n_sectors / MAPFS_BLOCK_SECTORS - 1);
	return err ? err : blk_flush(m->dev);
}

static int fill_super(struct making *m)
{
	struct mapfs_super *sb = &m->sb;
	uint64_t n_blocks = m->dev->n_sectors / MAPFS_BLOCK_SECTORS;
	int err = mapfs_layout(sb, n_blocks, m->how->n_inodes);

	if (err)
		return err;
	memcpy(sb->magic, MAPFS_MAGIC, sizeof(sb->magic));
	sb->version = MAPFS_VERSION;
	memcpy(sb->uuid, m->how->uuid, sizeof(sb->uuid));
	if (m->how->label)
		strncpy((char *)sb->label, m->how->label, sizeof(sb->label) - 1);
	m->seed = mapfs_crc_seed(sb);
	for (uint32_t i = 0; i < 4; i++)
		((uint32_t *)sb->hash_key)[i] = mapfs_crc32c(m->seed + i, sb->uuid, 16);
	sb->made_ns = m->how->now_ns;
	sb->crc = mapfs_super_crc(sb);
	return 0;
}

static int make(struct making *m)
{
	int err = fill_super(m);

	if (err)
		return err;
	err = clear_supers(m);
	for (uint32_t g = 0; g < m->sb.n_groups && !err; g++)
		err = write_group(m, g);
	if (!err)
		err = write_root(m);
	if (!err)
		err = write_state(m);
	if (!err)
		err = mapfs_log_make(m->dev, &m->sb, !m->how->device_is_zero);
	return err ? err : write_supers(m);
}

int mapfs_make(struct blkdev *dev, const struct mapfs_make *how)
{
	struct making m = {.dev = dev, .how = how};
	int err;

	m.block = fsh_page_alloc();
	if (!m.block)
		return -ENOMEM;
	err = make(&m);
	fsh_page_free(m.block);
	return err;
}
