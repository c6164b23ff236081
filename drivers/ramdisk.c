// SPDX-License-Identifier: MIT
/*
 * A disk in memory: every request is done before submit() returns.
 */
#include <drivers/devices.h>
#include <drivers/host.h>
#include <fs/blkdev.h>
#include <string.h>

static struct blkdev ramdisk;

static void submit(struct blkdev *dev, struct blk_request *req)
{
	uint8_t *at = (uint8_t *)dev->driver + req->first_sector * BLK_SECTOR_BYTES;

	for (unsigned i = 0; i < req->n_segments; i++) {
		const struct blk_segment *segment = &req->segments[i];

		if (req->op == BLK_READ)
			memcpy(segment->data, at, segment->bytes);
		else if (req->op == BLK_WRITE)
			memcpy(at, segment->data, segment->bytes);
		at += segment->bytes;
	}
	req->done(req, 0);
}

static const struct blkdev_ops ramdisk_ops = {.submit = submit};

void ramdisk_register(void *data, size_t bytes)
{
	if (ramdisk.driver)
		return;
	ramdisk = (struct blkdev){
		.name = "ram0",
		.ops = &ramdisk_ops,
		.n_sectors = bytes / BLK_SECTOR_BYTES,
		.max_segments = 256,
		.driver = data,
	};
	blkdev_register(&ramdisk);
	drv_log("ram0: %zu MiB", bytes >> 20);
}
