// SPDX-License-Identifier: MIT
/*
 * The virtqueue against a device that is played here: it follows the rings as the specification
 * says, finishes requests in any order, and lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtio/virtq.h"

#define SIZE    16
#define BUFFERS 6

struct device {
	struct virtq *vq;
	uint16_t seen;
};

/* The head of the next request on offer; -1: none. */
static int next_offer(struct device *d)
{
	if (d->seen == d->vq->avail->index)
		return -1;
	return d->vq->avail->ring[d->seen++ % d->vq->size];
}

static void finish(struct device *d, uint32_t head, uint32_t n)
{
	uint16_t at = d->vq->used->index % d->vq->size;

	d->vq->used->ring[at].id = head;
	d->vq->used->ring[at].bytes = n;
	d->vq->used->index++;
}

/* The descriptors of a request, in order; returns how many. */
static unsigned walk(struct device *d, int head, struct virtq_desc *out)
{
	const struct virtq_desc *table = d->vq->desc;
	unsigned n = 0;
	uint16_t at = (uint16_t)head;

	if (table[at].flags & 4) {
		assert_int_equal(table[at].flags, 4);
		table = (const struct virtq_desc *)(uintptr_t)table[at].address;
		at = 0;
	}
	do {
		out[n++] = table[at];
		at = table[at].next;
	} while (out[n - 1].flags & 1 && n < SIZE);
	return n;
}

static void check_request(
	struct device *d, int head, const struct virtq_buffer *buffers, unsigned n, unsigned n_read)
{
	struct virtq_desc desc[SIZE];

	assert_int_equal(walk(d, head, desc), n);
	for (unsigned i = 0; i < n; i++) {
		assert_ptr_equal((void *)(uintptr_t)desc[i].address, buffers[i].data);
		assert_int_equal(desc[i].bytes, buffers[i].bytes);
		assert_int_equal(!!(desc[i].flags & 2), i >= n_read);
	}
}

/* Random traffic; tables or chains. Every token comes back once, every descriptor in the end. */
static void traffic(uint16_t table_slots)
{
	struct virtq vq = {0};
	struct device device = {&vq, 0};
	struct virtq_buffer buffers[BUFFERS];
	int in_flight[SIZE], n_flight = 0;
	uintptr_t given = 0, sum_given = 0, sum_taken = 0;
	char memory[BUFFERS];

	assert_int_equal(virtq_init(&vq, SIZE, table_slots), 0);
	srand(table_slots + 1);
	for (unsigned i = 0; i < BUFFERS; i++)
		buffers[i] = (struct virtq_buffer){&memory[i], i + 1};
	for (unsigned round = 0; round < 200000; round++) {
		unsigned n = 1 + (unsigned)rand() % BUFFERS, n_read = (unsigned)rand() % (n + 1);
		uint32_t wrote;
		void *token;

		if (rand() % 2) {
			int err = virtq_add(&vq, buffers, n, n_read, (void *)(given + 1));

			if (!err) {
				sum_given += ++given;
				in_flight[n_flight] = next_offer(&device);
				check_request(&device, in_flight[n_flight++], buffers, n, n_read);
			}
		} else if (n_flight) {
			int i = rand() % n_flight;

			finish(&device, (uint32_t)in_flight[i], round);
			in_flight[i] = in_flight[--n_flight];
			token = virtq_take(&vq, &wrote);
			assert_non_null(token);
			assert_int_equal(wrote, round);
			sum_taken += (uintptr_t)token;
			assert_null(virtq_take(&vq, &wrote));
		}
	}
	while (n_flight) {
		uint32_t wrote;

		finish(&device, (uint32_t)in_flight[--n_flight], 0);
		sum_taken += (uintptr_t)virtq_take(&vq, &wrote);
	}
	assert_int_equal(sum_given, sum_taken);
	assert_int_equal(vq.n_free, SIZE);
	free(vq.desc);
	free(vq.avail);
	free(vq.used);
	free(vq.tables);
}

static void test_tables(void **state)
{
	(void)state;
	traffic(BUFFERS);
}

static void test_chains(void **state)
{
	(void)state;
	traffic(0);
}

/* Ids that are out of range, not in flight, or given twice are passed over. */
static void test_lies(void **state)
{
	struct virtq vq = {0};
	struct device device = {&vq, 0};
	struct virtq_buffer buffer = {&vq, 1};
	uint32_t wrote;
	int head;

	(void)state;
	assert_int_equal(virtq_init(&vq, SIZE, 0), 0);
	assert_int_equal(virtq_add(&vq, &buffer, 1, 1, &vq), 0);
	head = next_offer(&device);
	finish(&device, UINT32_MAX, 0);
	finish(&device, SIZE, 0);
	finish(&device, (uint32_t)(head + 1) % SIZE, 0);
	finish(&device, (uint32_t)head, 7);
	finish(&device, (uint32_t)head, 8);
	assert_ptr_equal(virtq_take(&vq, &wrote), &vq);
	assert_int_equal(wrote, 7);
	assert_null(virtq_take(&vq, &wrote));
	assert_int_equal(vq.n_free, SIZE);
	free(vq.desc);
	free(vq.avail);
	free(vq.used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
