// SPDX-License-Identifier: MIT
/*
 * Blocks and inode numbers.
 *
 * A bit of a group is in one of five states; the bitmap block has what is (or is about to be)
 * durable, the held bitmap what only memory knows:
 *
 *	bitmap held
 *	  0     0    free
 *	  0     1    claimed: somebody writes to it, nothing refers to it yet   --publish--> in use
 *	  1     0    in use
 *	  1     1    about to be freed by a transaction that gathers
 *	  0     1    freed, in quarantine: data until the transaction that freed it is durable,
 *	             metadata until the log has no copy of it any more (journal.c)
 *
 * Claiming touches no transaction, so data is written to claimed blocks first and the claim is
 * published afterwards in a short one; after a crash in between the block is simply free.
 *
 * Only what is in use can be freed, and by one transaction: where damage gives a block two owners,
 * or two places in one file, the second to free it is refused, else somebody else's data would be
 * free. A bitmap that is damaged, or cannot be read, is not searched; met while mounting, it makes
 * the mount read-only.
 *
 * The promise that a write will find its block is a count, `reserved` (space.c): claims consume it.
 */
#include "mapfs.h"

#include <string.h>

/* Groups that are searched for a run as long as wanted before the best one so far is taken. */
#define SEARCH_GROUPS 8

static uint32_t group_bits(const struct mapfs *fs, enum mapfs_space_kind kind, uint32_t group)
{
	return kind == MAPFS_BLOCKS ? mapfs_group_length(&fs->sb, group) : fs->sb.inodes_per_group;
}

static uint64_t unit_at(
	const struct mapfs *fs, enum mapfs_space_kind kind, uint32_t group, uint32_t bit)
{
	if (kind == MAPFS_BLOCKS)
		return mapfs_group_first(&fs->sb, group) + bit;
	return (uint64_t)group * fs->sb.inodes_per_group + bit + 1;
}

/* The group and the bit of a block or an inode; group 0 for what is in none. */
static uint32_t locate(
	const struct mapfs *fs, enum mapfs_space_kind kind, uint64_t unit, uint32_t *bit)
{
	uint32_t group;

	if (kind == MAPFS_BLOCKS) {
		group = mapfs_block_group(&fs->sb, unit);
		*bit = (uint32_t)(unit - mapfs_group_first(&fs->sb, group));
	} else {
		group = (uint32_t)((unit - 1) / fs->sb.inodes_per_group);
		*bit = (uint32_t)((unit - 1) % fs->sb.inodes_per_group);
	}
	if (group < fs->sb.n_groups)
		return group;
	*bit = 0;
	return 0;
}

static int map_get(
	struct mapfs *fs, enum mapfs_space_kind kind, uint32_t group, struct mapfs_buf **out)
{
	if (kind == MAPFS_BLOCKS)
		return mapfs_buf_get(
			fs, mapfs_block_map_at(&fs->sb, group), MAPFS_KIND_BLOCK_MAP, group, out);
	return mapfs_buf_get(
		fs, mapfs_inode_map_at(&fs->sb, group), MAPFS_KIND_INODE_MAP, group, out);
}

static struct mapfs_bitmap *bitmap_of(struct mapfs_buf *map)
{
	return map->data;
}

static void set_bits(uint64_t *map, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		map[i / 64] |= (uint64_t)1 << i % 64;
}

static void clear_bits(uint64_t *map, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		map[i / 64] &= ~((uint64_t)1 << i % 64);
}

void mapfs_alloc_init(struct mapfs *fs)
{
	fsh_mutex_init(&fs->alloc_lock, "mapfs alloc", FSH_RANK_ALLOC);
	fsh_spin_init(&fs->space_lock, "mapfs space");
}

