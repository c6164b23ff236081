// SPDX-License-Identifier: MIT
#include "record.h"

#include "lost.h"
#include "meet.h"
#include "replay.h"

#include <fs_posix.h>
#include <mapfs/layout.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * As small as it may be: an image is read and checked in a millisecond or two.  The log's ring has
 * 63 blocks, so that groups of one block (which take three of it) begin in the same places each
 * time that it goes round.
 */
#define DISK_BYTES  (260u * MAPFS_BLOCK_BYTES)
#define DISK_INODES 32

#define MOST_READS 100000

/*
 * What workloads work on: a file of three whole blocks, one that is smaller than a block and has
 * two names, one in a directory with a partial last block, an empty directory that has a block, and
 * a file with so many holes that its extents need a tree.
 */
static const char beginning[] =
	"mkdir /d; mkdir /e; create /e/t; unlink /e/t; create /a; write /a 0 12288; create /b; "
	"write /b 0 700; link /b /d/h; create /d/f; write /d/f 0 4500; create /x; ";
#define HOLES 15u /* and as many extents and one, beyond what an inode holds */

static bool disagree(char why[256], const struct op *op, int err, int expected)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	snprintf(why, 256, "%s: the file system says %d, the model %d", text, err, expected);
	return false;
}

/* The file system has done the next operation, and it has returned: now the model does. */
static bool model_op(struct recording *r, const struct op *op, int err, char why[256])
{
	struct model *m = r->model;
	unsigned index = m->n_ops;
	int expected;

	r->began_ns[index] = op_time_ns(index);
	expected = err == -EOPNOTSUPP ? -EOPNOTSUPP : model_apply(m, op);
	if ((err == 0) != (expected == 0))
		return disagree(why, op, err, expected);
	if (err)
		model_refused(m);
	for (unsigned i = 0; i < m->n_syncs; i++)
		if (m->sync[i].op == index)
			r->synced[i] = r->world.disk->epoch;
	return true;
}

static bool do_op(struct recording *r, const struct op *op, char why[256])
{
	unsigned index = r->model->n_ops;

	r->called[index] = r->world.disk->epoch;
	return model_op(r, op, op_run(&r->world, op, index), why);
}

static bool syncs(const struct op *op)
{
	return op->kind == OP_FSYNC || op->kind == OP_FDATASYNC || op->kind == OP_MSYNC ||
	       op->kind == OP_SYNC;
}

/* The sync comes first: what was called while it was under way is not owed. */
static bool do_both(
	struct recording *r, const struct op *first, const struct op *then, char why[256])
{
	unsigned index = r->model->n_ops;
	struct meeting m = {{*first, *then}, {index, index + 1}, 0, {0}};

	if (!syncs(first) || syncs(then)) {
		snprintf(why, 256, "only what syncs can be met, by what does not");
		return false;
	}
	r->called[index] = r->world.disk->epoch;
	if (!meet(&r->world, &m)) {
		snprintf(why, 256, "what meets a sync waits for it");
		return false;
	}
	r->called[index + 1] = m.called;
	return model_op(r, first, m.err[0], why) && model_op(r, then, m.err[1], why);
}

static bool do_all(struct recording *r, const char *text, char why[256])
{
	const char *at = text;
	struct op op, then;
	int err;

	while ((err = op_next(&at, &op)) == 0) {
		if (op.meets && (err = op_next(&at, &then)) != 0)
			break;
		if (op.meets ? !do_both(r, &op, &then, why) : !do_op(r, &op, why))
			return false;
	}
	if (err != -ENOENT)
		snprintf(why, 256, "not operations: %.200s", text);
	return err == -ENOENT;
}

static bool do_beginning(struct recording *r, char why[256])
{
	char text[RECORD_TEXT_BYTES];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s", beginning);

	for (unsigned i = 0; i <= HOLES; i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "write /x %u 4096; ", i * 2 * 4096);
	snprintf(text + at, sizeof(text) - at, "sync");
	return do_all(r, text, why);
}

/*
 * "wide N M | " begins the text: the beginning also makes a directory /w with N long names of one
 * file, "/w/1~" to "/w/N~", and removes the first M of them.
 */
static bool do_wide(struct recording *r, const char **text, char why[256])
{
	char ops[RECORD_TEXT_BYTES];
	unsigned n, gone;
	size_t at;
	int end = 0;

	if (sscanf(*text, "wide %u %u | %n", &n, &gone, &end) != 2 || !end)
		return true;
	*text += end;
	at = (size_t)snprintf(ops, sizeof(ops), "mkdir /w; create /w/1~; ");
	for (unsigned i = 2; i <= n; i++)
		at += (size_t)snprintf(ops + at, sizeof(ops) - at, "link /w/1~ /w/%u~; ", i);
	for (unsigned i = 1; i <= gone; i++)
		at += (size_t)snprintf(ops + at, sizeof(ops) - at, "unlink /w/%u~; ", i);
	snprintf(ops + at, sizeof(ops) - at, "sync");
	return do_all(r, ops, why);
}

