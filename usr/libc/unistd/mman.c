// SPDX-License-Identifier: MIT
/*
 * Memory maps and the break.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "syscall.h"

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return (void *)SYSCALL_ERRNO(mmap, address, length, protection, flags, fd, offset);
}

int munmap(void *address, size_t length)
{
	return (int)SYSCALL_ERRNO(munmap, address, length);
}

int mprotect(void *address, size_t length, int protection)
{
	return (int)SYSCALL_ERRNO(mprotect, address, length, protection);
}

void *mremap(void *old, size_t old_length, size_t length, int flags, ...)
{
	void *to = NULL;
	va_list args;

	if (flags & MREMAP_FIXED) {
		va_start(args, flags);
		to = va_arg(args, void *);
		va_end(args);
	}
	return (void *)SYSCALL_ERRNO(mremap, old, old_length, length, flags, to);
}

int msync(void *address, size_t length, int flags)
{
	return (int)SYSCALL_ERRNO(msync, address, length, flags);
}

int madvise(void *address, size_t length, int advice)
{
	return (int)SYSCALL_ERRNO(madvise, address, length, advice);
}

/* DONTNEED is destructive in Linux, in POSIX it is a hint: nothing is done, as others do it. */
int posix_madvise(void *address, size_t length, int advice)
{
	long result;

	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	result = SYSCALL(madvise, address, length, advice);
	return result < 0 ? (int)-result : 0;
}

int mlock(const void *address, size_t length)
{
	return (int)SYSCALL_ERRNO(mlock, address, length);
}

int mlock2(const void *address, size_t length, unsigned flags)
{
	return (int)SYSCALL_ERRNO(mlock2, address, length, flags);
}

int munlock(const void *address, size_t length)
{
	return (int)SYSCALL_ERRNO(munlock, address, length);
}

int mlockall(int flags)
{
	return (int)SYSCALL_ERRNO(mlockall, flags);
}

int munlockall(void)
{
	return (int)SYSCALL_ERRNO(munlockall);
}

int mincore(void *address, size_t length, unsigned char *resident)
{
	return (int)SYSCALL_ERRNO(mincore, address, length, resident);
}

int memfd_create(const char *name, unsigned flags)
{
	return (int)SYSCALL_ERRNO(memfd_create, name, flags);
}

/* The call answers with the end as it then is: unchanged when it could not be moved. */
int brk(void *end)
{
	if ((void *)SYSCALL(brk, end) == end)
		return 0;
	errno = ENOMEM;
	return -1;
}

void *sbrk(ptrdiff_t increment)
{
	char *old = (char *)SYSCALL(brk, 0);

	if (increment && brk(old + increment) != 0)
		return (void *)-1;
	return old;
}
