// SPDX-License-Identifier: MIT
#include "testfile.h"

#include "plain.h"
#include "posix.h"

#include <mm/host.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct test_file *file_of(struct mvm_object *obj)
{
	return mvm_object_owner(obj);
}

static bool due(struct test_file *file, uint64_t *countdown)
{
	bool fail = *countdown == 1;

	if (*countdown > 1 || (fail && !file->for_good))
		--*countdown;
	file->failures += fail;
	return fail;
}

static int error_of(const struct test_file *file)
{
	return file->fail_with ? file->fail_with : -MVM_EIO;
}

/* How many bytes of page `index` lie below the size. */
static size_t bytes_inside(struct mvm_object *obj, mvm_pgoff_t index)
{
	uint64_t size = mvm_object_size(obj), start = index << MVM_PAGE_SHIFT;

	if (start >= size)
		return 0;
	return size - start < MVM_PAGE_BYTES ? (size_t)(size - start) : MVM_PAGE_BYTES;
}

static int fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	struct test_file *file = file_of(obj);
	bool fail;

	pthread_mutex_lock(&file->mutex);
	file->fills++;
	file->filled_pages += n;
	fail = due(file, &file->fail_fill);
	pthread_mutex_unlock(&file->mutex);
	if (fail)
		return error_of(file);
	for (unsigned i = 0; i < n; i++) {
		char *to = posix_frame_data(mvm_object_frame(obj, index + i));
		size_t inside = bytes_inside(obj, index + i);

		memset(to, 0, MVM_PAGE_BYTES);
		if (index + i < file->n_pages)
			memcpy(to, file->disk + ((index + i) << MVM_PAGE_SHIFT), inside);
	}
	return 0;
}

static int make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct test_file *file = file_of(obj);
	int err = 0;

	if (file->on_reserve)
		file->on_reserve();
	pthread_mutex_lock(&file->mutex);
	if (due(file, &file->fail_reserve)) {
		err = error_of(file);
	} else if (index >= file->n_pages) {
		err = -MVM_ENOSPC;
	} else if (!file->reserved[index]) {
		file->reserved[index] = true;
		file->reserves++;
	}
	pthread_mutex_unlock(&file->mutex);
	return err;
}

static bool writable_at_once(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct test_file *file = file_of(obj);
	bool yes;

	pthread_mutex_lock(&file->mutex);
	yes = file->at_once && !file->fail_reserve && index < file->n_pages && file->placed[index];
	file->stores_at_once += yes;
	pthread_mutex_unlock(&file->mutex);
	return yes;
}

static void unreserve(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct test_file *file = file_of(obj);

	pthread_mutex_lock(&file->mutex);
	if (index < file->n_pages && file->reserved[index]) {
		file->reserved[index] = false;
		file->unreserves++;
	}
	pthread_mutex_unlock(&file->mutex);
}

static int settle(struct mvm_object *obj)
{
	struct test_file *file = file_of(obj);

	pthread_mutex_lock(&file->mutex);
	file->settles++;
	pthread_mutex_unlock(&file->mutex);
	return 0;
}

static int write_run(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	struct test_file *file = file_of(obj);
	bool fail;

	(void)flags;
	pthread_mutex_lock(&file->mutex);
	file->writes++;
	file->written_pages += n;
	fail = due(file, &file->fail_write);
	for (unsigned i = 0; i < n && !fail; i++) {
		if (index + i >= file->n_pages)
			mvmh_panic("write: past the reserved");
		file->reserved[index + i] = false;
		file->placed[index + i] = true;
	}
	pthread_mutex_unlock(&file->mutex);
	for (unsigned i = 0; i < n && !fail; i++)
		memcpy(file->disk + ((index + i) << MVM_PAGE_SHIFT),
			posix_frame_data(mvm_object_frame(obj, index + i)), MVM_PAGE_BYTES);
	if (file->slow_writes)
		usleep(30);
	return fail ? error_of(file) : 0;
}

static void release(struct mvm_object *obj)
{
	file_of(obj)->released++;
}

static const struct mvm_pager_ops test_pager = {
	.fill = fill,
	.make_writable = make_writable,
	.writable_at_once = writable_at_once,
	.unreserve = unreserve,
	.settle = settle,
	.write = write_run,
	.release = release,
};

struct test_file *test_file_new(size_t n_pages, uint64_t size_bytes)
{
	struct test_file *file = calloc(1, sizeof *file);

	if (!file)
		abort();
	file->n_pages = n_pages;
	file->disk = calloc(n_pages, MVM_PAGE_BYTES);
	file->reserved = calloc(n_pages, sizeof *file->reserved);
	file->placed = calloc(n_pages, sizeof *file->placed);
	pthread_mutex_init(&file->mutex, NULL);
	if (!file->disk || !file->reserved || !file->placed ||
		mvm_object_new(&test_pager, file, size_bytes, &file->object) != 0)
		abort();
	return file;
}

void test_file_free_blocks(struct test_file *file, uint64_t size_bytes)
{
	size_t first = (size_t)((size_bytes + MVM_PAGE_MASK) >> MVM_PAGE_SHIFT);

	if (first >= file->n_pages)
		return;
	memset(file->disk + (first << MVM_PAGE_SHIFT), 0,
		(file->n_pages - first) << MVM_PAGE_SHIFT);
	pthread_mutex_lock(&file->mutex);
	memset(file->placed + first, false, file->n_pages - first);
	pthread_mutex_unlock(&file->mutex);
}

size_t test_file_reserved(struct test_file *file)
{
	size_t n = 0;

	pthread_mutex_lock(&file->mutex);
	for (size_t i = 0; i < file->n_pages; i++)
		n += file->reserved[i];
	pthread_mutex_unlock(&file->mutex);
	return n;
}

void test_file_free(struct test_file *file)
{
	/* Dirty pages hold the object: write them, so that ours is the last reference. */
	file->fail_write = 0;
	if (mvm_pc_flush(file->object, 0, ~(mvm_pgoff_t)0, MVM_PC_WAIT) != 0)
		mvmh_panic("test_file_free: the flush failed");
	mvm_object_unref(file->object);
	if (file->released != 1)
		mvmh_panic("test_file_free: somebody still holds the object");
	mvm_object_destroy(file->object);
	if (test_file_reserved(file) != 0)
		mvmh_panic("test_file_free: a reservation was not returned");
	free(file->disk);
	free(file->reserved);
	free(file->placed);
	free(file);
}

/* --- Copies ----------------------------------------------------------------------------------- */

int test_file_read(struct test_file *file, uint64_t offset, void *to, size_t n, size_t *done)
{
	return plain_read(file->object, offset, to, n, done);
}

int test_file_write(
	struct test_file *file, uint64_t offset, const void *from, size_t n, size_t *done)
{
	return plain_write(file->object, offset, from, n, done);
}
