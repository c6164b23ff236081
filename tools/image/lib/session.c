// SPDX-License-Identifier: MIT
/* The kernel's file-system code in a process: set up, mount, copy in and out. */
#include "image.h"
#include "progress.h"

#include <fs/mapfs.h>
#include <fs/mount.h>
#include <fs/vfs.h>
#include <mm/vm.h>

#include <fs_posix.h>
#include <posix.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_FRAMES 16384 /* 64 MiB of file pages */
#define COPY_BYTES   ((size_t)1 << 20)
#define HOLE_BYTES   4096

static const struct fs_cred root_cred;

static void log_line(const char *line)
{
	if (image_before_message)
		image_before_message();
	fprintf(stderr, "%s: %s\n", image_tool, line);
}

void image_start(int64_t now_ns)
{
	fsh_posix_fixed_time_ns = now_ns;
	fsh_posix_log = log_line;
	posix_start(CACHE_FRAMES);
	if (mvm_init() || vfs_init(256, 256))
		image_die(8, "out of memory");
	mapfs_register();
}

void image_mount(struct blkdev *dev, bool writable, struct fs_context *ctx)
{
	struct dentry *root;
	int err = mount_root("mapfs", dev->name, writable ? 0 : MOUNT_RDONLY, &root);

	if (err)
		image_die(4, "%s: cannot be mounted", dev->name);
	if (writable && mount_readonly(root->mount))
		image_die(4, "%s: cannot be changed; run tools/fsck on it", dev->name);
	*ctx = (struct fs_context){.root = root, .cwd = root, .cred = &root_cred};
}

void image_unmount(struct fs_context *ctx)
{
	int err;

	dentry_unref(ctx->root);
	err = mount_shutdown();
	if (err)
		image_die_errno(4, "writing back", err);
}

/* --- Copies ------------------------------------------------------------------------------ */

/* The tools' side of a copy: plain memory, which is always there. */
struct memory_copy {
	struct mvm_copy copy;
	char *memory;
	bool to_kernel;
};

static size_t copy_memory(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct memory_copy *m = (struct memory_copy *)c;

	if (m->to_kernel)
		memcpy(kernel, m->memory + done, n);
	else
		memcpy(m->memory + done, kernel, n);
	return n;
}

int image_read(struct file *file, void *to, size_t n, uint64_t offset, size_t *done)
{
	struct memory_copy c = {{.copy = copy_memory}, to, false};

	return file_pread(file, &c.copy, n, offset, done);
}

int image_write(struct file *file, const void *from, size_t n, uint64_t offset, size_t *done)
{
	struct memory_copy c = {{.copy = copy_memory}, (char *)from, true};

	return file_pwrite(file, &c.copy, n, offset, done);
}

static bool all_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

int64_t image_time(const struct timespec *t)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)t->tv_sec, (int64_t)1000000000, &ns) ||
		__builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

/* Write what is not zero, so that holes stay holes. */
static int write_data(struct file *file, const char *data, size_t n, uint64_t offset)
{
	size_t done;
	int err = 0;

	for (size_t at = 0, piece; at < n && !err; at += piece) {
		piece = n - at < HOLE_BYTES ? n - at : HOLE_BYTES;
		if (!all_zero(data + at, piece))
			err = image_write(file, data + at, piece, offset + at, &done);
	}
	return err;
}

/* Go on where there is data, or to the end; a file that cannot be searched is read as it comes. */
static uint64_t skip_hole(int fd, uint64_t offset)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		data = lseek(fd, 0, SEEK_END);
	if (data <= (off_t)offset)
		return offset;
	progress_add((uint64_t)data - offset);
	return (uint64_t)data;
}

int image_copy_in(int fd, struct file *file)
{
	char *buffer = malloc(COPY_BYTES);
	uint64_t offset = skip_hole(fd, 0);
	ssize_t n;
	int err = buffer ? 0 : -ENOMEM;

	while (!err && (n = read(fd, buffer, COPY_BYTES)) != 0) {
		err = n < 0 ? -errno : write_data(file, buffer, (size_t)n, offset);
		if (err)
			break;
		progress_add((uint64_t)n);
		offset = skip_hole(fd, offset + (uint64_t)n);
	}
	if (!err)
		err = file_truncate(file, offset);
	if (!err)
		err = mvm_pc_flush(file->object, 0, ~(mvm_pgoff_t)0, MVM_PC_WAIT);
	free(buffer);
	return err;
}

static int write_all(int fd, const char *data, size_t n)
{
	for (ssize_t done; n; data += done, n -= (size_t)done) {
		done = write(fd, data, n);
		if (done < 0)
			return -errno;
	}
	return 0;
}

/* An empty file that is written from its beginning. */
static bool can_have_holes(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
}

int image_copy_out(struct file *file, int fd)
{
	char *buffer = malloc(COPY_BYTES);
	bool seekable = can_have_holes(fd);
	uint64_t offset = 0;
	size_t done = 1;
	int err = buffer ? 0 : -ENOMEM;

	while (!err && done) {
		err = image_read(file, buffer, COPY_BYTES, offset, &done);
		if (!err && seekable && all_zero(buffer, done))
			lseek(fd, (off_t)done, SEEK_CUR);
		else if (!err)
			err = write_all(fd, buffer, done);
		offset += done;
		progress_add(done);
	}
	if (!err && seekable && ftruncate(fd, (off_t)offset) < 0)
		err = -errno;
	free(buffer);
	return err;
}
