// SPDX-License-Identifier: MIT
/*
 * File data: the pager of regular files.
 *
 * The life of a write.  A page becomes dirty: make_writable() promises it a block, in memory.
 * Later write() gets a run of pages:
 *
 *	place     pages without a block: claim runs of blocks from the promise     (memory)
 *	write     all pages, wherever they go, in as few requests as there are pieces
 *	publish   short transactions: the claims become part of the file, and the size on the
 *	          disk grows to cover them; what was unwritten is written
 *
 * so nothing on the disk refers to a block before its data is there.  A failure before publish
 * drops the claims; the pages are dirty again and the promises still stand.
 *
 * A cut under way.  While a file's smaller size is on its way (resize.c), who writes the page with
 * the edge waits for that size to be durable, and nobody publishes a larger one.  While a larger
 * one is, who would publish a part of the growth publishes all of it.
 *
 * Pages that are under write-back or being filled keep mvm_pc_truncate() waiting, so blocks are
 * never freed under I/O.
 */
#include "mapfs.h"

#include <string.h>

/* A run of pages on its way. */
struct page_run {
	struct mapfs_inode *inode;
	struct mvm_object *obj;
	uint32_t first, n;        /* block numbers inside the file */
	uint64_t size;            /* of the file, when the run began */
	uint32_t cuts;            /* of the file, before */
	bool ends_cut;            /* the run has the edge that the cut waits for */
	struct mapfs_run *claims; /* in order */
	uint32_t at;              /* first page of the request being built */
};

static struct mapfs_inode *inode_of(struct mvm_object *obj)
{
	return mapfs_inode_of(vnode_of_object(obj));
}

/* The bytes of the run's page i. */
static char *frame_data(const struct page_run *run, uint32_t i)
{
	return fsh_frame_data(mvm_object_frame(run->obj, run->first + i));
}

/* The same of the request being built. */
static void *page_data(void *arg, uint32_t i)
{
	const struct page_run *run = arg;

	return frame_data(run, run->at + i);
}

/* --- fill -------------------------------------------------------------------------------- */

/* Zero what lies behind the size in the pages just read. */
static void zero_behind(struct page_run *run)
{
	for (uint32_t i = 0; i < run->n; i++) {
		uint64_t at = (uint64_t)(run->first + i) * MAPFS_BLOCK_BYTES;
		size_t keep = at >= run->size ? 0 : run->size - at;
		if (keep < MAPFS_BLOCK_BYTES)
			memset(frame_data(run, i) + keep, 0, MAPFS_BLOCK_BYTES - keep);
	}
}

/* Start reading what has blocks, zero the holes. */
static int read_pieces(struct page_run *run, struct mapfs_io *io)
{
	struct mapfs_piece p;
	int err = 0;

	fsh_mutex_lock(&run->inode->extent_lock);
	for (; run->at < run->n && !err; run->at += p.count) {
		err = mapfs_extent_find(run->inode, run->first + run->at, run->n - run->at, &p);
		if (err)
			break;
		if (p.start && !p.unwritten)
			mapfs_io_add(io, BLK_READ, p.start, p.count, page_data, run);
		else
			for (uint32_t i = 0; i < p.count; i++)
				memset(page_data(run, i), 0, MAPFS_BLOCK_BYTES);
	}
	fsh_mutex_unlock(&run->inode->extent_lock);
	return err;
}

static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	struct page_run run = {.inode = inode_of(obj),
		.obj = obj,
		.first = (uint32_t)index,
		.n = n,
		.size = mvm_object_size(obj)};
	struct mapfs_io io;
	int err, io_err;

	mapfs_io_begin(&io, mapfs_of(&run.inode->vnode)->dev);
	err = read_pieces(&run, &io);
	io_err = mapfs_io_wait(&io);
	if (!err)
		err = io_err;
	if (!err)
		zero_behind(&run);
	return err;
}

/* --- Promises ---------------------------------------------------------------------------- */

static int promise_block(struct mapfs_inode *inode, uint32_t page)
{
	struct mapfs_piece p;
	int err;

	fsh_mutex_lock(&inode->extent_lock);
	err = mapfs_extent_find(inode, page, MAPFS_EXTENT_MAX, &p);
	if (!err && p.start)
		mapfs_placed_set(inode, &p);
	else if (!err)
		err = mapfs_promise(inode, page);
	fsh_mutex_unlock(&inode->extent_lock);
	return err;
}

/*
 * May files of its mount change?  The mount may have become one for reading, or
 * the journal have failed.
 */
static bool may_change(const struct mapfs_inode *inode)
{
	return !fs_read(mapfs_of(&inode->vnode)->read_only) && !mount_readonly(inode->vnode.mount);
}

/* What has a block needs no promise; the last piece that was found is remembered. */
static bool writable_at_once(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mapfs_inode *inode = inode_of(obj);

	if (!mapfs_placed(inode, index) || !may_change(inode) ||
		fs_read(inode->cut) != MAPFS_CUT_NONE)
		return false;
	vnode_touch(&inode->vnode);
	return true;
}