/* A mount for reading needs no bitmaps, and one of their groups is not worth the others' files. */
static int count_free(struct mapfs *fs, enum mapfs_space_kind kind, uint32_t group)
{
	struct mapfs_buf *map;
	int err = map_get(fs, kind, group, &map);

	if (err == -ENOMEM)
		return err;
	if (err) {
		fsh_log("mapfs %s: a bitmap of group %u: read-only until fsck has seen it",
			fs->dev->name, group);
		fs->read_only = true;
		return 0;
	}
	fs->groups[group].n_free[kind] = bitmap_of(map)->n_free;
	fs->space[kind].free += bitmap_of(map)->n_free;
	mapfs_buf_put(fs, map);
	return 0;
}

int mapfs_alloc_read(struct mapfs *fs)
{
	int err = 0;

	fs->groups = fsh_alloc(fs->sb.n_groups * sizeof(fs->groups[0]));
	if (!fs->groups)
		return -ENOMEM;
	for (uint32_t g = 0; g < fs->sb.n_groups; g++) {
		for (unsigned kind = 0; kind < MAPFS_SPACE_KINDS && !err; kind++) {
			err = count_free(fs, kind, g);
			fs->space[kind].total += group_bits(fs, kind, g);
		}
		fs->space[MAPFS_BLOCKS].total -= mapfs_group_overhead(&fs->sb);
	}
	return err;
}

void mapfs_alloc_destroy(struct mapfs *fs)
{
	for (uint32_t g = 0; fs->groups && g < fs->sb.n_groups; g++)
		for (unsigned kind = 0; kind < MAPFS_SPACE_KINDS; kind++)
			if (fs->groups[g].held[kind])
				fsh_page_free(fs->groups[g].held[kind]);
	fsh_free(fs->groups);
	fsh_mutex_destroy(&fs->alloc_lock);
}

/* --- Searching --------------------------------------------------------------------------- */

struct search {
	const uint64_t *map, *held;
	uint32_t bits;
	uint32_t best, best_count;
};

static uint64_t taken_word(const struct search *s, uint32_t i)
{
	return s->map[i / 64] | s->held[i / 64];
}

static bool taken(const struct search *s, uint32_t i)
{
	return taken_word(s, i) >> i % 64 & 1;
}

/* How long is the run of free bits at i, up to max? */
static uint32_t run_length(const struct search *s, uint32_t i, uint32_t max)
{
	uint32_t end = s->bits - i < max ? s->bits : i + max;
	uint32_t at = i;

	while (at < end && !taken(s, at))
		at += at % 64 == 0 && end - at >= 64 && taken_word(s, at) == 0 ? 64 : 1;
	return at - i;
}

/* Look in [from, to) for a run of `want`, and remember the longest one. */
static void search_runs(struct search *s, uint32_t from, uint32_t to, uint32_t want)
{
	uint32_t i = from, count;

	while (i < to && s->best_count < want) {
		if (i % 64 == 0 && taken_word(s, i) == ~(uint64_t)0) {
			i += 64;
			continue;
		}
		count = run_length(s, i, want);
		if (count > s->best_count) {
			s->best = i;
			s->best_count = count;
		}
		i += count + 1;
	}
}

/* In one group: at the goal whatever the length, else the first that is long enough, else best. */
static void search_group(struct search *s, uint32_t goal, uint32_t want)
{
	s->best_count = goal ? run_length(s, goal, want) : 0;
	s->best = goal;
	if (s->best_count)
		return;
	search_runs(s, goal, s->bits, want);
	search_runs(s, 0, goal, want);
}

static int held_get(struct mapfs *fs, enum mapfs_space_kind kind, uint32_t group)
{
	uint64_t **held = &fs->groups[group].held[kind];

	if (*held)
		return 0;
	*held = fsh_page_alloc();
	if (!*held)
		return -ENOMEM;
	memset(*held, 0, MAPFS_BLOCK_BYTES);
	return 0;
}

/*
 * Search one group; when it has a better run than *run, that one (with its map pinned) goes in.
 */
static int try_group(
	struct mapfs *fs, struct mapfs_run *run, uint32_t group, uint32_t goal, uint32_t want)
{
	struct mapfs_buf *map;
	struct search s;
	int err;

