// SPDX-License-Identifier: MIT
/*
 * get IMAGE GUESTPATH [HOSTFILE]: a file of an image, to a host file or to stdout; a directory is
 * listed, one name a line; of a symbolic link, what it leads to.  Never writes to the image.  A
 * host file that could not be finished is removed.
 */
#include "lib/image.h"
#include "lib/progress.h"

#include <fs/file.h>
#include <fs/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool print_entry(struct fs_readdir *r, const struct fs_entry *e)
{
	(void)r;
	printf("%.*s%s\n", (int)e->name_bytes, e->name, (e->mode & FS_IFMT) == FS_IFDIR ? "/" : "");
	return true;
}

static int list(struct file *dir)
{
	struct fs_readdir r = {.emit = print_entry};

	return file_readdir(dir, &r);
}

static int copy(struct file *file, const char *host, const struct fs_attr *attr)
{
	int fd, err;

	if (!host)
		return image_copy_out(file, STDOUT_FILENO);
	fd = open(host, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, attr->mode & 0777);
	if (fd < 0)
		image_die_errno(1, host, -errno);
	image_unfinished(host);
	err = image_copy_out(file, fd);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err)
		image_unfinished(NULL);
	return err;
}

int main(int argc, char **argv)
{
	struct fs_context ctx;
	struct fs_attr attr;
	struct file *file;
	struct blkdev *dev;
	int err;

	image_tool = "get";
	if (argc < 3 || argc > 4) {
		fputs("usage: get IMAGE GUESTPATH [HOSTFILE]\n", stderr);
		return 2;
	}
	image_start(0);
	dev = image_open(argv[1], false);
	image_mount(dev, false, &ctx);
	err = vfs_open(&ctx, NULL, argv[2], FS_O_RDONLY, 0, &file);
	if (err)
		image_die_errno(1, argv[2], err);
	err = vnode_getattr(file->vnode, &attr);
	if (!err && (attr.mode & FS_IFMT) == FS_IFDIR) {
		err = list(file);
	} else if (!err) {
		if (argc == 4 || !isatty(STDOUT_FILENO))
			progress_to(argv[2], 0, attr.size_bytes, PROGRESS_BYTES);
		err = copy(file, argc == 4 ? argv[3] : NULL, &attr);
		progress_end();
	}
	if (err)
		image_die_errno(1, argv[2], err);
	file_unref(file);
	image_unmount(&ctx);
	image_close(dev);
	return 0;
}