static int make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mapfs_inode *inode = inode_of(obj);
	int err;

	if (writable_at_once(obj, index))
		return 0;
	if (!may_change(inode))
		return -EIO;
	if (index >= MAPFS_FILE_BLOCKS)
		return -EFBIG;
	err = mapfs_cut_forbids(inode, index);
	if (err)
		return err;
	err = promise_block(inode, (uint32_t)index);
	if (!err)
		vnode_touch(&inode->vnode); /* saved when its metadata is */
	return err;
}

static void unreserve(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mapfs_inode *inode = inode_of(obj);

	mapfs_promise_drop(inode, (uint32_t)index, false);
}

/*
 * The file was cut and its edge is to be written first; or there is space, but held for trees on
 * account of dirty pages, or in quarantine.
 */
static int settle(struct mvm_object *obj)
{
	struct mapfs_inode *inode = inode_of(obj);
	int err;

	if (fs_read(inode->cut) == MAPFS_CUT_EDGE)
		return mapfs_cut_settle(inode);
	err = mapfs_promises_settle(inode);
	return err ? err : mapfs_end_quarantine(mapfs_of(&inode->vnode));
}

/* --- write: place ------------------------------------------------------------------------ */

static void drop_claims(struct page_run *run)
{
	struct mapfs_run *c;

	while ((c = run->claims)) {
		run->claims = c->next;
		mapfs_unclaim(mapfs_of(&run->inode->vnode), c);
	}
}

/* Claim blocks for the hole of `count` pages at page `at`, in as few pieces as there are. */
static int claim_hole(struct page_run *run, uint32_t at, uint32_t count, struct mapfs_run ***last)
{
	struct mapfs_run *c;
	uint64_t goal;
	int err = mapfs_extent_goal(run->inode, run->first + at, &goal);

	while (!err && count) {
		err = mapfs_claim(mapfs_of(&run->inode->vnode), MAPFS_BLOCKS, goal, count, &c);
		if (err)
			break;
		c->logical = run->first + at;
		**last = c;
		*last = &c->next;
		at += c->count;
		count -= c->count;
		goal = c->start + c->count;
	}
	return err;
}

static int place(struct page_run *run)
{
	struct mapfs_run **last = &run->claims;
	struct mapfs_piece p;
	int err = 0;

	fsh_mutex_lock(&run->inode->extent_lock);
	for (uint32_t at = 0; at < run->n && !err; at += p.count) {
		err = mapfs_extent_find(run->inode, run->first + at, run->n - at, &p);
		if (!err && p.start == 0)
			err = claim_hole(run, at, p.count, &last);
	}
	fsh_mutex_unlock(&run->inode->extent_lock);
	return err;
}

/* --- write: data ------------------------------------------------------------------------- */

/* Where page `at` and those behind it go: to a claim, or to a block of the file. */
static int destination(struct page_run *run, uint32_t at, struct mapfs_piece *p)
{
	uint32_t logical = run->first + at;
	int err;

	for (struct mapfs_run *c = run->claims; c; c = c->next) {
		if (c->logical == logical) {
			*p = (struct mapfs_piece){logical, c->count, c->start, false};
			return 0;
		}
	}
	err = mapfs_extent_find(run->inode, logical, run->n - at, p);
	if (!err && !p->start)
		err = mapfs_damaged(mapfs_of(&run->inode->vnode), "inode", mapfs_ino(run->inode),
			"has something to be written and no block for it");
	return err;
}

static int write_data(struct page_run *run)
{
	struct mapfs_piece p;
	struct mapfs_io io;
	int err = 0, io_err;

	mapfs_io_begin(&io, mapfs_of(&run->inode->vnode)->dev);
	fsh_mutex_lock(&run->inode->extent_lock);
	for (run->at = 0; run->at < run->n; run->at += p.count) {
		err = destination(run, run->at, &p);
		if (err)
			break;
		mapfs_io_add(&io, BLK_WRITE, p.start, p.count, page_data, run);
	}
	fsh_mutex_unlock(&run->inode->extent_lock);
	io_err = mapfs_io_wait(&io);
	mapfs_note_unflushed(mapfs_of(&run->inode->vnode));
	mount_changed(run->inode->vnode.mount);
	return err ? err : io_err;
}

/* --- write: publish ---------------------------------------------------------------------- */

/* How large the file is on the disk when the run is there up to file block `end`. */
static uint64_t size_with(const struct page_run *run, uint32_t end)
{
	uint64_t bytes = (uint64_t)end * MAPFS_BLOCK_BYTES;

	bytes = bytes < run->size ? bytes : run->size;
	if (run->cuts != run->inode->cuts && bytes > run->inode->cut_size)
		bytes = run->inode->cut_size;
	if (run->inode->grows && bytes > run->inode->grows_from)
		bytes = mvm_object_size(run->obj);
	return bytes > run->inode->disk_size ? bytes : run->inode->disk_size;
}