	err = held_get(fs, run->kind, group);
	if (!err)
		err = map_get(fs, run->kind, group, &map);
	if (err)
		return err;
	s.map = (const uint64_t *)bitmap_of(map)->bits;
	s.held = fs->groups[group].held[run->kind];
	s.bits = group_bits(fs, run->kind, group);
	search_group(&s, goal, want);
	if (s.best_count <= run->count) {
		mapfs_buf_put(fs, map);
		return 0;
	}
	mapfs_buf_put(fs, run->map);
	run->map = map;
	run->group = group;
	run->first = s.best;
	run->count = s.best_count;
	return 0;
}

/* A run that goes on where the caller's last one ended is better than a long one. */
static bool at_goal(const struct mapfs_run *run, uint32_t group, uint32_t bit)
{
	return run->count && bit && run->group == group && run->first == bit;
}

static int search_all(struct mapfs *fs, struct mapfs_run *run, uint64_t goal, uint32_t want)
{
	uint32_t bit, group = locate(fs, run->kind, goal, &bit), searched = 0;
	int err, none = -ENOSPC;

	for (uint32_t n = 0; n < fs->sb.n_groups; n++, bit = 0) {
		uint32_t g = (group + n) % fs->sb.n_groups;
		if (fs->groups[g].n_free[run->kind] == 0)
			continue;
		err = try_group(fs, run, g, bit, want);
		if (err == -EIO)
			none = err; /* but another group may have some */
		else if (err)
			return err;
		if (run->count == want || at_goal(run, g, bit) || ++searched == SEARCH_GROUPS)
			break;
	}
	return run->count ? 0 : none;
}

static void run_free(struct mapfs *fs, struct mapfs_run *run)
{
	mapfs_buf_put(fs, run->map);
	fsh_free(run);
}

/* Free bits become held ones, out of the reservation. */
static void hold(struct mapfs *fs, struct mapfs_run *run)
{
	struct mapfs_space *space = &fs->space[run->kind];

	set_bits(fs->groups[run->group].held[run->kind], run->first, run->count);
	fs->groups[run->group].n_free[run->kind] -= run->count;
	fsh_spin_lock(&fs->space_lock);
	space->free -= run->count;
	if (run->kind == MAPFS_BLOCKS)
		space->reserved -= run->count;
	fsh_spin_unlock(&fs->space_lock);
}

/* The reverse; or a quarantine ends. */
static void unhold(struct mapfs *fs, struct mapfs_run *run, bool reserve, bool quarantined)
{
	struct mapfs_space *space = &fs->space[run->kind];

	clear_bits(fs->groups[run->group].held[run->kind], run->first, run->count);
	fs->groups[run->group].n_free[run->kind] += run->count;
	fsh_spin_lock(&fs->space_lock);
	space->free += run->count;
	if (reserve)
		space->reserved += run->count;
	if (quarantined)
		space->quarantined -= run->count;
	fsh_spin_unlock(&fs->space_lock);
}

int mapfs_claim(struct mapfs *fs, enum mapfs_space_kind kind, uint64_t goal, uint32_t want,
	struct mapfs_run **out)
{
	struct mapfs_run *run;
	int err;

