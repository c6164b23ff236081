// SPDX-License-Identifier: MIT
/*
 * Recovery: the log's groups that count, and where the newest copy of each block in them is.
 *
 * From the head's group on, groups are read and checked, one behind another, until one does not
 * count: a descriptor, a copy or the commit block is not what the checksums say, or is of another
 * round.  What is behind it was never durable: a group is written only after the one before it.
 *
 * The result is a map from blocks to their newest copies.  A mount that may write puts each copy
 * in its place and makes the log empty; the head that says so is written last, so a crash in
 * between finds the same groups again and does the same.  A mount that may not write, and
 * `fsck -n`, look blocks up in the map instead, and change nothing.
 *
 * Like all of layout.c this needs no mounted file system: fsck uses it as it is.
 */
#include "recover.h"

#include <fs/host.h>

#include <errno.h>
#include <string.h>

/* A page for a record and one for a copy. */
struct reader {
	struct mapfs_recovery *r;
	void *record, *copy;
};

static int read_block(const struct mapfs_recovery *r, uint64_t block, void *to)
{
	return blk_read(r->dev, block * MAPFS_BLOCK_SECTORS, to, MAPFS_BLOCK_BYTES);
}

/* --- The map ----------------------------------------------------------------------------- */

static struct mapfs_moved **bucket_of(struct mapfs_recovery *r, uint64_t block)
{
	return &r->bucket[block % MAPFS_RECOVERY_BUCKETS];
}

static struct mapfs_moved *moved_find(const struct mapfs_recovery *r, uint64_t block)
{
	struct mapfs_moved *m = r->bucket[block % MAPFS_RECOVERY_BUCKETS];

	while (m && m->block != block)
		m = m->next;
	return m;
}

static int moved_set(struct mapfs_recovery *r, uint64_t block, uint64_t copy)
{
	struct mapfs_moved *m = moved_find(r, block);

	if (!m) {
		m = fsh_alloc(sizeof(*m));
		if (!m)
			return -ENOMEM;
		m->block = block;
		m->next = *bucket_of(r, block);
		*bucket_of(r, block) = m;
		r->n_moved++;
	}
	m->copy = copy;
	return 0;
}

void mapfs_recovery_free(struct mapfs_recovery *r)
{
	struct mapfs_moved *m;

	for (unsigned i = 0; i < MAPFS_RECOVERY_BUCKETS; i++) {
		while ((m = r->bucket[i])) {
			r->bucket[i] = m->next;
			fsh_free(m);
		}
	}
	r->n_moved = 0;
}

bool mapfs_recovery_needed(const struct mapfs_recovery *r)
{
	return __atomic_load_n(&r->n_groups, __ATOMIC_ACQUIRE) > 0;
}

uint64_t mapfs_recovery_find(const struct mapfs_recovery *r, uint64_t block)
{
	const struct mapfs_moved *m = mapfs_recovery_needed(r) ? moved_find(r, block) : NULL;

	return m ? m->copy : block;
}

/* --- Heads ------------------------------------------------------------------------------- */

void mapfs_log_head_fill(struct mapfs_log_head *head, const struct mapfs_super *sb, unsigned which,
	struct mapfs_log_point tail)
{
	memset(head, 0, sizeof(*head));
	head->header.kind = MAPFS_KIND_LOG_HEAD;
	head->header.block = sb->log_start + which;
	head->header.owner = which;
	head->header.sequence = tail.sequence;
	head->offset = tail.position % mapfs_ring_blocks(sb);
	head->header.crc = mapfs_block_crc(mapfs_crc_seed(sb), head);
}

static const char *head_fault(
	const struct mapfs_recovery *r, unsigned which, const struct mapfs_log_head *head)
{
	const char *fault = mapfs_block_fault(
		r->seed, head, r->sb->log_start + which, MAPFS_KIND_LOG_HEAD, which);

	if (!fault && (head->offset >= mapfs_ring_blocks(r->sb) || head->header.sequence == 0))
		fault = "has impossible numbers";
	return fault;
}

static int read_heads(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	struct mapfs_log_head *head = reader->record;

	for (unsigned which = 0; which < MAPFS_LOG_HEADS; which++) {
		const char *fault;

		fault = "cannot be read";
		if (!read_block(r, r->sb->log_start + which, head))
			fault = head_fault(r, which, head);
		if (fault)
			r->fault = fault;
		if (fault || head->header.sequence <= r->tail.sequence)
			continue;
		r->head = which;
		r->tail = (struct mapfs_log_point){head->header.sequence, head->offset};
	}
	r->end = r->tail;
	return r->tail.sequence ? 0 : -EINVAL;
}

