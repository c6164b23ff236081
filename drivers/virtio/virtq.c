// SPDX-License-Identifier: MIT
/*
 * The split virtqueue. virtq.h has the contract.
 *
 * The two index fields are the only synchronization: the driver writes descriptors and ring entries
 * before avail->index, the device reads them after it; and the reverse for used->index.
 */
#include <drivers/host.h>
#include <errno.h>

#include "virtq.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

int virtq_init(struct virtq *vq, uint16_t size, uint16_t table_slots)
{
	vq->desc = drv_dma_alloc(size * sizeof(*vq->desc));
	vq->avail = drv_dma_alloc(sizeof(*vq->avail));
	vq->used = drv_dma_alloc(sizeof(*vq->used));
	if (table_slots)
		vq->tables = drv_dma_alloc((size_t)size * table_slots * sizeof(*vq->tables));
	if (!vq->desc || !vq->avail || !vq->used || (table_slots && !vq->tables))
		return -ENOMEM;
	vq->size = vq->n_free = size;
	vq->table_slots = table_slots;
	for (uint16_t i = 0; i < size; i++)
		vq->desc[i].next = (uint16_t)(i + 1);
	return 0;
}

static void fill(struct virtq_desc *desc, const struct virtq_buffer *buffer, uint16_t flags)
{
	desc->address = drv_dma_address(buffer->data);
	desc->bytes = buffer->bytes;
	desc->flags = flags;
}

static uint16_t flags_of(unsigned i, unsigned n, unsigned n_read)
{
	return (uint16_t)((i + 1 < n ? DESC_NEXT : 0) | (i >= n_read ? DESC_WRITE : 0));
}

/* One descriptor for all, and its table. */
static void fill_table(struct virtq *vq, uint16_t head, const struct virtq_buffer *buffers,
	unsigned n, unsigned n_read)
{
	struct virtq_desc *table = &vq->tables[(size_t)head * vq->table_slots];
	struct virtq_buffer all = {table, (uint32_t)(n * sizeof(*table))};

	for (unsigned i = 0; i < n; i++) {
		fill(&table[i], &buffers[i], flags_of(i, n, n_read));
		table[i].next = (uint16_t)(i + 1);
	}
	fill(&vq->desc[head], &all, DESC_INDIRECT);
}

/* As many descriptors as buffers; the free list's links serve as they are. */
static void fill_chain(struct virtq *vq, uint16_t head, const struct virtq_buffer *buffers,
	unsigned n, unsigned n_read)
{
	uint16_t at = head;

	for (unsigned i = 0; i < n; i++) {
		fill(&vq->desc[at], &buffers[i], flags_of(i, n, n_read));
		at = vq->desc[at].next;
	}
}

int virtq_add(struct virtq *vq, const struct virtq_buffer *buffers, unsigned n, unsigned n_read,
	void *token)
{
	bool table = n > 1 && n <= vq->table_slots;
	uint16_t taken = (uint16_t)(table ? 1 : n), head = vq->free;

	if (vq->n_free < taken)
		return -EBUSY;
	for (uint16_t i = 0; i < taken; i++)
		vq->free = vq->desc[vq->free].next;
	vq->n_free -= taken;
	if (table)
		fill_table(vq, head, buffers, n, n_read);
	else
		fill_chain(vq, head, buffers, n, n_read);
	vq->token[head] = token;
	vq->taken[head] = taken;
	vq->avail->ring[vq->avail->index % vq->size] = head;
	drv_fence();
	vq->avail->index++;
	drv_fence();
	return 0;
}

static void release(struct virtq *vq, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < vq->taken[head]; i++)
		last = vq->desc[last].next;
	vq->desc[last].next = vq->free;
	vq->free = head;
	vq->n_free += vq->taken[head];
}

void *virtq_take(struct virtq *vq, uint32_t *bytes)
{
	while (vq->seen != *(volatile uint16_t *)&vq->used->index) {
		uint32_t id;
		void *token;

		drv_fence();
		id = vq->used->ring[vq->seen % vq->size].id;
		*bytes = vq->used->ring[vq->seen % vq->size].bytes;
		vq->seen++;
		if (id >= vq->size || !vq->token[id])
			continue;
		token = vq->token[id];
		vq->token[id] = NULL;
		release(vq, (uint16_t)id);
		return token;
	}
	return NULL;
}
