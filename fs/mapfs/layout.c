// SPDX-License-Identifier: MIT
#include "layout.h"

#include "crc32c.h"

#include <errno.h>
#include <string.h>

uint64_t mapfs_group_first(const struct mapfs_super *sb, uint32_t group)
{
	return sb->groups_start + (uint64_t)group * MAPFS_GROUP_BLOCKS;
}

uint32_t mapfs_group_length(const struct mapfs_super *sb, uint32_t group)
{
	uint64_t left = sb->n_blocks - 1 - mapfs_group_first(sb, group);

	return left < MAPFS_GROUP_BLOCKS ? (uint32_t)left : MAPFS_GROUP_BLOCKS;
}

uint32_t mapfs_inode_table_blocks(const struct mapfs_super *sb)
{
	return sb->inodes_per_group / MAPFS_INODES_PER_BLOCK;
}

uint32_t mapfs_group_overhead(const struct mapfs_super *sb)
{
	return 2 + mapfs_inode_table_blocks(sb);
}

uint32_t mapfs_block_group(const struct mapfs_super *sb, uint64_t block)
{
	uint64_t group = (block - sb->groups_start) / MAPFS_GROUP_BLOCKS;

	if (block < sb->groups_start || block >= sb->n_blocks - 1 || group >= sb->n_groups)
		return sb->n_groups;
	return (uint32_t)group;
}

bool mapfs_data_run_valid(const struct mapfs_super *sb, uint64_t start, uint64_t count)
{
	uint32_t group = mapfs_block_group(sb, start);
	uint64_t first;

	if (group == sb->n_groups || count == 0)
		return false;
	first = start - mapfs_group_first(sb, group);
	return first >= mapfs_group_overhead(sb) && count <= mapfs_group_length(sb, group) - first;
}

uint64_t mapfs_block_map_at(const struct mapfs_super *sb, uint32_t group)
{
	return mapfs_group_first(sb, group);
}

uint64_t mapfs_inode_map_at(const struct mapfs_super *sb, uint32_t group)
{
	return mapfs_group_first(sb, group) + 1;
}

bool mapfs_ino_valid(const struct mapfs_super *sb, uint32_t ino)
{
	return ino != 0 && (ino - 1) / sb->inodes_per_group < sb->n_groups;
}