/* --- Groups ------------------------------------------------------------------------------ */

/*
 * The i-th block of the group at r->end, a record, into reader->record.
 * -ENOENT: it is not that.
 */
static int read_record(struct reader *reader, uint64_t i, enum mapfs_kind kind, uint32_t owner)
{
	struct mapfs_recovery *r = reader->r;
	uint64_t block = mapfs_ring_block(r->sb, r->end.position + i);
	const struct mapfs_header *h = reader->record;
	int err = read_block(r, block, reader->record);

	if (err)
		return err;
	if (mapfs_block_fault(r->seed, reader->record, block, kind, owner) ||
		h->sequence != r->end.sequence)
		return -ENOENT;
	return 0;
}

/* Blocks that a log may change: the state, and all of the groups. */
static bool may_hold_metadata(const struct mapfs_super *sb, uint64_t block)
{
	return block == MAPFS_STATE_BLOCK || mapfs_block_group(sb, block) < sb->n_groups;
}

static int check_copy(struct reader *reader, const struct mapfs_log_entry *e, uint64_t i)
{
	struct mapfs_recovery *r = reader->r;
	const struct mapfs_header *h = reader->copy;
	int err = read_block(r, mapfs_ring_block(r->sb, r->end.position + i), reader->copy);

	if (err)
		return err;
	if (mapfs_copy_crc(r->seed, reader->copy, e->kind) != e->crc ||
		mapfs_block_fault(r->seed, reader->copy, e->block, e->kind, h->owner) ||
		!may_hold_metadata(r->sb, e->block))
		return -ENOENT;
	return 0;
}

static int note_copy(struct reader *reader, const struct mapfs_log_entry *e, uint64_t i)
{
	struct mapfs_recovery *r = reader->r;

	return moved_set(r, e->block, mapfs_ring_block(r->sb, r->end.position + i));
}

/* A group as its descriptors have it. */
struct shape {
	uint32_t n_copies, n_descriptors;
};

/* One descriptor into reader->record; the first says how large the group is. */
static int read_descriptor(struct reader *reader, uint32_t index, struct shape *shape)
{
	const struct mapfs_log_blocks *d = reader->record;
	uint64_t ring = mapfs_ring_blocks(reader->r->sb);
	int err = read_record(reader, index, MAPFS_KIND_LOG_BLOCKS, index);

	if (err)
		return err;
	if (index == 0) {
		if (d->n_copies == 0 || mapfs_log_need(d->n_copies) > ring)
			return -ENOENT;
		shape->n_copies = d->n_copies;
		shape->n_descriptors = (uint32_t)mapfs_log_need(d->n_copies) - d->n_copies - 1;
	}
	return d->n_copies == shape->n_copies ? 0 : -ENOENT;
}

/* Do something with the i-th block of the group, a copy, and its entry. */
typedef int (*copy_visit)(struct reader *reader, const struct mapfs_log_entry *e, uint64_t i);

/* Visit all copies of the group at r->end.  -ENOENT: the group does not count. */
static int visit_copies(struct reader *reader, copy_visit visit, struct shape *shape)
{
	const struct mapfs_log_blocks *d = reader->record;
	uint32_t done = 0, index = 0;
	int err;

	do {
		err = read_descriptor(reader, index++, shape);
		for (uint32_t e = 0; !err && e < MAPFS_LOG_ENTRIES && done < shape->n_copies; e++)
			err = visit(reader, &d->entry[e], shape->n_descriptors + done++);
	} while (!err && index < shape->n_descriptors);
	return err;
}

static int check_commit(struct reader *reader, const struct shape *shape)
{
	const struct mapfs_log_commit *commit = reader->record;
	int err = read_record(reader, shape->n_descriptors + shape->n_copies, MAPFS_KIND_LOG_COMMIT,
		shape->n_descriptors);

	if (err)
		return err;
	return commit->n_copies == shape->n_copies ? 0 : -ENOENT;
}

/* The group at r->end, which moves behind it.  -ENOENT: there is none that counts. */
static int read_group(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	struct shape shape;
	int err;

	err = visit_copies(reader, check_copy, &shape);
	if (!err)
		err = check_commit(reader, &shape);
	if (!err)
		err = visit_copies(reader, note_copy, &shape);
	if (err)
		return err;
	r->end.sequence++;
	r->end.position += mapfs_log_need(shape.n_copies);
	r->n_groups++;
	r->n_copies += shape.n_copies;
	return 0;
}

