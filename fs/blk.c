// SPDX-License-Identifier: MIT
/*
 * Block requests on their way to the driver: checks, counts, and waiting for one.
 *
 * A file system gives requests here and not to the driver, so that no driver sees one that is
 * malformed, and so that every block that moves is counted.
 */
#include <fs/blkdev.h>
#include <fs/host.h>
#include <fs/types.h>
#include <errno.h>
#include <string.h>

/* Devices come at boot, by one thread, and stay. */
static struct blkdev *devices;

/* Numbers as Linux gives them to virtio's disks: room for 16 partitions each. */
#define BLK_MAJOR  254
#define BLK_MINORS 16

void blkdev_register(struct blkdev *dev)
{
	struct blkdev **last = &devices;
	unsigned n = 0;

	for (; *last; n++)
		last = &(*last)->next;
	dev->next = NULL;
	dev->dev = FS_DEV(BLK_MAJOR, n * BLK_MINORS);
	__atomic_store_n(last, dev, __ATOMIC_RELEASE);
}

struct blkdev *blkdev_next(struct blkdev *prev)
{
	return __atomic_load_n(prev ? &prev->next : &devices, __ATOMIC_ACQUIRE);
}

struct blkdev *blkdev_find(const char *name)
{
	for (struct blkdev *dev = NULL; (dev = blkdev_next(dev));)
		if (strcmp(dev->name, name) == 0)
			return dev;
	return NULL;
}

struct blkdev *blkdev_of(uint64_t number)
{
	struct blkdev *dev = NULL;

	while ((dev = blkdev_next(dev)) && dev->dev != number)
		continue;
	return dev;
}

int blkdev_claim(struct blkdev *dev)
{
	return __atomic_exchange_n(&dev->claimed, 1, __ATOMIC_ACQUIRE) ? -EBUSY : 0;
}

void blkdev_release(struct blkdev *dev)
{
	__atomic_store_n(&dev->claimed, 0, __ATOMIC_RELEASE);
}

/* The sectors that the request moves; 0 when it is malformed. */
static uint64_t request_sectors(const struct blkdev *dev, const struct blk_request *req)
{
	uint64_t bytes = 0, sectors;

	if (req->n_segments < 1 || req->n_segments > dev->max_segments)
		return 0;
	for (unsigned i = 0; i < req->n_segments; i++) {
		if (req->segments[i].bytes == 0 || req->segments[i].bytes % BLK_SECTOR_BYTES)
			return 0;
		bytes += req->segments[i].bytes;
	}
	sectors = bytes / BLK_SECTOR_BYTES;
	if (req->first_sector > dev->n_sectors || sectors > dev->n_sectors - req->first_sector)
		return 0;
	return sectors;
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void blk_submit(struct blkdev *dev, struct blk_request *req)
{
	uint64_t sectors = 0;

	if (req->op != BLK_FLUSH) {
		sectors = request_sectors(dev, req);
		if (sectors == 0 || (req->op == BLK_WRITE && dev->read_only)) {
			req->done(req, -EIO);
			return;
		}
	}
	switch (req->op) {
	case BLK_READ:
		count(&dev->counts.reads, 1);
		count(&dev->counts.read_sectors, sectors);
		break;
	case BLK_WRITE:
		count(&dev->counts.writes, 1);
		count(&dev->counts.written_sectors, sectors);
		break;
	case BLK_FLUSH:
		count(&dev->counts.flushes, 1);
		break;
	}
	dev->ops->submit(dev, req);
}

struct blk_waiter {
	struct blk_request req;
	struct fsh_completion completion;
	int err;
};

static void wake_waiter(struct blk_request *req, int err)
{
	struct blk_waiter *waiter = req->context;

	waiter->err = err;
	fsh_complete(&waiter->completion);
}

static int submit_and_wait(
	struct blkdev *dev, enum blk_op op, uint64_t first, void *data, uint32_t bytes)
{
	struct blk_segment segment = {.data = data, .bytes = bytes};
	struct blk_waiter waiter = {
		.req =
			{
				.op = op,
				.first_sector = first,
				.segments = &segment,
				.n_segments = op != BLK_FLUSH,
				.done = wake_waiter,
			},
	};

	waiter.req.context = &waiter;
	fsh_completion_init(&waiter.completion);
	blk_submit(dev, &waiter.req);
	fsh_completion_wait(&waiter.completion);
	return waiter.err;
}

int blk_read(struct blkdev *dev, uint64_t first, void *data, uint32_t bytes)
{
	return submit_and_wait(dev, BLK_READ, first, data, bytes);
}

int blk_write(struct blkdev *dev, uint64_t first, const void *data, uint32_t bytes)
{
	/* A write only reads the memory. */
	return submit_and_wait(dev, BLK_WRITE, first, (void *)data, bytes);
}

int blk_flush(struct blkdev *dev)
{
	return submit_and_wait(dev, BLK_FLUSH, 0, NULL, 0);
}