uint64_t mapfs_inode_at(const struct mapfs_super *sb, uint32_t ino, unsigned *offset)
{
	uint32_t group = (ino - 1) / sb->inodes_per_group;
	uint32_t index = (ino - 1) % sb->inodes_per_group;

	*offset = index % MAPFS_INODES_PER_BLOCK * MAPFS_INODE_BYTES;
	return mapfs_group_first(sb, group) + 2 + index / MAPFS_INODES_PER_BLOCK;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* 1/32 of the device, from 4 to 128 MiB; but never more than a quarter of a small one. */
static uint64_t log_blocks_for(uint64_t n_blocks)
{
	uint64_t wanted = clamp(n_blocks / 32, 1024, 32768);

	return wanted < n_blocks / 4 ? wanted : n_blocks / 4;
}

/* As many in each group, up to what one bitmap has, and to what all together may have. */
static void spread_inodes(struct mapfs_super *sb, uint64_t n_inodes)
{
	uint64_t per_group = (n_inodes + sb->n_groups - 1) / sb->n_groups;
	uint64_t most = MAPFS_MAX_INODES / sb->n_groups;
	uint64_t unit = MAPFS_INODES_PER_BLOCK;

	per_group = (clamp(per_group, unit, MAPFS_GROUP_BLOCKS) + unit - 1) / unit * unit;
	sb->inodes_per_group = (uint32_t)(per_group < most ? per_group : most / unit * unit);
}

/* Each with a block of inodes, all of them with different numbers: what is behind is not used. */
static uint32_t n_groups_for(uint64_t room)
{
	uint64_t n = (room + MAPFS_GROUP_BLOCKS - 1) / MAPFS_GROUP_BLOCKS;
	uint64_t most = MAPFS_MAX_INODES / MAPFS_INODES_PER_BLOCK;

	return (uint32_t)(n < most ? n : most);
}

int mapfs_layout(struct mapfs_super *sb, uint64_t n_blocks, uint64_t n_inodes)
{
	uint64_t room;

	if (n_blocks < MAPFS_MIN_BLOCKS)
		return -ENOSPC;
	sb->n_blocks = n_blocks < MAPFS_MAX_BLOCKS ? n_blocks : MAPFS_MAX_BLOCKS;
	sb->block_bytes = MAPFS_BLOCK_BYTES;
	sb->inode_bytes = MAPFS_INODE_BYTES;
	sb->group_blocks = MAPFS_GROUP_BLOCKS;
	sb->root_ino = MAPFS_ROOT_INO;
	sb->log_start = MAPFS_LOG_START;
	sb->log_blocks = log_blocks_for(sb->n_blocks);
	sb->groups_start = sb->log_start + sb->log_blocks;

	room = sb->n_blocks - 1 - sb->groups_start;
	sb->n_groups = n_groups_for(room);
	spread_inodes(sb, n_inodes ? n_inodes : room / 4);
	/* A last group too short for its own tables, with something to hold, is left out. */
	if (mapfs_group_length(sb, sb->n_groups - 1) < mapfs_group_overhead(sb) + 16) {
		if (--sb->n_groups == 0)
			return -ENOSPC;
		spread_inodes(sb, n_inodes ? n_inodes : room / 4);
	}
	return n_inodes > (uint64_t)sb->n_groups * sb->inodes_per_group ? -ENOSPC : 0;
}

uint64_t mapfs_ring_blocks(const struct mapfs_super *sb)
{
	return sb->log_blocks - MAPFS_LOG_HEADS;
}

uint64_t mapfs_ring_block(const struct mapfs_super *sb, uint64_t position)
{
	return sb->log_start + MAPFS_LOG_HEADS + position % mapfs_ring_blocks(sb);
}

uint32_t mapfs_crc_seed(const struct mapfs_super *sb)
{
	return mapfs_crc32c(~0u, sb->uuid, sizeof(sb->uuid));
}

/* The checksum of n bytes, of which the four at crc_at count as zero. */
static uint32_t crc_around(uint32_t seed, const void *data, size_t n, size_t crc_at)
{
	static const uint32_t zero;
	uint32_t crc = mapfs_crc32c(seed, data, crc_at);

	crc = mapfs_crc32c(crc, &zero, sizeof(zero));
	return mapfs_crc32c(crc, (const char *)data + crc_at + 4, n - crc_at - 4);
}

uint32_t mapfs_block_crc(uint32_t seed, const void *block)
{
	return crc_around(seed, block, MAPFS_BLOCK_BYTES, offsetof(struct mapfs_header, crc));
}

uint32_t mapfs_copy_crc(uint32_t seed, const void *block, uint32_t kind)
{
	const struct mapfs_header *h = block;

	return kind == MAPFS_KIND_INODES ? mapfs_crc32c(seed, block, MAPFS_BLOCK_BYTES) : h->crc;
}

uint32_t mapfs_inode_crc(uint32_t seed, uint32_t ino, const struct mapfs_inode_disk *d)
{
	seed = mapfs_crc32c(seed, &ino, sizeof(ino));
	return crc_around(seed, d, sizeof(*d), offsetof(struct mapfs_inode_disk, crc));
}

uint32_t mapfs_super_crc(const struct mapfs_super *sb)
{
	return crc_around(~0u, sb, sizeof(*sb), offsetof(struct mapfs_super, crc));
}

const char *mapfs_block_fault(
	uint32_t seed, const void *block, uint64_t at, uint32_t kind, uint32_t owner)
{
	const struct mapfs_header *h = block;

	if (kind == MAPFS_KIND_INODES)
		return NULL;
	if (h->kind != kind)
		return "holds something else";
	if (h->crc != mapfs_block_crc(seed, block))
		return "has a wrong checksum";
	if (h->block != at)
		return "belongs elsewhere";
	if (h->owner != owner)
		return "belongs to another owner";
	return NULL;
}

static uint32_t count_set(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555;
	word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (uint32_t)(word * 0x0101010101010101 >> 56);
}

static uint64_t word_of(const uint8_t *bits, uint32_t bit)
{
	uint64_t word;

	memcpy(&word, __builtin_assume_aligned(&bits[bit / 64 * 8], 8), 8);
	return word;
}

/* By words where there are whole ones: every mount asks it of every bitmap. */
static bool all_set(const uint8_t *bits, uint32_t from, uint32_t to)
{
	for (uint32_t i = from, step; i < to; i += step) {
		uint64_t word = word_of(bits, i);

		step = i % 64 == 0 && to - i >= 64 ? 64 : 1;
		if (step == 64 ? word != UINT64_MAX : !(word >> i % 64 & 1))
			return false;
	}
	return true;
}

const char *mapfs_bitmap_fault(
	const struct mapfs_super *sb, const struct mapfs_bitmap *map, uint32_t kind, uint32_t group)
{
	bool blocks = kind == MAPFS_KIND_BLOCK_MAP;
	uint32_t length = blocks ? mapfs_group_length(sb, group) : sb->inodes_per_group;
	uint32_t n_free = MAPFS_GROUP_BLOCKS;

	for (uint32_t i = 0; i < MAPFS_GROUP_BLOCKS; i += 64) {
		uint64_t word = word_of(map->bits, i);

		n_free -= word == UINT64_MAX ? 64 : word ? count_set(word) : 0;
	}
	if (n_free != map->n_free)
		return "has a wrong count of free bits";
	if (!all_set(map->bits, 0, blocks ? mapfs_group_overhead(sb) : 0) ||
		!all_set(map->bits, length, MAPFS_GROUP_BLOCKS))
		return "has free bits where nothing can be";
	return NULL;
}

/* Not only what mapfs_layout() would say: an image says itself how large its parts are. */
static bool layout_possible(const struct mapfs_super *sb)
{
	if (sb->inodes_per_group == 0 || sb->inodes_per_group % MAPFS_INODES_PER_BLOCK ||
		sb->inodes_per_group > MAPFS_GROUP_BLOCKS)
		return false;
	if (sb->n_blocks < MAPFS_MIN_BLOCKS || sb->n_blocks > MAPFS_MAX_BLOCKS)
		return false;
	if (sb->log_start < MAPFS_LOG_START || sb->log_start >= sb->n_blocks ||
		sb->log_blocks < MAPFS_LOG_MIN_BLOCKS ||
		sb->log_blocks >= sb->n_blocks - sb->log_start ||
		sb->groups_start < sb->log_start + sb->log_blocks ||
		sb->groups_start >= sb->n_blocks - 1)
		return false;
	if (sb->n_groups == 0 ||
		sb->n_groups > (sb->n_blocks - 2 - sb->groups_start) / MAPFS_GROUP_BLOCKS + 1 ||
		(uint64_t)sb->n_groups * sb->inodes_per_group > MAPFS_MAX_INODES)
		return false;
	return mapfs_group_length(sb, sb->n_groups - 1) > mapfs_group_overhead(sb);
}

const char *mapfs_super_fault(const struct mapfs_super *sb, uint64_t n_blocks, bool *read_only)
{
	if (memcmp(sb->magic, MAPFS_MAGIC, sizeof(sb->magic)) != 0)
		return "not a mapfs image (no magic number)";
	if (sb->version != MAPFS_VERSION)
		return "a version of mapfs that this code does not know";
	if (sb->crc != mapfs_super_crc(sb))
		return "the super block's checksum is wrong";
	if (sb->incompat & ~MAPFS_INCOMPAT_KNOWN)
		return "it uses features that this code does not know";
	if (sb->block_bytes != MAPFS_BLOCK_BYTES || sb->inode_bytes != MAPFS_INODE_BYTES ||
		sb->group_blocks != MAPFS_GROUP_BLOCKS || sb->root_ino != MAPFS_ROOT_INO ||
		!layout_possible(sb))
		return "the super block's numbers contradict each other";
	if (sb->n_blocks > n_blocks)
		return "the device is smaller than the file system";
	*read_only = (sb->ro_compat & ~MAPFS_RO_COMPAT_KNOWN) != 0;
	return NULL;
}

bool mapfs_name_valid(const char *name, size_t n)
{
	if (n == 0 || n > MAPFS_NAME_MAX || memchr(name, '/', n) || memchr(name, 0, n))
		return false;
	return name[0] != '.' || !(n == 1 || (n == 2 && name[1] == '.'));
}

void mapfs_piece_decode(const struct mapfs_extent *e, struct mapfs_piece *p)
{
	p->logical = e->logical;
	p->count = e->count & MAPFS_EXTENT_MAX;
	p->start = (uint64_t)e->start_high << 32 | e->start_low;
	p->unwritten = e->count & MAPFS_EXTENT_UNWRITTEN;
}

void mapfs_piece_encode(const struct mapfs_piece *p, struct mapfs_extent *e)
{
	e->logical = p->logical;
	e->count = (uint16_t)(p->count | (p->unwritten ? MAPFS_EXTENT_UNWRITTEN : 0));
	e->start_high = (uint16_t)(p->start >> 32);
	e->start_low = (uint32_t)p->start;
}

const char *mapfs_extents_fault(const struct mapfs_super *sb, const struct mapfs_extent *entry,
	unsigned n, unsigned room, unsigned depth, uint64_t *at)
{
	struct mapfs_piece p;
	uint64_t weight = 0;

	for (unsigned i = 0; i < n; i++) {
		mapfs_piece_decode(&entry[i], &p);
		weight += mapfs_extent_weight(&entry[i]);
		if (p.logical < *at || (p.count == 0) != (depth > 0))
			return "has extents out of order";
		if (p.unwritten && (depth || p.count > MAPFS_UNWRITTEN_MAX))
			return "has an impossible unwritten extent";
		if (!mapfs_data_run_valid(sb, p.start, depth ? 1 : p.count))
			return "has an extent outside the data area";
		*at = (uint64_t)p.logical + (depth ? 1 : p.count);
		if (*at > MAPFS_FILE_BLOCKS)
			return "has an extent behind the end of all files";
	}
	return weight > room ? "has no room for its unwritten extents" : NULL;
}
