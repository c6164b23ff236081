// SPDX-License-Identifier: MIT
/*
 * put IMAGE HOSTFILE GUESTPATH: copy a host file into an image, over what is there, with its
 * permissions and its time.  A GUESTPATH that is a directory gets the file under its own name.
 * Interrupted, it leaves an image that the next mount recovers, with a part of the file.
 */
#include "lib/image.h"
#include "lib/progress.h"

#include <fs/file.h>
#include <fs/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *destination(struct fs_context *ctx, const char *guest, const char *host)
{
	struct fs_attr attr;
	char *path;
	bool directory = vfs_stat(ctx, NULL, guest, PATH_FOLLOW, &attr) == 0 &&
			 (attr.mode & FS_IFMT) == FS_IFDIR;

	if (asprintf(&path, directory ? "%s/%s" : "%s", guest, base_name(host)) < 0)
		image_die(8, "out of memory");
	return path;
}

/* What of a host file is no hole. */
static uint64_t data_bytes(const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;

	return bytes < (uint64_t)st->st_size ? bytes : (uint64_t)st->st_size;
}

/* Refused before anything is touched, so that no half of a file replaces a whole one. */
static int check_room(struct fs_context *ctx, const struct stat *st, const char *guest)
{
	struct fs_attr attr = {0};
	struct fs_stat fs;
	int err = vfs_statfs(ctx, NULL, "/", &fs);

	if (err)
		return err;
	(void)vfs_stat(ctx, NULL, guest, PATH_FOLLOW, &attr);
	return data_bytes(st) <= fs.data_blocks * fs.block_bytes + attr.blocks * 512 ? 0 : -ENOSPC;
}

static int copy(struct fs_context *ctx, int fd, const struct stat *st, const char *guest)
{
	struct fs_attr attr = {.mode = st->st_mode & FS_PERM, .mtime = image_time(&st->st_mtim)};
	struct file *file;
	int err = check_room(ctx, st, guest);

	if (!err)
		err = vfs_open(ctx, NULL, guest, FS_O_CREAT | FS_O_TRUNC | FS_O_RDWR, 0600, &file);
	if (err)
		return err;
	err = image_copy_in(fd, file);
	file_unref(file);
	if (err)
		return err;
	return vfs_setattr(ctx, NULL, guest, PATH_FOLLOW, &attr, FS_SET_MODE | FS_SET_MTIME);
}

int main(int argc, char **argv)
{
	struct fs_context ctx;
	struct blkdev *dev;
	struct stat st;
	char *guest;
	int fd, err;

	image_tool = "put";
	if (argc != 4) {
		fputs("usage: put IMAGE HOSTFILE GUESTPATH\n", stderr);
		return 2;
	}
	/* Nobody may be at the other end of a fifo, which is refused below. */
	fd = open(argv[2], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		image_die_errno(1, argv[2], -errno);
	if (!S_ISREG(st.st_mode))
		image_die(1, "%s: is not a regular file", argv[2]);
	image_start(0);
	dev = image_open(argv[1], true);
	image_mount(dev, true, &ctx);
	guest = destination(&ctx, argv[3], argv[2]);
	progress_to(guest, 0, (uint64_t)st.st_size, PROGRESS_BYTES);
	err = copy(&ctx, fd, &st, guest);
	progress_end();
	image_unmount(&ctx);
	image_close(dev);
	if (err)
		image_die_errno(1, guest, err);
	free(guest);
	return 0;
}
