// SPDX-License-Identifier: MIT
/*
 * memfd_create: a file in memory, by its descriptor alone (fs/memfd.c).
 */
#include <abi/errno.h>
#include <abi/limits.h>
#include <abi/mman.h>
#include <kernel/files.h>
#include <kernel/syscall.h>

#define PREFIX       "memfd:" /* as /proc/PID/maps shows it */
#define PREFIX_BYTES (sizeof PREFIX - 1)

struct memfd_name {
	char text[NAME_MAX + 1];
};

static int get_name(uaddr_t from, struct memfd_name *name)
{
	long n;

	__builtin_memcpy(name->text, PREFIX, PREFIX_BYTES);
	n = copy_in_string(name->text + PREFIX_BYTES, from, sizeof name->text - PREFIX_BYTES);
	return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? (int)n : 0;
}

long sys_memfd_create(uaddr_t name_from, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct fs_cred cred = process_fs_cred(process_current());
	struct memfd_name name;
	struct file *file;
	int err;

	if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB))
		return -EINVAL;
	err = get_name(name_from, &name);
	if (err)
		return err;
	if (flags & MFD_HUGETLB)
		return -ENOSYS; /* as where there are no huge pages */
	err = memfd_new(name.text, &cred, flags & MFD_ALLOW_SEALING, &file);
	if (err)
		return err;
	long fd = fd_install(file, 0, flags & MFD_CLOEXEC);
	if (fd < 0)
		file_unref(file);
	return fd;
}
