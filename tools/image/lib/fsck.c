// SPDX-License-Identifier: MIT
#include "fsck.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(struct fsck *f, const char *suffix, const char *format, va_list args)
{
	char text[400], line[500];

	vsnprintf(text, sizeof(text), format, args);
	snprintf(line, sizeof(line), "%s%s", text, suffix);
	f->say(line);
}

bool fsck_problem(struct fsck *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(f, f->fix ? ": repaired" : "", format, args);
	va_end(args);
	f->found++;
	f->left += !f->fix;
	return f->fix;
}

void fsck_stuck(struct fsck *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(f, "", format, args);
	va_end(args);
	f->found++;
	f->left++;
}

int fsck_read(struct fsck *f, uint64_t block, void *data)
{
	uint64_t at = mapfs_recovery_find(&f->log, block);
	int err = blk_read(f->dev, at * MAPFS_BLOCK_SECTORS, data, MAPFS_BLOCK_BYTES);

	if (err)
		fsck_stuck(f, "block %llu cannot be read", (unsigned long long)block);
	return err;
}

int fsck_write(struct fsck *f, uint64_t block, void *data)
{
	int err = blk_write(f->dev, block * MAPFS_BLOCK_SECTORS, data, MAPFS_BLOCK_BYTES);

	if (err)
		fsck_stuck(f, "block %llu cannot be written", (unsigned long long)block);
	return err;
}

int fsck_write_metadata(
	struct fsck *f, uint64_t block, enum mapfs_kind kind, uint32_t owner, void *data)
{
	struct mapfs_header *h = data;

	h->kind = kind;
	h->block = block;
	h->owner = owner;
	h->crc = mapfs_block_crc(f->seed, data);
	return fsck_write(f, block, data);
}

uint32_t fsck_take_inode(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++)
		if (!f->inodes[ino].in_use)
			return ino;
	return 0;
}

/* --- Super blocks ------------------------------------------------------------------------ */

static const char *super_fault(struct fsck *f, uint64_t block, struct mapfs_super *sb)
{
	bool read_only;

	if (blk_read(f->dev, block * MAPFS_BLOCK_SECTORS, sb, sizeof(*sb)))
		return "cannot be read";
	return mapfs_super_fault(sb, f->dev->n_sectors / MAPFS_BLOCK_SECTORS, &read_only);
}

static int write_super(struct fsck *f, uint64_t block)
{
	uint8_t data[MAPFS_BLOCK_BYTES] = {0};

	memcpy(data, &f->sb, sizeof(f->sb));
	return fsck_write(f, block, data);
}

/*
 * Whole, but with more in it than this code knows: it is not for this code to
 * judge what is right there.
 */
static bool is_newer(const struct mapfs_super *sb)
{
	return memcmp(sb->magic, MAPFS_MAGIC, sizeof(sb->magic)) == 0 &&
	       sb->crc == mapfs_super_crc(sb) &&
	       (sb->version != MAPFS_VERSION || sb->incompat & ~MAPFS_INCOMPAT_KNOWN ||
		       sb->ro_compat & ~MAPFS_RO_COMPAT_KNOWN);
}

/* One good super block is enough, and repairs the other. */
static int check_supers(struct fsck *f)
{
	uint64_t last = f->dev->n_sectors / MAPFS_BLOCK_SECTORS - 1;
	struct mapfs_super copy;
	const char *fault, *copy_fault;

	if (f->dev->n_sectors < MAPFS_MIN_BLOCKS * MAPFS_BLOCK_SECTORS) {
		fsck_stuck(f, "the image is too small to hold a file system");
		return -EINVAL;
	}
	fault = super_fault(f, MAPFS_SUPER_BLOCK, &f->sb);
	if (is_newer(&f->sb)) {
		fsck_stuck(f, "super block: %s",
			fault ? fault : "it has features that this code may only read");
		return -EINVAL;
	}
	if (!fault)
		last = f->sb.n_blocks - 1;
	copy_fault = super_fault(f, last, &copy);
	if (fault && copy_fault) {
		fsck_stuck(f, "%s", fault);
		return -EINVAL;
	}
	if (fault) {
		f->sb = copy;
		if (fsck_problem(f, "super block: %s; its copy is good", fault))
			return write_super(f, MAPFS_SUPER_BLOCK);
	} else if (copy_fault || memcmp(&f->sb, &copy, sizeof(copy)) != 0) {
		if (fsck_problem(
			    f, "copy of the super block: %s", copy_fault ? copy_fault : "differs"))
			return write_super(f, last);
	}
	return 0;
}