/* Does the ring have a record of a group that is newer than the oldest one?  Then -EINVAL. */
static int search_newer(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	const struct mapfs_header *h = reader->record;
	int err = 0;

	for (uint64_t i = 0; i < mapfs_ring_blocks(r->sb) && !err; i++) {
		uint64_t block = mapfs_ring_block(r->sb, i);

		err = read_block(r, block, reader->record);
		if (!err && h->sequence > r->tail.sequence &&
			(h->kind == MAPFS_KIND_LOG_BLOCKS || h->kind == MAPFS_KIND_LOG_COMMIT) &&
			!mapfs_block_fault(r->seed, h, block, h->kind, h->owner))
			err = -EINVAL;
	}
	return err;
}

/*
 * A head is damaged when a crash tore it, or its sector is bad.  Then the other one still leads to
 * all there is.  When it leads to nothing, though there are groups, the damage is of another kind,
 * and what the damaged head led to is not to be lost in silence.
 */
static int scan(struct reader *reader)
{
	int err = read_heads(reader);

	while (!err)
		err = read_group(reader);
	if (err != -ENOENT)
		return err;
	return reader->r->fault && reader->r->n_groups == 0 ? search_newer(reader) : 0;
}

/* Run with a reader's two pages. */
static int with_reader(struct mapfs_recovery *r, int (*run)(struct reader *reader))
{
	struct reader reader = {r, fsh_page_alloc(), fsh_page_alloc()};
	int err = reader.record && reader.copy ? run(&reader) : -ENOMEM;

	fsh_page_free(reader.record);
	fsh_page_free(reader.copy);
	return err;
}

int mapfs_recovery_scan(struct mapfs_recovery *r, struct blkdev *dev, const struct mapfs_super *sb)
{
	memset(r, 0, sizeof(*r));
	r->dev = dev;
	r->sb = sb;
	r->seed = mapfs_crc_seed(sb);
	return with_reader(r, scan);
}

/* --- Replay ------------------------------------------------------------------------------ */

static int put_in_place(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	int err = 0;

	for (unsigned i = 0; i < MAPFS_RECOVERY_BUCKETS; i++) {
		for (struct mapfs_moved *m = r->bucket[i]; m && !err; m = m->next) {
			err = read_block(r, m->copy, reader->copy);
			if (!err)
				err = blk_write(r->dev, m->block * MAPFS_BLOCK_SECTORS,
					reader->copy, MAPFS_BLOCK_BYTES);
		}
	}
	return err ? err : blk_flush(r->dev);
}

static int write_head(struct mapfs_recovery *r, unsigned which, void *page)
{
	struct mapfs_log_head *head = page;

	mapfs_log_head_fill(head, r->sb, which, r->end);
	return blk_write(r->dev, head->header.block * MAPFS_BLOCK_SECTORS, page, MAPFS_BLOCK_BYTES);
}

static int replay(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	int err = put_in_place(reader);

	if (!err)
		err = write_head(r, !r->head, reader->record);
	if (!err)
		err = blk_flush(r->dev);
	if (err)
		return err;
	r->head = !r->head;
	r->tail = r->end;
	__atomic_store_n(&r->n_groups, 0, __ATOMIC_RELEASE);
	return 0;
}

int mapfs_recovery_replay(struct mapfs_recovery *r)
{
	return mapfs_recovery_needed(r) ? with_reader(r, replay) : 0;
}

/* --- A new log --------------------------------------------------------------------------- */

/* Nothing that an earlier file system of this UUID left may seem to be a group. */
static int clear_ring(struct reader *reader)
{
	struct mapfs_recovery *r = reader->r;
	int err = 0;

	memset(reader->copy, 0, MAPFS_BLOCK_BYTES);
	for (uint64_t i = 0; i < mapfs_ring_blocks(r->sb) && !err; i++)
		err = blk_write(r->dev, mapfs_ring_block(r->sb, i) * MAPFS_BLOCK_SECTORS,
			reader->copy, MAPFS_BLOCK_BYTES);
	return err ? err : blk_flush(r->dev);
}

static int write_heads(struct reader *reader)
{
	int err = 0;

	for (unsigned which = 0; which < MAPFS_LOG_HEADS && !err; which++)
		err = write_head(reader->r, which, reader->record);
	return err;
}

int mapfs_log_make(struct blkdev *dev, const struct mapfs_super *sb, bool clear)
{
	struct mapfs_recovery r = {.dev = dev, .sb = sb, .end = {.sequence = 1}};
	int err = clear ? with_reader(&r, clear_ring) : 0;

	return err ? err : with_reader(&r, write_heads);
}
