// SPDX-License-Identifier: MIT
/*
 * A split virtqueue (Virtual I/O Device 1.1, section 2.6), as the driver sees it.
 *
 * A request is a list of buffers, first those that the device reads, then those it writes. With
 * tables, a request of several buffers takes one descriptor, which refers to a table of its own
 * (section 2.6.5.3); without, it takes as many as it has buffers.
 *
 * Serialized by the caller. Knows nothing of the transport: whoever adds notifies the device.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQ_MAX 64 /* descriptors in a queue */

struct virtq_buffer {
	const void *data; /* in the direct map */
	uint32_t bytes;
};

struct virtq_desc {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct virtq_avail {
	uint16_t flags, index;
	uint16_t ring[VIRTQ_MAX];
};

struct virtq_used {
	uint16_t flags, index;
	struct {
		uint32_t id, bytes;
	} ring[VIRTQ_MAX];
};

struct virtq {
	uint16_t size;        /* power of two, at most VIRTQ_MAX */
	uint16_t n_free;      /* descriptors */
	uint16_t free;        /* first of their list, through `next` */
	uint16_t seen;        /* used entries taken so far, modulo 2^16 */
	uint16_t table_slots; /* descriptors in each table; 0: no tables */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	struct virtq_desc *tables; /* one for each descriptor */
	void *token[VIRTQ_MAX];    /* by head; NULL: not in flight */
	uint16_t taken[VIRTQ_MAX]; /* descriptors of that request */
};

/* Allocate. table_slots: most buffers of a request, 0 for no tables. 0 or -ENOMEM. */
int virtq_init(struct virtq *vq, uint16_t size, uint16_t table_slots);

/*
 * Offer a request: n buffers, of which the device reads the first n_read and writes the others.
 * token (not NULL) comes back from virtq_take(). 0, or -EBUSY when the queue is full.
 */
int virtq_add(struct virtq *vq, const struct virtq_buffer *buffers, unsigned n, unsigned n_read,
	void *token);

/*
 * The token of the next request that the device has finished, and how many bytes it wrote; NULL:
 * none. What the device says of requests it was not given is passed over.
 */
void *virtq_take(struct virtq *vq, uint32_t *bytes);
