// SPDX-License-Identifier: MIT
/*
 * virtio-blk (Virtual I/O Device 1.1, section 5.2) as a struct blkdev.
 *
 * A request of the file system becomes one of the device: header, segments, status byte. Up to
 * VIRTQ_MAX are with the device; more wait in a list, and move up as others are done. Completions
 * are called without the lock, as they may submit again.
 */
#include <drivers/host.h>
#include <errno.h>
#include <fs/blkdev.h>

#include "mmio.h"

enum { F_RO = 5, F_FLUSH = 9 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };

#define STATUS_OK    0
#define MAX_SEGMENTS 64
#define MAX_DISKS    8

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* What the device reads and writes besides the data; one for each request it has. */
struct slot {
	struct header header;
	uint8_t status;
	struct blk_request *request; /* NULL: free */
	struct slot *next_free;
};

struct disk {
	struct blkdev blkdev;
	struct virtio *dev;
	struct drv_lock lock;
	struct virtq queue;                            /* [lock] */
	struct slot *free;                             /* [lock] */
	struct blk_request *waiting, **waiting_end;    /* [lock] FIFO */
	struct virtq_buffer buffers[MAX_SEGMENTS + 2]; /* [lock] scratch */
	bool has_flush;                                /* [I] else every write is durable */
	char name[4];
};

static unsigned n_disks;

static uint32_t type_of(const struct blk_request *req)
{
	return req->op == BLK_READ ? TYPE_IN : req->op == BLK_WRITE ? TYPE_OUT : TYPE_FLUSH;
}

/* Give a request to the device: 0, or -EBUSY. Locked. */
static int push(struct disk *disk, struct blk_request *req)
{
	struct slot *slot = disk->free;
	struct virtq_buffer *buffers = disk->buffers;
	unsigned n = 0;

	if (!slot)
		return -EBUSY;
	slot->header =
		(struct header){type_of(req), 0, req->op == BLK_FLUSH ? 0 : req->first_sector};
	buffers[n++] = (struct virtq_buffer){&slot->header, sizeof(slot->header)};
	for (unsigned i = 0; i < req->n_segments; i++)
		buffers[n++] = (struct virtq_buffer){req->segments[i].data, req->segments[i].bytes};
	buffers[n++] = (struct virtq_buffer){&slot->status, 1};
	if (virtq_add(&disk->queue, buffers, n, req->op == BLK_READ ? 1 : n - 1, slot))
		return -EBUSY;
	disk->free = slot->next_free;
	slot->request = req;
	return 0;
}

/* Move waiting requests up. Locked. */
static void push_waiting(struct disk *disk)
{
	bool any = false;

	while (disk->waiting && push(disk, disk->waiting) == 0) {
		disk->waiting = disk->waiting->next;
		any = true;
	}
	if (!disk->waiting)
		disk->waiting_end = &disk->waiting;
	if (any)
		virtio_notify(disk->dev, 0);
}

static void submit(struct blkdev *blkdev, struct blk_request *req)
{
	struct disk *disk = blkdev->driver;
	uint64_t flags;

	if (req->op == BLK_FLUSH && !disk->has_flush) {
		req->done(req, 0);
		return;
	}
	flags = drv_lock_take(&disk->lock);
	req->next = NULL;
	*disk->waiting_end = req;
	disk->waiting_end = &req->next;
	push_waiting(disk);
	drv_lock_drop(&disk->lock, flags);
}

static const struct blkdev_ops disk_ops = {.submit = submit};

/* The next request that is done, or NULL; *err is its outcome. */
static struct blk_request *finished(struct disk *disk, int *err)
{
	uint64_t flags = drv_lock_take(&disk->lock);
	struct blk_request *req = NULL;
	uint32_t bytes;
	struct slot *slot = virtq_take(&disk->queue, &bytes);

	if (slot) {
		*err = slot->status == STATUS_OK ? 0 : -EIO;
		req = slot->request;
		slot->request = NULL;
		slot->next_free = disk->free;
		disk->free = slot;
		push_waiting(disk);
	}
	drv_lock_drop(&disk->lock, flags);
	return req;
}

static void interrupt(void *arg)
{
	struct disk *disk = arg;
	struct blk_request *req;
	int err;

	virtio_ack(disk->dev);
	while ((req = finished(disk, &err)) != NULL)
		req->done(req, err);
}

static int add_slots(struct disk *disk)
{
	struct slot *slots = drv_dma_alloc(VIRTQ_MAX * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (unsigned i = 0; i < VIRTQ_MAX; i++) {
		slots[i].next_free = disk->free;
		disk->free = &slots[i];
	}
	return 0;
}

static void describe(struct disk *disk, uint64_t features)
{
	disk->has_flush = features & FEATURE(F_FLUSH);
	disk->name[0] = 'v';
	disk->name[1] = 'd';
	disk->name[2] = (char)('a' + n_disks++);
	disk->blkdev = (struct blkdev){
		.name = disk->name,
		.ops = &disk_ops,
		.n_sectors = virtio_config64(disk->dev, 0),
		/* without tables, a request must fit in the ring */
		.max_segments =
			features & FEATURE(VIRTIO_F_INDIRECT_DESC) ? MAX_SEGMENTS : VIRTQ_MAX - 2,
		.read_only = features & FEATURE(F_RO),
		.driver = disk,
	};
}

int virtio_blk_init(struct virtio *dev)
{
	struct disk *disk = drv_alloc(sizeof(*disk));
	uint64_t features;
	int err;

	if (!disk || n_disks == MAX_DISKS)
		return -ENOMEM;
	disk->dev = dev;
	disk->waiting_end = &disk->waiting;
	drv_lock_init(&disk->lock, "virtio-blk", DRV_RANK_DEVICE);
	err = virtio_begin(
		dev, FEATURE(VIRTIO_F_INDIRECT_DESC) | FEATURE(F_RO) | FEATURE(F_FLUSH), &features);
	if (err)
		return err;
	err = add_slots(disk);
	if (err)
		return err;
	err = virtio_queue(dev, 0, &disk->queue, VIRTQ_MAX,
		features & FEATURE(VIRTIO_F_INDIRECT_DESC) ? MAX_SEGMENTS + 2 : 0);
	if (err)
		return err;
	err = drv_irq_register(dev->irq, interrupt, disk);
	if (err)
		return err;
	describe(disk, features);
	virtio_ready(dev);
	blkdev_register(&disk->blkdev);
	drv_log("%s: %lu MiB%s%s", disk->name, (unsigned long)(disk->blkdev.n_sectors >> 11),
		disk->blkdev.read_only ? ", read-only" : "",
		disk->has_flush ? "" : ", no write cache");
	return 0;
}
