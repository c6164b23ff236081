// SPDX-License-Identifier: MIT
/*
 * ioctl's commands for any descriptor: close-on-exec, O_NONBLOCK, and how much there is to read
 * of a regular file.  What has a position of its own kind (pipe, terminal) answers FIONREAD itself.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/termios.h>
#include <kernel/files.h>
#include <kernel/syscall.h>

static long set_nonblocking(struct file *file, uaddr_t from)
{
	int on;

	if (get_user(&on, from))
		return -EFAULT;
	file_set_flags(file, O_NONBLOCK, on ? O_NONBLOCK : 0);
	return 0;
}

static long bytes_to_read(struct file *file, uaddr_t to)
{
	uint64_t at;
	int err = file_seek(file, 0, SEEK_CUR, &at);

	if (err)
		return err;
	int n = (int)(vnode_size(file->vnode) - at);
	return put_user(to, &n);
}

long ioctl_beyond_core(long fd, struct file *file, unsigned command, uaddr_t argument)
{
	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_close_on_exec(fd, command == FIOCLEX);
	case FIONBIO:
		return set_nonblocking(file, argument);
	case FIONREAD:
		return file->object ? bytes_to_read(file, argument) : -ENOTTY;
	default:
		return -ENOTTY;
	}
}