/* The claim, as a piece, becomes a part of the file; and the size covers it. */
static void publish_claim(struct mapfs_txn *txn, struct page_run *run, struct mapfs_run *c,
	struct mapfs_map_plan *plan)
{
	struct mapfs_piece p = {c->logical, c->count, c->start, false};
	struct mapfs_inode *inode = run->inode;

	fsh_mutex_lock(&inode->extent_lock);
	mapfs_extent_insert(txn, inode, &p, plan);
	mapfs_promise_nodes_used(inode, plan->n_nodes);
	inode->disk_size = size_with(run, p.logical + p.count);
	mapfs_publish(txn, c);
	for (uint32_t i = 0; i < p.count; i++)
		mapfs_promise_drop(inode, p.logical + i, true);
	fsh_mutex_unlock(&inode->extent_lock);
	mapfs_inode_store(txn, inode, true);
}

/* The first claim, in a transaction of its own.  The map is locked. */
static int publish_first(struct page_run *run)
{
	struct mapfs_inode *inode = run->inode;
	struct mapfs_run *c = run->claims;
	struct mapfs_piece p = {c->logical, c->count, c->start, false};
	struct mapfs_map_plan plan;
	struct mapfs_txn txn;
	int err;

	mapfs_txn_init(&txn, mapfs_of(&inode->vnode));
	mapfs_txn_pin_map(&txn, c);
	err = mapfs_extent_prepare(&txn, inode, &p, &plan);
	if (!err)
		err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_txn_drop(&txn);
		mapfs_extent_cancel(txn.fs, &plan);
		return err;
	}
	run->claims = c->next;
	publish_claim(&txn, run, c, &plan);
	mapfs_txn_end(&txn);
	return 0;
}

/* All pages have blocks, but the size must grow, or a cut is over. */
static int publish_rest(struct page_run *run)
{
	struct mapfs_inode *inode = run->inode;
	struct mapfs_txn txn;
	bool grows;
	int err;

	fsh_mutex_lock(&inode->extent_lock);
	grows = size_with(run, run->first + run->n) != inode->disk_size;
	fsh_mutex_unlock(&inode->extent_lock);
	if (!grows && !run->ends_cut)
		return 0;
	mapfs_txn_init(&txn, mapfs_of(&inode->vnode));
	mapfs_orphan_pin(&txn);
	err = mapfs_inode_pin(&txn, inode);
	if (!err)
		err = mapfs_txn_begin(&txn);
	if (err) {
		mapfs_txn_drop(&txn);
		return err;
	}
	fsh_mutex_lock(&inode->extent_lock);
	inode->disk_size = size_with(run, run->first + run->n);
	fsh_mutex_unlock(&inode->extent_lock);
	if (run->ends_cut)
		mapfs_cut_over(&txn, inode);
	mapfs_inode_store(&txn, inode, true);
	mapfs_txn_end(&txn);
	return 0;
}

static int publish(struct page_run *run)
{
	int err = 0;

	fsh_mutex_lock(&run->inode->map_lock);
	while (!err && run->claims)
		err = publish_first(run);
	if (!err)
		err = publish_rest(run);
	if (!err)
		err = mapfs_publish_written(run->inode, run->first, run->n);
	fsh_mutex_unlock(&run->inode->map_lock);
	return err;
}

/* What a cut that is under way means for the run: perhaps it has to wait. */
static int begin_run(struct page_run *run)
{
	struct mapfs_inode *inode = run->inode;
	uint64_t edge, sequence;
	bool waits;

	fsh_mutex_lock(&inode->extent_lock);
	run->cuts = inode->cuts;
	run->size = mvm_object_size(run->obj);
	edge = inode->cut_size / MAPFS_BLOCK_BYTES;
	sequence = inode->cut_sequence;
	waits = inode->cut != MAPFS_CUT_NONE && edge >= run->first && edge - run->first < run->n;
	run->ends_cut = waits && inode->cut == MAPFS_CUT_EDGE;
	if (inode->cut == MAPFS_CUT_BEGUN && run->size > inode->cut_size)
		run->size = inode->cut_size;
	fsh_mutex_unlock(&inode->extent_lock);
	return waits ? mapfs_commit_wait(mapfs_of(&inode->vnode), sequence) : 0;
}

static int write_pages(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	struct page_run run = {
		.inode = inode_of(obj), .obj = obj, .first = (uint32_t)index, .n = n};
	int err;

	(void)flags;
	err = begin_run(&run);
	if (!err)
		err = place(&run);
	if (!err)
		err = write_data(&run);
	if (!err)
		err = publish(&run);
	if (err) {
		drop_claims(&run);
		/* Want of memory may have passed when the pages, still dirty, come again. */
		if (err != -ENOMEM)
			vnode_report_error(&run.inode->vnode, err);
	}
	return err;
}

const struct mvm_pager_ops mapfs_pager_ops = {
	.fill = fill,
	.make_writable = make_writable,
	.writable_at_once = writable_at_once,
	.unreserve = unreserve,
	.settle = settle,
	.write = write_pages,
	.release = vnode_object_release,
};
