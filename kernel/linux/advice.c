// SPDX-License-Identifier: MIT
/*
 * What a program says about the pages of a file: fadvise64, readahead and sync_file_range.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <kernel/files.h>
#include <kernel/syscall.h>

/* Pages of a file. */
struct page_range {
	mvm_pgoff_t first, last;
};

/* The pages of `bytes` bytes from `offset` on; 0 bytes: to the end, wherever that is. */
static struct page_range pages_of(int64_t offset, int64_t bytes)
{
	int64_t end;

	if (!bytes || __builtin_add_overflow(offset, bytes, &end))
		end = INT64_MAX;
	return (struct page_range){
		(mvm_pgoff_t)offset >> PAGE_SHIFT, (mvm_pgoff_t)(end - 1) >> PAGE_SHIFT};
}

/* --- fadvise64, readahead -------------------------------------------------------------------- */

static void read_ahead(struct file *file, int64_t offset, int64_t bytes)
{
	struct page_range r = pages_of(offset, bytes);
	uint64_t size = vnode_size(file->vnode);

	if ((uint64_t)offset >= size)
		return;
	if (r.last > (size - 1) >> PAGE_SHIFT)
		r.last = (size - 1) >> PAGE_SHIFT;
	mvm_pc_readahead(file->object, r.first, (unsigned)(r.last - r.first + 1));
}

/*
 * Only whole pages go, and the last one of the file.  What is dirty is written
 * first, but not waited for.
 */
static void drop_pages(struct file *file, int64_t offset, int64_t bytes)
{
	struct page_range r = pages_of(offset, bytes);
	uint64_t end = (uint64_t)offset + (uint64_t)bytes;

	if (mvm_pc_flush(file->object, r.first, r.last, 0))
		return; /* it stays dirty; fsync tells of it */
	if (offset & PAGE_MASK)
		r.first++;
	if (bytes && end & PAGE_MASK && end < vnode_size(file->vnode)) {
		if (!r.last)
			return;
		r.last--;
	}
	if (r.first <= r.last)
		mvm_pc_invalidate(file->object, r.first, r.last);
}

static long advise(struct file *file, int64_t offset, int64_t bytes, int advice)
{
	if (file->state & FILE_STREAM)
		return -ESPIPE;
	if (bytes < 0)
		return -EINVAL;
	switch (advice) {
	case POSIX_FADV_WILLNEED:
		if (file->object && offset >= 0)
			read_ahead(file, offset, bytes);
		return 0;
	case POSIX_FADV_DONTNEED:
		if (file->object && offset >= 0)
			drop_pages(file, offset, bytes);
		return 0;
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_RANDOM:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_NOREUSE:
		return 0; /* readahead finds out for itself */
	default:
		return -EINVAL;
	}
}

long sys_fadvise64(long fd, int64_t offset, int64_t bytes, long advice)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	long result = advise(file, offset, bytes, (int)advice);
	file_unref(file);
	return result;
}

long sys_readahead(long fd, int64_t offset, size_t bytes)
{
	struct file *file = fd_get(fd);
	long result = 0;

	if (!file)
		return -EBADF;
	if (!(file->state & FILE_READABLE))
		result = -EBADF;
	else if (!file->object || offset < 0 || (int64_t)bytes < 0)
		result = -EINVAL;
	else if (bytes)
		read_ahead(file, offset, (int64_t)bytes);
	file_unref(file);
	return result;
}

/* --- sync_file_range ------------------------------------------------------------------------- */

#define SYNC_RANGE_FLAGS \
	(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

static long sync_range(struct file *file, int64_t offset, int64_t bytes, unsigned flags)
{
	struct page_range r;
	int64_t end;
	bool wait = flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER);

	if (flags & ~(unsigned)SYNC_RANGE_FLAGS || offset < 0 || bytes < 0 ||
		__builtin_add_overflow(offset, bytes, &end))
		return -EINVAL;
	if (!file->object)
		return file->vnode && vnode_is(file->vnode, FS_IFDIR) ? 0 : -ESPIPE;
	if (!flags)
		return 0;
	r = pages_of(offset, bytes);
	/* Waiting without writing is waiting for what is dirty, too: more than was asked for. */
	return mvm_pc_flush(file->object, r.first, r.last, wait ? MVM_PC_WAIT : 0);
}

long sys_sync_file_range(long fd, int64_t offset, int64_t bytes, unsigned long flags)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	long result = sync_range(file, offset, bytes, (unsigned)flags);
	file_unref(file);
	return result == -EINTR ? syscall_restart(RESTART_SA) : result;
}