/* --- Log --------------------------------------------------------------------------------- */

/*
 * What the log has is put in place when the image may be repaired, else it is found where it is.
 * A mount would do the same, so what was not replayed is no fault.
 */
static int check_log(struct fsck *f)
{
	int err = mapfs_recovery_scan(&f->log, f->dev, &f->sb);

	if (err == -EINVAL) {
		err = 0;
		if (fsck_problem(f, "head of the log %s", f->log.fault))
			err = mapfs_log_make(f->dev, &f->sb, true);
	} else if (!err && f->fix && mapfs_recovery_needed(&f->log)) {
		fsck_problem(f, "%llu groups of changes were in the log only",
			(unsigned long long)f->log.n_groups);
		err = mapfs_recovery_replay(&f->log);
	}
	if (err)
		fsck_stuck(f, "the log cannot be used (error %d)", -err);
	return err;
}

/* --- State ------------------------------------------------------------------------------- */

static const char *read_state(struct fsck *f, struct mapfs_state *state)
{
	uint64_t at = mapfs_recovery_find(&f->log, MAPFS_STATE_BLOCK);

	if (blk_read(f->dev, at * MAPFS_BLOCK_SECTORS, state, sizeof(*state)))
		return "cannot be read";
	return mapfs_block_fault(f->seed, state, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0);
}

/* Mark the inodes that are on the list of orphans: mount will finish them. */
static void walk_orphans(struct fsck *f)
{
	struct mapfs_state state;
	uint32_t ino;

	if (read_state(f, &state))
		return;
	for (ino = state.orphan_head; ino; ino = f->inodes[ino].d.orphan_next) {
		struct fsck_inode *inode = ino <= f->n_inodes ? &f->inodes[ino] : NULL;
		if (!inode || !inode->in_use || inode->orphan ||
			!(inode->d.flags & MAPFS_INODE_ORPHAN)) {
			fsck_problem(f, "the list of orphans is broken at inode %u", ino);
			return;
		}
		inode->orphan = true;
	}
}

/* Orphans were freed, counts are known: the file system is clean again. */
static void check_state(struct fsck *f, uint64_t free_blocks, uint64_t free_inodes)
{
	struct mapfs_state state;
	const char *fault = read_state(f, &state);

	if (fault)
		memset(&state, 0, sizeof(state));
	if (fault)
		fsck_problem(f, "state block %s", fault);
	else if (state.orphan_head && f->fix)
		fsck_problem(f, "the list of orphans begins with inode %u", state.orphan_head);
	else if (!state.clean && f->fix)
		fsck_problem(f, "was not cleanly unmounted");
	else if (state.clean &&
		 (state.free_blocks != free_blocks || state.free_inodes != free_inodes))
		fsck_problem(f, "free counts are %llu blocks, %llu inodes; should be %llu, %llu",
			(unsigned long long)state.free_blocks,
			(unsigned long long)state.free_inodes, (unsigned long long)free_blocks,
			(unsigned long long)free_inodes);
	if (!f->fix || f->found == 0)
		return;
	state.orphan_head = 0;
	state.clean = f->left == 0;
	state.free_blocks = free_blocks;
	state.free_inodes = free_inodes;
	fsck_write_metadata(f, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0, &state);
}

int image_is_clean(struct blkdev *dev)
{
	struct fsck f = {.dev = dev};
	struct mapfs_state state;
	bool clean;

	if (super_fault(&f, MAPFS_SUPER_BLOCK, &f.sb))
		return 8;
	f.seed = mapfs_crc_seed(&f.sb);
	clean = mapfs_recovery_scan(&f.log, dev, &f.sb) == 0 && !mapfs_recovery_needed(&f.log) &&
		read_state(&f, &state) == NULL && state.clean && state.orphan_head == 0;
	mapfs_recovery_free(&f.log);
	return !clean;
}

/* --- Bitmaps ----------------------------------------------------------------------------- */

static void set_bit(struct mapfs_bitmap *map, uint32_t i)
{
	map->bits[i / 8] |= (uint8_t)(1 << i % 8);
}

/* What the bitmap should be, but for its header. */
static void expected_block_map(struct fsck *f, uint32_t group, struct mapfs_bitmap *map)
{
	uint64_t first = mapfs_group_first(&f->sb, group);
	uint32_t length = mapfs_group_length(&f->sb, group);

	memset(map, 0, sizeof(*map));
	for (uint32_t i = 0; i < MAPFS_GROUP_BLOCKS; i++) {
		if (i < mapfs_group_overhead(&f->sb) || i >= length || f->owner[first + i])
			set_bit(map, i);
		else
			map->n_free++;
	}
}

