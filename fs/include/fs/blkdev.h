// SPDX-License-Identifier: MIT
/*
 * Block devices, as file systems use them.
 *
 * The consumer owns the interface: drivers (virtio-blk, the RAM disk) and the host's test disks
 * fill in a struct blkdev; file systems submit requests to it and are called back.
 *
 * A request is asynchronous.  Requests under way have no order among themselves: whoever needs
 * one write before another waits for the first (and flushes, if it must survive a power cut).
 * BLK_FLUSH makes durable every write whose done() was called before the flush was submitted, and
 * says nothing of others.
 *
 * Units: sectors of 512 bytes, whatever the medium has.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BLK_SECTOR_BYTES 512

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH };

/*
 * One piece of memory of a request.  `data` is a kernel address that stays mapped until done();
 * `bytes` is a multiple of the sector size; a segment does not cross a page boundary unless the
 * memory behind it is physically contiguous (the direct map's always is).
 */
struct blk_segment {
	void *data;
	uint32_t bytes;
};

/*
 * The submitter owns the memory of the request and of its segments, and leaves both alone from
 * blk_submit() until done() is called.
 *
 * done(req, err): err is 0 or -EIO.  Called exactly once, in any context, interrupts included: it
 * must not sleep and may take only locks that are taken with interrupts off.  It may free or
 * resubmit the request.  After an error the contents of the sectors (write) or of the memory
 * (read) are undefined.
 */
struct blk_request {
	enum blk_op op;
	uint64_t first_sector; /* ignored for BLK_FLUSH */
	const struct blk_segment *segments;
	unsigned n_segments; /* 1 .. blkdev.max_segments; 0 for BLK_FLUSH */
	void (*done)(struct blk_request *req, int err);
	void *context;            /* the submitter's */
	struct blk_request *next; /* the driver's, while it has the request */
	void *driver;             /* the driver's, while it has the request */
};

struct blkdev;

struct blkdev_ops {
	/*
	 * Takes the request; queues it without limit where the device is full.  Does not sleep, may
	 * be called with spin locks held (never from interrupts), reports every error through
	 * done(), which it may call before it returns.
	 */
	void (*submit)(struct blkdev *dev, struct blk_request *req);
};

/* Counted by blk_submit(), read without a lock by /proc/vmstat and the tests. */
struct blk_counts {
	uint64_t reads, writes, flushes; /* requests */
	uint64_t read_sectors, written_sectors;
};

struct blkdev {
	const char *name; /* "vda", "ram0"; unique, lives as long as the device */
	const struct blkdev_ops *ops;
	uint64_t n_sectors;
	unsigned max_segments; /* at least 32 */
	bool read_only;        /* writes end with -EIO */
	uint32_t claimed;      /* [a] 0 or 1: by a file system: blkdev_claim() */
	uint64_t dev;          /* the registry's: FS_DEV() of its node */
	struct blk_counts counts;
	void *driver;        /* the driver's */
	struct blkdev *next; /* the registry's */
};

/*
 * Submit a request.  Checks the range and the alignment: a bad request ends in done(req, -EIO).
 * Context: as blkdev_ops.submit.
 */
void blk_submit(struct blkdev *dev, struct blk_request *req);

/*
 * Read or write `bytes` at sector `first`, or flush, and wait.  Sleeps; no spin lock held.
 * 0 or -EIO.
 */
int blk_read(struct blkdev *dev, uint64_t first, void *data, uint32_t bytes);
int blk_write(struct blkdev *dev, uint64_t first, const void *data, uint32_t bytes);
int blk_flush(struct blkdev *dev);

/*
 * The registry: drivers register at boot (the device is never taken away); mount looks up by
 * name, or by the number that a node has.  NULL: unknown; blkdev_next(NULL) is the first.
 */
void blkdev_register(struct blkdev *dev);
struct blkdev *blkdev_find(const char *name);
struct blkdev *blkdev_of(uint64_t dev);

/* One file system uses a device at a time.  -EBUSY. */
int blkdev_claim(struct blkdev *dev);
void blkdev_release(struct blkdev *dev);

struct blkdev *blkdev_next(struct blkdev *prev);
