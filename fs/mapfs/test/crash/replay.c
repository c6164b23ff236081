// SPDX-License-Identifier: MIT
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT32_MAX

/* dm-log-writes: all numbers are little-endian, as are the hosts of these tests. */
#define LOG_MAGIC   0x6a736677736872u
#define LOG_VERSION 1u

enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };

struct log_super {
	uint64_t magic, version, n_entries;
	uint32_t sector_bytes;
};

struct log_entry {
	uint64_t sector, n_sectors, flags, mark_bytes;
};

bool replay_parse(const char *text, char folder[REPLAY_FOLDER_BYTES])
{
	return sscanf(text, "replay %1023[^\n]", folder) == 1;
}

/* A file of the folder; NULL: there is none. */
static FILE *open_in(const char *folder, const char *name)
{
	char path[REPLAY_FOLDER_BYTES + 16];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return fopen(path, "rb");
}

#define because(why, ...) (snprintf(why, 256, __VA_ARGS__), false)

/* --- The image --------------------------------------------------------------------------- */

static bool take_image(struct recording *r, const char *folder, char why[256])
{
	FILE *f = open_in(folder, "image");
	size_t bytes, got;
	uint8_t *data;

	if (!f)
		return because(why, "%.200s has no image", folder);
	fseek(f, 0, SEEK_END);
	bytes = (size_t)ftell(f);
	rewind(f);
	data = malloc(bytes + 1);
	got = fread(data, 1, bytes, f);
	fclose(f);
	world_make(&r->world, bytes, 0);
	testdisk_load(r->world.disk, data);
	free(data);
	return got == bytes || because(why, "the image cannot be read");
}

/* --- The log: its writes and flushes go to the test disk ---------------------------------- */

/* Where recording begins: when the disk has seen so many flushes. */
struct player {
	struct testdisk *disk;
	FILE *log;
	uint8_t *sector;
	uint32_t flushes, begin;
};

static void begin_if_due(struct player *p)
{
	if (p->flushes == p->begin)
		testdisk_begin_recording(p->disk);
}

static bool play_write(struct player *p, const struct log_entry *e)
{
	size_t bytes = e->n_sectors * BLK_SECTOR_BYTES;
	uint8_t *data;
	bool good;

	if (e->sector + e->n_sectors > p->disk->dev.n_sectors)
		return false;
	data = malloc(bytes + 1);
	good = fread(data, 1, bytes, p->log) == bytes &&
	       (bytes == 0 || blk_write(&p->disk->dev, e->sector, data, (uint32_t)bytes) == 0);
	free(data);
	return good;
}

static bool play_entry(struct player *p, char why[256])
{
	uint8_t sector[BLK_SECTOR_BYTES];
	struct log_entry e;

	if (fread(sector, sizeof(sector), 1, p->log) != 1)
		return because(why, "the log is too short");
	memcpy(&e, sector, sizeof(e));
	if (e.flags & ~(uint64_t)LOG_FLUSH)
		return because(why, "the log has flags %llx, which mapfs has no use for",
			(unsigned long long)e.flags);
	if (e.flags & LOG_FLUSH && blk_flush(&p->disk->dev))
		return because(why, "the test disk fails");
	if (!play_write(p, &e))
		return because(why, "an entry of the log is broken");
	p->flushes += (e.flags & LOG_FLUSH) != 0;
	if (e.flags & LOG_FLUSH)
		begin_if_due(p);
	return true;
}

static bool play(struct player *p, char why[256])
{
	uint8_t sector[BLK_SECTOR_BYTES];
	struct log_super super;

	if (fread(sector, sizeof(sector), 1, p->log) != 1)
		return because(why, "the log is empty");
	memcpy(&super, sector, sizeof(super));
	if (super.magic != LOG_MAGIC || super.version != LOG_VERSION ||
		super.sector_bytes != BLK_SECTOR_BYTES)
		return because(why, "the log is none of dm-log-writes with sectors of %u bytes",
			BLK_SECTOR_BYTES);
	begin_if_due(p);
	for (uint64_t i = 0; i < super.n_entries; i++)
		if (!play_entry(p, why))
			return false;
	return p->flushes >= p->begin || because(why, "the log ends before the workload begins");
}

