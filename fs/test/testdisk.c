// SPDX-License-Identifier: MIT
#include "testdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t disk_bytes(const struct testdisk *disk)
{
	return disk->dev.n_sectors * BLK_SECTOR_BYTES;
}

static void *map_zeroes(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* Apply the sectors of a write that mask allows (NULL: all). */
static void apply(uint8_t *to, const struct testdisk_write *w, const uint8_t *mask)
{
	for (uint32_t s = 0; s < w->n_sectors; s++)
		if (!mask || mask[s])
			memcpy(to + (w->first_sector + s) * BLK_SECTOR_BYTES,
				w->data + (size_t)s * BLK_SECTOR_BYTES, BLK_SECTOR_BYTES);
}

static void log_add(struct testdisk *disk, const struct blk_request *req, uint32_t n_sectors)
{
	struct testdisk_write *w;
	size_t at = 0;

	if (disk->n_log == disk->log_room) {
		disk->log_room = disk->log_room ? disk->log_room * 2 : 64;
		disk->log = realloc(disk->log, disk->log_room * sizeof(*disk->log));
	}
	w = &disk->log[disk->n_log++];
	*w = (struct testdisk_write){req->first_sector, n_sectors, disk->epoch, NULL};
	w->data = malloc((size_t)n_sectors * BLK_SECTOR_BYTES);
	for (unsigned i = 0; i < req->n_segments; i++) {
		memcpy(w->data + at, req->segments[i].data, req->segments[i].bytes);
		at += req->segments[i].bytes;
	}
}

static void log_clear(struct testdisk *disk)
{
	for (size_t i = 0; i < disk->n_log; i++)
		free(disk->log[i].data);
	disk->n_log = 0;
}

/* Must the next request of this kind fail? */
static bool fails(struct testdisk *disk, enum testdisk_op op)
{
	struct testdisk_fault *f = &disk->fault[op];

	if (f->countdown == 0 || --f->countdown > 0)
		return false;
	if (f->forever)
		f->countdown = 1;
	disk->injected++;
	return true;
}

static uint32_t request_sectors(const struct blk_request *req)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < req->n_segments; i++)
		bytes += req->segments[i].bytes;
	return bytes / BLK_SECTOR_BYTES;
}

static int do_read(struct testdisk *disk, const struct blk_request *req)
{
	const uint8_t *from = disk->view + req->first_sector * BLK_SECTOR_BYTES;

	if (fails(disk, TESTDISK_READ))
		return -EIO;
	for (unsigned i = 0; i < req->n_segments; i++) {
		memcpy(req->segments[i].data, from, req->segments[i].bytes);
		from += req->segments[i].bytes;
	}
	return 0;
}

static int do_write(struct testdisk *disk, const struct blk_request *req)
{
	uint32_t n = request_sectors(req);

	if (fails(disk, TESTDISK_WRITE)) {
		if (disk->fault[TESTDISK_WRITE].tear && n > 1) {
			log_add(disk, req, n);
			disk->log[disk->n_log - 1].n_sectors = n / 2;
			apply(disk->view, &disk->log[disk->n_log - 1], NULL);
		}
		return -EIO;
	}
	log_add(disk, req, n);
	apply(disk->view, &disk->log[disk->n_log - 1], NULL);
	return 0;
}

static int do_flush(struct testdisk *disk)
{
	if (fails(disk, TESTDISK_FLUSH))
		return -EIO;
	if (disk->lie)
		return 0;
	disk->epoch++;
	if (!disk->record) {
		for (size_t i = 0; i < disk->n_log; i++)
			apply(disk->base, &disk->log[i], NULL);
		log_clear(disk);
	}
	return 0;
}

static void submit(struct blkdev *dev, struct blk_request *req)
{
	struct testdisk *disk = dev->driver;
	int err;

	if (req->op == BLK_FLUSH && disk->before_flush)
		disk->before_flush(disk);
	pthread_mutex_lock(&disk->lock);
	if (req->op == BLK_READ)
		err = do_read(disk, req);
	else if (req->op == BLK_WRITE)
		err = do_write(disk, req);
	else
		err = do_flush(disk);
	pthread_mutex_unlock(&disk->lock);
	req->done(req, err);
}

static const struct blkdev_ops testdisk_ops = {.submit = submit};

/* The registry never forgets, so names are registered once and their device is used again. */
static struct blkdev *registered(const char *name)
{
	struct blkdev *dev = blkdev_find(name);

	if (!dev) {
		dev = calloc(1, sizeof(struct testdisk));
		dev->name = strdup(name);
		blkdev_register(dev);
	}
	return dev;
}