static void expected_inode_map(struct fsck *f, uint32_t group, struct mapfs_bitmap *map)
{
	uint32_t first = group * f->sb.inodes_per_group + 1;

	memset(map, 0, sizeof(*map));
	for (uint32_t i = 0; i < MAPFS_GROUP_BLOCKS; i++) {
		if (i >= f->sb.inodes_per_group || f->inodes[first + i].in_use)
			set_bit(map, i);
		else
			map->n_free++;
	}
}

static void check_map(struct fsck *f, uint64_t block, enum mapfs_kind kind, uint32_t group,
	struct mapfs_bitmap *want)
{
	const char *what = kind == MAPFS_KIND_BLOCK_MAP ? "blocks" : "inodes";
	struct mapfs_bitmap map;
	const char *fault;

	if (fsck_read(f, block, &map))
		return;
	fault = mapfs_block_fault(f->seed, &map, block, kind, group);
	if (fault)
		fsck_problem(f, "bitmap of the %s of group %u %s", what, group, fault);
	else if (memcmp(map.bits, want->bits, sizeof(map.bits)) != 0)
		fsck_problem(f, "bitmap of the %s of group %u is wrong", what, group);
	else if (map.n_free != want->n_free)
		fsck_problem(f, "count of free %s of group %u is %u, should be %u", what, group,
			map.n_free, want->n_free);
	else
		return;
	if (f->fix)
		fsck_write_metadata(f, block, kind, group, want);
}

static void check_maps(struct fsck *f, uint64_t *free_blocks, uint64_t *free_inodes)
{
	struct mapfs_bitmap want;

	for (uint32_t g = 0; g < f->sb.n_groups; g++) {
		fsck_at("bitmaps", g, f->sb.n_groups);
		expected_block_map(f, g, &want);
		*free_blocks += want.n_free;
		check_map(f, mapfs_block_map_at(&f->sb, g), MAPFS_KIND_BLOCK_MAP, g, &want);
		expected_inode_map(f, g, &want);
		*free_inodes += want.n_free;
		check_map(f, mapfs_inode_map_at(&f->sb, g), MAPFS_KIND_INODE_MAP, g, &want);
	}
}

/* --- All --------------------------------------------------------------------------------- */

static void check_all(struct fsck *f)
{
	uint64_t free_blocks = 0, free_inodes = 0;

	f->seed = mapfs_crc_seed(&f->sb);
	if (check_log(f))
		return;
	f->n_inodes = f->sb.n_groups * f->sb.inodes_per_group;
	f->inodes = calloc((size_t)f->n_inodes + 1, sizeof(*f->inodes));
	f->owner = calloc(f->sb.n_blocks, sizeof(*f->owner));
	f->claim = calloc(f->sb.n_blocks, sizeof(*f->claim));
	if (!f->inodes || !f->owner || !f->claim)
		image_die(8, "out of memory");
	fsck_scan_inodes(f);
	fsck_settle_claims(f);
	walk_orphans(f);
	fsck_walk_tree(f);
	fsck_reconnect(f);
	fsck_link_counts(f);
	if (f->fix) {
		fsck_store_dirs(f);
		fsck_store_inodes(f);
	}
	check_maps(f, &free_blocks, &free_inodes);
	check_state(f, free_blocks, free_inodes);
}

void fsck_check(struct fsck *f)
{
	if (check_supers(f) == 0)
		check_all(f);
	if (f->fix && blk_flush(f->dev))
		fsck_stuck(f, "the image cannot be flushed");
}

void fsck_release(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++) {
		free(f->inodes[ino].piece);
		free(f->inodes[ino].node);
		fsck_dir_free(f->inodes[ino].dir);
	}
	free(f->inodes);
	free(f->owner);
	free(f->claim);
	mapfs_recovery_free(&f->log);
}

void (*image_fsck_at)(const char *phase, uint64_t done, uint64_t total);

void fsck_at(const char *phase, uint64_t done, uint64_t total)
{
	if (image_fsck_at)
		image_fsck_at(phase, done, total);
}

enum image_fsck_result image_fsck(struct blkdev *dev, bool fix, void (*say_line)(const char *line))
{
	struct fsck f = {.dev = dev, .fix = fix, .say = say_line};

	fsck_check(&f);
	fsck_release(&f);
	if (f.left)
		return IMAGE_ERRORS;
	return f.found ? IMAGE_FIXED : IMAGE_CLEAN;
}