/* What is free holds what was there before: nothing of it may ever be seen. */
static void fill_free_blocks(struct testdisk *disk)
{
	const struct mapfs_super *sb = testdisk_block(disk, MAPFS_SUPER_BLOCK);
	const struct mapfs_bitmap *map = testdisk_block(disk, mapfs_block_map_at(sb, 0));
	uint64_t first = mapfs_group_first(sb, 0);

	for (uint32_t i = 0; i < mapfs_group_length(sb, 0); i++)
		if (!(map->bits[i / 8] >> i % 8 & 1))
			memset(testdisk_block(disk, first + i), 0xf5, MAPFS_BLOCK_BYTES);
}

static bool mount(struct recording *r, char why[256])
{
	int err = world_try_mount(&r->world);

	if (err)
		snprintf(why, 256, "cannot be mounted: error %d: %.200s", -err, world_said());
	return !err;
}

/*
 * Nothing is open or dirty, so nothing is promised any more: there is as much room as a new mount
 * finds.  That mount is not part of the recording.
 */
static bool compare_space(struct recording *r, const struct fs_stat *before, char why[256])
{
	struct fs_stat after;

	r->n_epochs = r->world.disk->epoch + 1;
	units_take(&r->units, r->world.disk);
	if (!mount(r, why))
		return false;
	after = world_statfs(&r->world);
	world_unmount(&r->world);
	if (before->free_blocks == after.free_blocks && before->free_inodes == after.free_inodes)
		return true;
	snprintf(why, 256, "%llu blocks and %llu inodes are free, after a new mount %llu and %llu",
		(unsigned long long)before->free_blocks, (unsigned long long)before->free_inodes,
		(unsigned long long)after.free_blocks, (unsigned long long)after.free_inodes);
	return false;
}

/* What the workload begins with is on the disk, and its text is at *text. */
static bool prepare(struct recording *r, const char **text, char why[256])
{
	struct loss loss;

	if (!mount(r, why))
		return false;
	if (!do_beginning(r, why) || !do_wide(r, text, why)) {
		world_unmount(&r->world);
		return false;
	}
	r->first_op = r->model->n_ops;
	if (loss_parse(text, &loss))
		return loss_happens(&loss, &r->world, why);
	world_unmount(&r->world);
	fill_free_blocks(r->world.disk);
	return true;
}

static bool record(struct recording *r, const char *text, char why[256])
{
	struct fs_stat before;
	bool good;

	if (!prepare(r, &text, why))
		return false;
	testdisk_begin_recording(r->world.disk);
	memset(r->called, 0, sizeof(r->called));
	memset(r->synced, 0, sizeof(r->synced));
	if (!mount(r, why))
		return false;
	good = do_all(r, text, why);
	op_release();
	before = world_statfs(&r->world);
	world_unmount(&r->world);
	if (!good || !compare_space(r, &before, why))
		return false;
	model_synced(r->model);
	r->synced[r->model->n_syncs - 1] = r->n_epochs - 1;
	r->began_ns[r->model->n_ops] = op_time_ns(r->model->n_ops);
	return true;
}

void record_limit_reads(struct testdisk *disk, bool limit)
{
	disk->fault[TESTDISK_READ] =
		(struct testdisk_fault){.countdown = limit ? MOST_READS : 0, .forever = true};
}

/* As the text says: here, or by a guest. */
static bool record_any(struct recording *r, const char *text, char why[256])
{
	char folder[REPLAY_FOLDER_BYTES];
	bool good;

	if (replay_parse(text, folder))
		return replay_take(r, folder, why);
	world_make(&r->world, DISK_BYTES, DISK_INODES);
	record_limit_reads(r->world.disk, true);
	good = record(r, text, why);
	record_limit_reads(r->world.disk, false);
	testdisk_rewind(r->world.disk);
	return good;
}

bool record_workload(struct recording *r, const char *text, char why[256])
{
	bool good;

	memset(r, 0, sizeof(*r));
	fsh_posix_fixed_time_ns = op_time_ns(0);
	r->model = model_new();
	good = record_any(r, text, why);
	if (!good)
		record_free(r);
	return good;
}

void record_free(struct recording *r)
{
	units_free(&r->units);
	model_free(r->model);
	if (r->world.disk)
		world_free(&r->world);
}
