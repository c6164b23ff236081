// SPDX-License-Identifier: MIT
#include "lost.h"

#include <mapfs/format.h>

#include <stdio.h>
#include <string.h>

#define LOST_INDEX 1000u /* the operations' numbers: those of the workload are smaller */

bool loss_parse(const char **text, struct loss *loss)
{
	const char *bar = strchr(*text, '|');

	memset(loss, 0, sizeof(*loss));
	if (!bar || sscanf(*text, "lose %u of %[^|]", &loss->block, loss->ops) != 2)
		return false;
	*text = bar + 1;
	return true;
}

static int do_ops(const struct loss *loss, struct world *w)
{
	const char *at = loss->ops;
	unsigned index = LOST_INDEX;
	struct op op;
	int err;

	while ((err = op_next(&at, &op)) == 0) {
		err = op_run(w, &op, index++);
		if (err)
			return err;
	}
	return err == -ENOENT ? mount_sync_all() : err;
}

/* All of the epoch arrived, but for one block. */
static void lose_one(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask)
{
	struct loss *loss = arg;

	(void)i;
	for (uint32_t s = 0; s < w->n_sectors; s++) {
		loss->at += s > 0 && (w->first_sector + s) % UNIT_SECTORS == 0;
		mask[s] = loss->at != loss->block;
	}
	loss->at++;
}

/* While the first group was written to the log. */
static bool cut_first_group(struct loss *loss, struct testdisk *disk)
{
	struct units units;
	uint32_t kind = 0;
	size_t i, first;

	units_take(&units, disk);
	for (i = 0; i < units.n && kind != MAPFS_KIND_LOG_COMMIT; i++)
		memcpy(&kind, units.unit[i].data, sizeof(kind));
	if (kind == MAPFS_KIND_LOG_COMMIT) {
		uint32_t epoch = units.unit[i - 1].epoch;
		loss->block %= units_of_epoch(&units, epoch, &first) - first;
		testdisk_cut(disk, epoch, lose_one, loss);
	}
	units_free(&units);
	return kind == MAPFS_KIND_LOG_COMMIT;
}

bool loss_happens(struct loss *loss, struct world *w, char why[256])
{
	int err;

	testdisk_begin_recording(w->disk);
	err = do_ops(loss, w);
	world_unmount(w);
	if (!err && cut_first_group(loss, w->disk))
		return true;
	snprintf(why, 256, "nothing is lost (error %d) of %.200s", -err, loss->ops);
	return false;
}
