// SPDX-License-Identifier: MIT
/*
 * Block devices, on the one that "scratch=NAME" gives up: its contents are lost.
 */
#include <errno.h>
#include <fs/blkdev.h>
#include <kernel/boot.h>
#include <kernel/frames.h>
#include <kernel/thread.h>
#include <string.h>

#include "selftest.h"

#define FLIGHT       200 /* more than the device takes at once */
#define PAGE_SECTORS (PAGE_SIZE / BLK_SECTOR_BYTES)

struct flight {
	struct blk_request req;
	struct blk_segment segment;
	int err;
};

static struct flight flights[FLIGHT];
static unsigned landed; /* [a] */
static struct waitq landing = WAITQ_INIT;

static struct blkdev *scratch(void)
{
	const char *name = boot_value("scratch");
	struct blkdev *dev = name ? blkdev_find(name) : NULL;

	if (!dev)
		selftest_skip("no scratch= disk");
	return dev;
}

static void flight_done(struct blk_request *req, int err)
{
	struct flight *f = req->context;

	f->err = err;
	__atomic_fetch_add(&landed, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&landing);
}

/* All pages at once, each to its own place; data[i] is page i. */
static void all_at_once(struct blkdev *dev, enum blk_op op, void *data[FLIGHT])
{
	landed = 0;
	for (unsigned i = 0; i < FLIGHT; i++) {
		struct flight *f = &flights[i];

		*f = (struct flight){.segment = {data[i], PAGE_SIZE}, .err = 1};
		f->req = (struct blk_request){.op = op,
			.first_sector = (uint64_t)(FLIGHT - 1 - i) * PAGE_SECTORS,
			.segments = &f->segment,
			.n_segments = 1,
			.done = flight_done,
			.context = f};
		blk_submit(dev, &f->req);
	}
	wait_event(&landing, __atomic_load_n(&landed, __ATOMIC_ACQUIRE) == FLIGHT);
	for (unsigned i = 0; i < FLIGHT; i++)
		CHECK(flights[i].err == 0);
}

static void test_flight(void)
{
	struct blkdev *dev = scratch();
	void *data[FLIGHT];

	if (!dev)
		return;
	for (unsigned i = 0; i < FLIGHT; i++) {
		data[i] = frame_alloc_zeroed();
		memset(data[i], (int)i, PAGE_SIZE);
	}
	all_at_once(dev, BLK_WRITE, data);
	CHECK(blk_flush(dev) == 0);
	for (unsigned i = 0; i < FLIGHT; i++)
		memset(data[i], 0, PAGE_SIZE);
	all_at_once(dev, BLK_READ, data);
	for (unsigned i = 0; i < FLIGHT; i++) {
		const uint8_t *bytes = data[i];

		CHECK(bytes[0] == (uint8_t)i && bytes[PAGE_SIZE - 1] == (uint8_t)i);
		frame_free(virt_to_phys(data[i]), 0);
	}
}

static void test_errors(void)
{
	struct blkdev *dev = scratch();
	uint8_t *page;

	if (!dev)
		return;
	page = frame_alloc_zeroed();
	CHECK(blk_read(dev, dev->n_sectors, page, PAGE_SIZE) == -EIO);
	CHECK(blk_read(dev, dev->n_sectors - 1, page, PAGE_SIZE) == -EIO);
	CHECK(blk_write(dev, UINT64_MAX, page, BLK_SECTOR_BYTES) == -EIO);
	CHECK(blk_read(dev, dev->n_sectors - PAGE_SECTORS, page, PAGE_SIZE) == 0);
	frame_free(virt_to_phys(page), 0);
}

const struct selftest blk_tests[] = {
	{"blk-flight", test_flight},
	{"blk-errors", test_errors},
	{0},
};
