// SPDX-License-Identifier: MIT
/*
 * virtio-rng (Virtual I/O Device 1.1, section 5.4): one buffer, one reader at a time.
 */
#include <drivers/devices.h>
#include <drivers/host.h>
#include <errno.h>
#include <string.h>

#include "mmio.h"

#define BATCH_BYTES 64

static struct {
	struct virtio *dev; /* [I] NULL: no such device */
	struct drv_lock lock;
	struct virtq queue; /* [lock] */
	struct drv_wait wait;
	bool busy;    /* [lock] somebody reads */
	bool done;    /* [lock] the device has filled the buffer */
	uint32_t got; /* [lock] bytes of it */
	uint8_t *buffer;
} rng;

static void interrupt(void *arg)
{
	uint64_t flags = drv_lock_take(&rng.lock);

	(void)arg;
	virtio_ack(rng.dev);
	if (virtq_take(&rng.queue, &rng.got))
		rng.done = true;
	drv_lock_drop(&rng.lock, flags);
	drv_wake(&rng.wait);
}

/* One batch. Locked; sleeps. Returns the bytes. */
static uint32_t fetch(uint64_t *flags)
{
	struct virtq_buffer buffer = {rng.buffer, BATCH_BYTES};

	rng.done = false;
	if (virtq_add(&rng.queue, &buffer, 1, 0, &rng))
		return 0;
	virtio_notify(rng.dev, 0);
	while (!rng.done)
		drv_sleep(&rng.wait, &rng.lock, flags);
	return rng.got < BATCH_BYTES ? rng.got : BATCH_BYTES;
}

size_t entropy_read(void *to, size_t bytes)
{
	uint64_t flags;
	size_t n = 0;

	if (!rng.dev)
		return 0;
	flags = drv_lock_take(&rng.lock);
	while (rng.busy)
		drv_sleep(&rng.wait, &rng.lock, &flags);
	rng.busy = true;
	while (n < bytes) {
		size_t got = fetch(&flags);

		if (!got)
			break;
		if (got > bytes - n)
			got = bytes - n;
		memcpy((uint8_t *)to + n, rng.buffer, got);
		n += got;
	}
	rng.busy = false;
	drv_lock_drop(&rng.lock, flags);
	drv_wake(&rng.wait);
	return n;
}

int virtio_rng_init(struct virtio *dev)
{
	uint64_t features;
	int err;

	if (rng.dev)
		return -EEXIST;
	rng.buffer = drv_dma_alloc(BATCH_BYTES);
	if (!rng.buffer)
		return -ENOMEM;
	drv_lock_init(&rng.lock, "virtio-rng", DRV_RANK_DEVICE);
	drv_wait_init(&rng.wait);
	err = virtio_begin(dev, 0, &features);
	if (err)
		return err;
	err = virtio_queue(dev, 0, &rng.queue, 4, 0);
	if (err)
		return err;
	err = drv_irq_register(dev->irq, interrupt, NULL);
	if (err)
		return err;
	virtio_ready(dev);
	rng.dev = dev;
	return 0;
}
