// SPDX-License-Identifier: MIT
/*
 * Batches of block requests.
 *
 * A run of blocks becomes as few requests as the device's segment limit allows, and all requests
 * of a batch are in flight together.  A request is one allocation, its segments behind it; when
 * there is no memory the blocks go one by one, synchronously: slow, but write-back for want of
 * memory must not itself want memory.
 */
#include "mapfs.h"

struct mapfs_io_request {
	struct mapfs_io_request *next;
	struct blk_request blk;
	struct blk_segment segments[];
};

static void io_finish_one(struct mapfs_io *io, int err)
{
	if (err)
		__atomic_store_n(&io->error, err, __ATOMIC_RELAXED);
	if (__atomic_sub_fetch(&io->pending, 1, __ATOMIC_ACQ_REL) == 0)
		fsh_complete(&io->done);
}

/* In any context: the request's memory is freed by the waiter, who chains them. */
static void io_done(struct blk_request *blk, int err)
{
	io_finish_one(blk->context, err);
}

void mapfs_io_begin(struct mapfs_io *io, struct blkdev *dev)
{
	io->dev = dev;
	io->pending = 1;
	io->error = 0;
	io->requests = NULL;
	fsh_completion_init(&io->done);
}

static void io_alone(struct mapfs_io *io, enum blk_op op, uint64_t block, void *data)
{
	uint64_t sector = block * MAPFS_BLOCK_SECTORS;
	int err;

	if (op == BLK_WRITE)
		err = blk_write(io->dev, sector, data, MAPFS_BLOCK_BYTES);
	else
		err = blk_read(io->dev, sector, data, MAPFS_BLOCK_BYTES);
	if (err)
		__atomic_store_n(&io->error, err, __ATOMIC_RELAXED);
}

/* One request of at most the device's segments.  Returns how many blocks it took. */
static uint32_t io_submit(struct mapfs_io *io, enum blk_op op, uint64_t block, uint32_t count,
	void *(*data)(void *arg, uint32_t i), void *arg, uint32_t first)
{
	struct mapfs_io_request *r;
	uint32_t n = count < io->dev->max_segments ? count : io->dev->max_segments;

	r = fsh_alloc(sizeof(*r) + n * sizeof(r->segments[0]));
	if (!r) {
		io_alone(io, op, block, data(arg, first));
		return 1;
	}
	for (uint32_t i = 0; i < n; i++)
		r->segments[i] = (struct blk_segment){data(arg, first + i), MAPFS_BLOCK_BYTES};
	r->blk.op = op;
	r->blk.first_sector = block * MAPFS_BLOCK_SECTORS;
	r->blk.segments = r->segments;
	r->blk.n_segments = n;
	r->blk.done = io_done;
	r->blk.context = io;
	r->next = io->requests;
	io->requests = r;
	__atomic_fetch_add(&io->pending, 1, __ATOMIC_RELAXED);
	blk_submit(io->dev, &r->blk);
	return n;
}

void mapfs_io_add(struct mapfs_io *io, enum blk_op op, uint64_t block, uint32_t count,
	void *(*data)(void *arg, uint32_t i), void *arg)
{
	for (uint32_t i = 0; i < count;)
		i += io_submit(io, op, block + i, count - i, data, arg, i);
}

int mapfs_io_wait(struct mapfs_io *io)
{
	struct mapfs_io_request *r;

	io_finish_one(io, 0);
	fsh_completion_wait(&io->done);
	while ((r = io->requests)) {
		io->requests = r->next;
		fsh_free(r);
	}
	return io->error;
}