struct testdisk *testdisk_new(const char *name, uint64_t n_bytes)
{
	struct testdisk *disk;
	struct blkdev *next = NULL;

	if (name) {
		disk = (struct testdisk *)registered(name);
		name = disk->dev.name;
		next = disk->dev.next;
	} else {
		disk = calloc(1, sizeof(*disk));
	}
	memset(disk, 0, sizeof(*disk));
	disk->dev.name = name ? name : "testdisk";
	disk->dev.next = next;
	disk->dev.ops = &testdisk_ops;
	disk->dev.n_sectors = n_bytes / BLK_SECTOR_BYTES;
	disk->dev.max_segments = 64;
	disk->dev.driver = disk;
	pthread_mutex_init(&disk->lock, NULL);
	disk->base = map_zeroes(disk_bytes(disk));
	disk->view = map_zeroes(disk_bytes(disk));
	return disk;
}

void testdisk_free(struct testdisk *disk)
{
	log_clear(disk);
	free(disk->log);
	munmap(disk->base, disk_bytes(disk));
	munmap(disk->view, disk_bytes(disk));
	pthread_mutex_destroy(&disk->lock);
	if (blkdev_find(disk->dev.name) != &disk->dev) {
		free(disk);
		return;
	}
	disk->log = NULL;
	disk->dev.n_sectors = 0;
}

void testdisk_begin_recording(struct testdisk *disk)
{
	memcpy(disk->base, disk->view, disk_bytes(disk));
	log_clear(disk);
	disk->epoch = 0;
	disk->record = true;
}

void testdisk_cut(struct testdisk *disk, uint32_t epoch, testdisk_choice choose, void *arg)
{
	uint8_t *mask;

	memcpy(disk->view, disk->base, disk_bytes(disk));
	for (size_t i = 0; i < disk->n_log && disk->log[i].epoch <= epoch; i++) {
		const struct testdisk_write *w = &disk->log[i];
		if (w->epoch < epoch) {
			apply(disk->view, w, NULL);
			continue;
		}
		mask = calloc(w->n_sectors, 1);
		choose(arg, i, w, mask);
		apply(disk->view, w, mask);
		free(mask);
	}
}

void testdisk_restore(struct testdisk *disk)
{
	memcpy(disk->view, disk->base, disk_bytes(disk));
	for (size_t i = 0; i < disk->n_log; i++)
		apply(disk->view, &disk->log[i], NULL);
}

void testdisk_rewind(struct testdisk *disk)
{
	for (size_t i = 0; i < disk->n_log; i++) {
		size_t at = disk->log[i].first_sector * BLK_SECTOR_BYTES;
		memcpy(disk->view + at, disk->base + at,
			(size_t)disk->log[i].n_sectors * BLK_SECTOR_BYTES);
	}
	log_clear(disk);
	disk->epoch = 0;
}

void testdisk_put(
	struct testdisk *disk, uint64_t first_sector, uint32_t n_sectors, const void *data)
{
	size_t at = first_sector * BLK_SECTOR_BYTES, n = (size_t)n_sectors * BLK_SECTOR_BYTES;

	memcpy(disk->base + at, data, n);
	memcpy(disk->view + at, data, n);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Half of the writes arrive, a quarter does not, a quarter is torn. */
static void choose_random(void *arg, size_t i, const struct testdisk_write *w, uint8_t *mask)
{
	uint64_t r = next_random(arg) % 4;

	(void)i;
	for (uint32_t s = 0; s < w->n_sectors; s++)
		mask[s] = r < 2 || (r == 2 && next_random(arg) % 2);
}

void testdisk_power_cut(struct testdisk *disk, uint64_t *seed)
{
	testdisk_cut(disk, disk->epoch, choose_random, seed);
	memcpy(disk->base, disk->view, disk_bytes(disk));
	log_clear(disk);
}

uint8_t *testdisk_save(struct testdisk *disk)
{
	uint8_t *copy = map_zeroes(disk_bytes(disk));

	memcpy(copy, disk->view, disk_bytes(disk));
	return copy;
}

void testdisk_forget(struct testdisk *disk, uint8_t *saved)
{
	munmap(saved, disk_bytes(disk));
}

void testdisk_load(struct testdisk *disk, const uint8_t *saved)
{
	memcpy(disk->view, saved, disk_bytes(disk));
	memcpy(disk->base, saved, disk_bytes(disk));
	log_clear(disk);
}

void *testdisk_block(struct testdisk *disk, uint64_t block)
{
	return disk->view + block * 4096;
}