static bool take_log(struct recording *r, const char *folder, uint32_t begin, char why[256])
{
	struct player p = {.disk = r->world.disk, .log = open_in(folder, "log"), .begin = begin};
	bool good = true;

	if (p.log) {
		good = play(&p, why);
		fclose(p.log);
	} else {
		testdisk_begin_recording(p.disk);
	}
	units_take(&r->units, p.disk);
	r->n_epochs = p.disk->epoch + 1;
	testdisk_rewind(p.disk);
	return good;
}

/* --- The calls --------------------------------------------------------------------------- */

struct call {
	uint32_t flushes;
	int64_t ns;
	int error; /* negative; UNHEARD */
	char text[OP_TEXT_BYTES];
};

#define UNHEARD 1

static bool read_call(FILE *f, struct call *c)
{
	char ended[8];
	long long ns;

	if (fscanf(f, "%u %lld %7s %95[^\n]", &c->flushes, &ns, ended, c->text) != 4)
		return false;
	c->ns = ns;
	c->error = strcmp(ended, "-") ? -atoi(ended) : UNHEARD;
	return true;
}

/* The model does what the guest has done, and they agree on how it ended. */
static bool apply_call(struct model *m, const struct call *c, struct op *op, char why[256])
{
	const char *text = c->text;
	int err, expected;

	err = op_next(&text, op);
	if (err || m->n_ops == MODEL_OPS)
		return because(why, "not an operation, or one too many: %s", c->text);
	expected = model_apply(m, op);
	if (c->error != UNHEARD && (c->error == 0) != (expected == 0))
		return because(
			why, "%s: the guest says %d, the model %d", c->text, c->error, expected);
	if (expected)
		model_refused(m);
	return true;
}

/* The epoch of the recording, which begins at so many flushes; NEVER: it has not begun. */
static uint32_t epoch_of(const struct call *c, uint32_t begin)
{
	return begin == NEVER ? 0 : c->flushes - begin;
}

/* What the last operation made durable is owed from this call on. */
static void note_synced(struct recording *r, unsigned first_sync, uint32_t epoch)
{
	for (unsigned i = first_sync; i < r->model->n_syncs; i++)
		r->synced[i] = epoch;
}

static bool take_calls(struct recording *r, FILE *f, uint32_t *begin, char why[256])
{
	unsigned syncs = 0;
	bool was_sync = false;
	struct call c;
	struct op op;

	*begin = NEVER;
	while (read_call(f, &c)) {
		if (was_sync && *begin == NEVER) {
			*begin = c.flushes;
			r->first_op = r->model->n_ops;
		}
		note_synced(r, syncs, epoch_of(&c, *begin));
		syncs = r->model->n_syncs;
		r->began_ns[r->model->n_ops] = c.ns;
		if (strcmp(c.text, "end") == 0) {
			model_synced(r->model);
			r->synced[syncs] = epoch_of(&c, *begin);
			return true;
		}
		r->called[r->model->n_ops] = epoch_of(&c, *begin);
		if (!apply_call(r->model, &c, &op, why))
			return false;
		was_sync = op.kind == OP_SYNC;
	}
	note_synced(r, syncs, NEVER);
	r->began_ns[r->model->n_ops] = INT64_MAX;
	return true;
}

bool replay_take(struct recording *r, const char *folder, char why[256])
{
	FILE *calls = open_in(folder, "calls");
	uint32_t begin;
	bool good;

	if (!take_image(r, folder, why))
		return false;
	if (!calls)
		return because(why, "%.200s has no calls", folder);
	good = take_calls(r, calls, &begin, why);
	fclose(calls);
	if (good && begin == NEVER)
		return because(why, "nothing comes behind a sync");
	return good && take_log(r, folder, begin, why);
}
