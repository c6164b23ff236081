// SPDX-License-Identifier: MIT
#include "file.h"

#include <string.h>

/* Pieces of a page that are transferred at once. */
#define SECTOR 1024

#define MAX_RUN 32
#define QUEUE   16

struct sim_file files[FILES];

/* A transfer that the disk's fiber carries out. */
struct transfer {
	struct sim_file *file;
	bool write;
	mvm_pgoff_t index;
	unsigned n;
};

static char disks[FILES][FILE_PAGES][MVM_PAGE_BYTES];
static struct {
	bool slow, stop, stopped;
	struct transfer queue[QUEUE];
	unsigned head, tail;
} disk;

struct sim_file *file_of(struct mvm_object *obj)
{
	return mvm_object_owner(obj);
}

static void check_index(mvm_pgoff_t index, unsigned n)
{
	if (n == 0 || n > MAX_RUN || index + n > FILE_PAGES)
		sim_fail("pager: pages %u to %u", (unsigned)index, (unsigned)index + n);
}

/* How many bytes of the page lie below the size. */
static size_t bytes_inside(struct mvm_object *obj, mvm_pgoff_t index)
{
	uint64_t size = mvm_object_size(obj), start = index << MVM_PAGE_SHIFT;

	if (start >= size)
		return 0;
	return size - start < MVM_PAGE_BYTES ? (size_t)(size - start) : MVM_PAGE_BYTES;
}

static void transfer_page(struct sim_file *file, mvm_pgoff_t index, bool write)
{
	char *bytes = host_frame_data(mvm_object_frame(file->object, index));
	size_t inside = write ? MVM_PAGE_BYTES : bytes_inside(file->object, index);

	for (size_t at = 0; at < MVM_PAGE_BYTES; at += SECTOR) {
		char *sector = file->disk[index] + at;

		sched_point(POINT_HOOK);
		memcpy(write ? sector : bytes + at, write ? bytes + at : sector, SECTOR);
	}
	if (!write)
		memset(bytes + inside, 0, MVM_PAGE_BYTES - inside);
}

static void carry_out(const struct transfer *t)
{
	for (unsigned i = 0; i < t->n; i++)
		transfer_page(t->file, t->index + i, t->write);
}

/* Transfer now, or hand it to the disk. */
static int begin(const struct transfer *t)
{
	if (!disk.slow || disk.tail - disk.head == QUEUE) {
		carry_out(t);
		return 0;
	}
	disk.queue[disk.tail++ % QUEUE] = *t;
	sched_wake(&disk);
	return MVM_PENDING;
}

/* The disk's fiber. */
static void serve(void)
{
	while (!disk.stop) {
		struct transfer *t = &disk.queue[disk.head % QUEUE];

		if (disk.head == disk.tail) {
			sched_block("transfers", &disk);
			continue;
		}
		carry_out(t);
		if (t->write)
			mvm_write_done(t->file->object, t->index, t->n, 0);
		else
			mvm_fill_done(t->file->object, t->index, t->n, 0);
		disk.head++;
		sched_wake(&disk.head);
	}
	disk.stopped = true;
	sched_wake(&disk.stopped);
}

/* --- The pager -------------------------------------------------------------------------------- */

static int transfer(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, bool write)
{
	struct transfer t = {.file = file_of(obj), .write = write, .index = index, .n = n};

	host_check_free(write ? "write" : "fill");
	check_index(index, n);
	sim_trace("%s file %d pages %u to %u", write ? "write" : "fill", (int)(t.file - files),
		(unsigned)index, (unsigned)index + n - 1);
	return begin(&t);
}

static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	check_index(index, n);
	for (unsigned i = 0; i < n; i++)
		file_of(obj)->fills[index + i]++;
	return transfer(obj, index, n, false);
}

static int make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	host_check_free("make_writable");
	check_index(index, 1);
	sched_point(POINT_HOOK);
	file_of(obj)->reserved[index] = true;
	return 0;
}

/* Every other page: both ways are gone. */
static bool writable_at_once(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)obj;
	check_index(index, 1);
	return index % 2 == 0;
}

static void unreserve(struct mvm_object *obj, mvm_pgoff_t index)
{
	check_index(index, 1);
	file_of(obj)->reserved[index] = false;
}

static int write_run(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	(void)flags;
	check_index(index, n);
	memset(file_of(obj)->reserved + index, false, n);
	return transfer(obj, index, n, true);
}

static void release(struct mvm_object *obj)
{
	host_check_free("release");
	file_of(obj)->released++;
}

static const struct mvm_pager_ops pager = {
	.fill = fill,
	.make_writable = make_writable,
	.writable_at_once = writable_at_once,
	.unreserve = unreserve,
	.write = write_run,
	.release = release,
};

/* --- Life ------------------------------------------------------------------------------------- */

void file_begin(bool slow)
{
	memset(files, 0, sizeof files);
	memset(&disk, 0, sizeof disk);
	disk.slow = slow;
	if (slow)
		sched_serve(serve);
}

void file_make(unsigned i)
{
	files[i].disk = disks[i];
	memset(disks[i], 0, sizeof disks[i]);
	if (mvm_object_new(&pager, &files[i], FILE_PAGES * MVM_PAGE_BYTES, &files[i].object) != 0)
		sim_fail("a file's object cannot be made");
}

void file_unmake(unsigned i)
{
	struct sim_file *file = &files[i];

	/* Dirty pages hold the object: write them, so that ours is the last reference. */
	if (mvm_pc_flush(file->object, 0, FILE_PAGES, MVM_PC_WAIT) != 0)
		sim_fail("the last flush failed");
	while (disk.head != disk.tail) /* who says that a write is done holds the object */
		sched_block("the disk to be idle", &disk.head);
	mvm_object_unref(file->object);
	if (file->released != 1)
		sim_fail("somebody still refers to the object of file %u, or did too often", i);
	mvm_object_destroy(file->object);
	for (unsigned p = 0; p < FILE_PAGES; p++) {
		if (file->reserved[p])
			sim_fail("the reservation of page %u was not returned", p);
	}
	file->object = NULL;
}

uint64_t file_disk_word(unsigned i, unsigned index, unsigned offset)
{
	uint64_t word;

	memcpy(&word, disks[i][index] + offset, sizeof word);
	return word;
}

void file_end(void)
{
	if (!disk.slow)
		return;
	disk.stop = true;
	sched_wake(&disk);
	while (!disk.stopped)
		sched_block("the disk to stop", &disk.stopped);
}

void file_inode_lock(struct sim_file *file)
{
	host_check_free("inode lock");
	sched_point(POINT_LOCK);
	while (file->inode_locked)
		sched_block("inode lock", &file->inode_locked);
	file->inode_locked = true;
}

void file_inode_unlock(struct sim_file *file)
{
	file->inode_locked = false;
	sched_wake(&file->inode_locked);
	sched_point(POINT_LOCK);
}

void file_free_blocks(struct sim_file *file, mvm_pgoff_t first, mvm_pgoff_t last)
{
	for (mvm_pgoff_t i = first; i <= last && i < FILE_PAGES; i++) {
		sched_point(POINT_HOOK);
		memset(file->disk[i], 0, MVM_PAGE_BYTES);
	}
}
