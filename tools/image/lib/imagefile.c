// SPDX-License-Identifier: MIT
/*
 * An image file as a block device: each request is one preadv or pwritev.
 *
 * Whoever has an image open keeps others out with locks of ranges of the file: a writer has all of
 * it, a reader the bytes below 100.  QEMU has bytes from 100 on, so a guest and a reader do not
 * mind each other, but nobody writes to the disk of a guest that runs.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_SEGMENTS 256
#define READERS_LOCK 100 /* bytes */

const char *image_tool = "image";
void (*image_before_message)(void);

struct image_device {
	struct blkdev dev;
	int fd;
	bool durable; /* a flush reaches the medium under the file */
};

void image_die(int status, const char *format, ...)
{
	va_list args;

	if (image_before_message)
		image_before_message();
	fprintf(stderr, "%s: ", image_tool);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

void image_die_errno(int status, const char *what, int err)
{
	image_die(status, "%s: %s", what, strerror(-err));
}

uint64_t image_parse_size(const char *text)
{
	static const char suffixes[] = "KMGT";
	char *end;
	uint64_t n;
	const char *suffix;
	unsigned shift;

	errno = 0;
	n = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
	if (*text < '0' || *text > '9' || end[suffix != NULL] || n == 0 || errno ||
		n > (uint64_t)INT64_MAX >> shift)
		image_die(2, "'%s' is not a size (like 64M or 1G)", text);
	return n << shift;
}

static struct image_device *device_of(struct blkdev *dev)
{
	return (struct image_device *)dev;
}

static int fd_of(struct blkdev *dev)
{
	return device_of(dev)->fd;
}

static int move(struct blkdev *dev, struct blk_request *req)
{
	struct iovec vec[MAX_SEGMENTS];
	off_t offset = (off_t)(req->first_sector * BLK_SECTOR_BYTES);
	size_t bytes = 0;
	ssize_t n;

	for (unsigned i = 0; i < req->n_segments; i++) {
		vec[i] = (struct iovec){req->segments[i].data, req->segments[i].bytes};
		bytes += req->segments[i].bytes;
	}
	if (req->op == BLK_READ)
		n = preadv(fd_of(dev), vec, (int)req->n_segments, offset);
	else
		n = pwritev(fd_of(dev), vec, (int)req->n_segments, offset);
	return n == (ssize_t)bytes ? 0 : -EIO;
}

static int flush(struct blkdev *dev)
{
	return device_of(dev)->durable && fdatasync(fd_of(dev)) < 0 ? -EIO : 0;
}

static void submit(struct blkdev *dev, struct blk_request *req)
{
	req->done(req, req->op == BLK_FLUSH ? flush(dev) : move(dev, req));
}

static const struct blkdev_ops image_ops = {.submit = submit};

static struct blkdev *make_device(const char *path, int fd, uint64_t bytes, bool writable)
{
	struct image_device *image = calloc(1, sizeof(*image));
	struct blkdev *dev = &image->dev;

	if (!image)
		image_die(8, "out of memory");
	image->fd = fd;
	dev->name = path;
	dev->ops = &image_ops;
	dev->n_sectors = bytes / BLK_SECTOR_BYTES;
	dev->max_segments = MAX_SEGMENTS;
	dev->read_only = !writable;
	blkdev_register(dev);
	return dev;
}

/* File systems without locks have nobody to keep out, as far as anybody can tell. */
static void lock(const char *path, int fd, bool writable)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct flock some = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = READERS_LOCK};

	if (fcntl(fd, F_OFD_SETLK, writable ? &all : &some) < 0 && errno == EAGAIN)
		image_die(8, "%s: is in use: mounted, or the disk of a guest that runs", path);
}

struct blkdev *image_open(const char *path, bool writable)
{
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	off_t bytes;

	if (fd < 0)
		image_die_errno(8, path, -errno);
	lock(path, fd, writable);
	bytes = lseek(fd, 0, SEEK_END);
	if (bytes < 0)
		image_die_errno(8, path, -errno);
	return make_device(path, fd, (uint64_t)bytes, writable);
}

struct blkdev *image_create(const char *path, uint64_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		image_die_errno(8, path, -errno);
	lock(path, fd, true);
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)bytes) < 0)
		image_die_errno(8, path, -errno);
	return make_device(path, fd, bytes, true);
}

void image_make_durable(struct blkdev *dev)
{
	device_of(dev)->durable = true;
}

void image_wait_unused(const char *path)
{
	struct flock some = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = READERS_LOCK};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (fcntl(fd, F_OFD_SETLKW, &some) < 0 && errno == EINTR)
		continue;
	close(fd);
}

void image_close(struct blkdev *dev)
{
	if (!dev->read_only && fsync(fd_of(dev)) < 0 && errno != EINVAL)
		image_die_errno(8, dev->name, -errno);
	close(fd_of(dev));
}
