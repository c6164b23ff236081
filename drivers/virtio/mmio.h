// SPDX-License-Identifier: MIT
/*
 * The virtio-mmio transport (Virtual I/O Device 1.1, section 4.2), for the drivers of this folder.
 */
#pragma once

#include "virtq.h"

struct virtio {
	uint8_t *registers;
	unsigned irq;
	uint32_t id; /* kind of device */
};

enum { VIRTIO_BLK = 2, VIRTIO_CONSOLE = 3, VIRTIO_RNG = 4 };
enum { VIRTIO_F_INDIRECT_DESC = 28, VIRTIO_F_VERSION_1 = 32 };
#define FEATURE(bit) (1UL << (bit))

/* Reset, and accept those features of `wanted` that the device has. 0 or -ENODEV. */
int virtio_begin(struct virtio *dev, uint64_t wanted, uint64_t *accepted);
/* Set up a queue of at most `size` descriptors. 0, -ENOMEM, -ENODEV. */
int virtio_queue(
	struct virtio *dev, unsigned index, struct virtq *vq, uint16_t size, uint16_t table_slots);
/* Go: the device may be notified. */
void virtio_ready(struct virtio *dev);
void virtio_give_up(struct virtio *dev);
void virtio_notify(struct virtio *dev, unsigned queue);
/* In the interrupt handler, before the queues are looked at. */
void virtio_ack(struct virtio *dev);
uint64_t virtio_config64(struct virtio *dev, unsigned offset);
uint32_t virtio_config32(struct virtio *dev, unsigned offset);

/* The drivers: take the device, which is theirs for ever. 0 or -errno. */
int virtio_blk_init(struct virtio *dev);
int virtio_console_init(struct virtio *dev);
int virtio_rng_init(struct virtio *dev);
