// SPDX-License-Identifier: MIT
#include "record.h"

#include <fs_posix.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As small as it may be: an image is read and checked in a millisecond or two. */
#define DISK_BYTES  (2u << 20)
#define DISK_INODES 32

/*
 * What workloads work on: a file of three whole blocks, one that is smaller than a block and has two
 * names, one in a directory with a partial last block, an empty directory.
 */
static const char beginning[] =
	"mkdir /d; mkdir /e; create /a; write /a 0 12288; create /b; write /b 0 700; link /b /d/h; "
	"create /d/f; write /d/f 0 4500; sync";

static bool disagree(char why[256], const struct op *op, int err, int expected)
{
	char text[OP_TEXT_BYTES];

	op_print(op, text);
	snprintf(why, 256, "%s: the file system says %d, the model %d", text, err, expected);
	return false;
}

/* An operation, really and in the model. */
static bool do_op(struct recording *r, const struct op *op, char why[256])
{
	struct model *m = r->model;
	unsigned index = m->n_ops;
	int err, expected;

	r->called[index] = r->world.disk->epoch;
	err = op_run(&r->world, op, index);
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

static bool do_all(struct recording *r, const char *text, char why[256])
{
	char copy[RECORD_TEXT_BYTES], *rest = copy, *word;
	struct op op;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strtok_r(rest, ";", &rest))) {
		word += strspn(word, " ");
		if (op_parse(word, &op)) {
			snprintf(why, 256, "not an operation: %s", word);
			return false;
		}
		if (!do_op(r, &op, why))
			return false;
	}
	return true;
}

static bool record(struct recording *r, const char *text, char why[256])
{
	bool good;

	world_mount(&r->world);
	good = do_all(r, beginning, why);
	world_unmount(&r->world);
	r->first_op = r->model->n_ops;
	testdisk_begin_recording(r->world.disk);
	memset(r->called, 0, sizeof(r->called));
	memset(r->synced, 0, sizeof(r->synced));
	world_mount(&r->world);
	good = good && do_all(r, text, why);
	op_release_held();
	world_unmount(&r->world);
	return good;
}

bool record_workload(struct recording *r, const char *text, char why[256])
{
	bool good;

	memset(r, 0, sizeof(*r));
	fsh_posix_fixed_time_ns = op_time_ns(0);
	world_make(&r->world, DISK_BYTES, DISK_INODES);
	r->model = model_new();
	good = record(r, text, why);
	model_synced(r->model);
	r->synced[r->model->n_syncs - 1] = r->world.disk->epoch;
	r->n_epochs = r->world.disk->epoch + 1;
	units_take(&r->units, r->world.disk);
	testdisk_rewind(r->world.disk);
	if (!good)
		record_free(r);
	return good;
}

void record_free(struct recording *r)
{
	units_free(&r->units);
	model_free(r->model);
	world_free(&r->world);
}