	run = fsh_alloc(sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->kind = kind;
	fsh_mutex_lock(&fs->alloc_lock);
	err = search_all(fs, run, goal, want);
	if (!err) {
		hold(fs, run);
		run->start = unit_at(fs, kind, run->group, run->first);
	}
	fsh_mutex_unlock(&fs->alloc_lock);
	if (err)
		run_free(fs, run);
	else
		*out = run;
	return err;
}

void mapfs_unclaim(struct mapfs *fs, struct mapfs_run *run)
{
	fsh_mutex_lock(&fs->alloc_lock);
	unhold(fs, run, run->kind == MAPFS_BLOCKS, false);
	fsh_mutex_unlock(&fs->alloc_lock);
	run_free(fs, run);
}

void mapfs_publish(struct mapfs_txn *txn, struct mapfs_run *run)
{
	struct mapfs *fs = txn->fs;

	fsh_mutex_lock(&fs->alloc_lock);
	set_bits((uint64_t *)bitmap_of(run->map)->bits, run->first, run->count);
	bitmap_of(run->map)->n_free -= run->count;
	clear_bits(fs->groups[run->group].held[run->kind], run->first, run->count);
	mapfs_txn_dirty(txn, run->map);
	fsh_mutex_unlock(&fs->alloc_lock);
	run_free(fs, run);
}

/* In use, and nobody else is about to free any of it. */
static bool may_be_freed(const struct mapfs *fs, const struct mapfs_run *run)
{
	const uint64_t *map = (const uint64_t *)bitmap_of(run->map)->bits;
	const uint64_t *held = fs->groups[run->group].held[run->kind];

	for (uint32_t i = run->first; i < run->first + run->count; i++)
		if (!(map[i / 64] & ~held[i / 64] & (uint64_t)1 << i % 64))
			return false;
	return true;
}

/* Pin the bitmap of a run that is to be freed, and mark the run. */
static int hold_to_free(struct mapfs *fs, struct mapfs_run *run)
{
	int err = held_get(fs, run->kind, run->group);

	if (!err)
		err = map_get(fs, run->kind, run->group, &run->map);
	if (err)
		return err;
	if (!may_be_freed(fs, run))
		return mapfs_damaged(fs, run->kind == MAPFS_BLOCKS ? "block" : "inode", run->start,
			"is to be freed but is not in use");
	set_bits(fs->groups[run->group].held[run->kind], run->first, run->count);
	return 0;
}

int mapfs_free_prepare(struct mapfs *fs, enum mapfs_space_kind kind, uint64_t start, uint32_t count,
	struct mapfs_run **out)
{
	struct mapfs_run *run = fsh_alloc(sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->kind = kind;
	run->start = start;
	run->count = count;
	run->group = locate(fs, kind, start, &run->first);
	fsh_mutex_lock(&fs->alloc_lock);
	err = hold_to_free(fs, run);
	fsh_mutex_unlock(&fs->alloc_lock);
	if (err)
		run_free(fs, run);
	else
		*out = run;
	return err;
}

void mapfs_free_cancel(struct mapfs *fs, struct mapfs_run *run)
{
	fsh_mutex_lock(&fs->alloc_lock);
	clear_bits(fs->groups[run->group].held[run->kind], run->first, run->count);
	fsh_mutex_unlock(&fs->alloc_lock);
	run_free(fs, run);
}

void mapfs_free(struct mapfs_txn *txn, struct mapfs_run *run)
{
	struct mapfs *fs = txn->fs;

	fsh_mutex_lock(&fs->alloc_lock);
	clear_bits((uint64_t *)bitmap_of(run->map)->bits, run->first, run->count);
	bitmap_of(run->map)->n_free += run->count;
	fsh_spin_lock(&fs->space_lock);
	fs->space[run->kind].quarantined += run->count;
	fsh_spin_unlock(&fs->space_lock);
	mapfs_txn_dirty(txn, run->map);
	fsh_mutex_unlock(&fs->alloc_lock);
	mapfs_txn_quarantine(txn, run);
}

void mapfs_release_quarantine(struct mapfs *fs, struct mapfs_run *freed)
{
	struct mapfs_run *next;

	for (struct mapfs_run *run = freed; run; run = next) {
		next = run->next;
		fsh_mutex_lock(&fs->alloc_lock);
		unhold(fs, run, false, true);
		fsh_mutex_unlock(&fs->alloc_lock);
		run_free(fs, run);
	}
}

void mapfs_txn_pin_map(struct mapfs_txn *txn, struct mapfs_run *run)
{
	mapfs_txn_pin(txn, mapfs_buf_ref(txn->fs, run->map));
}
