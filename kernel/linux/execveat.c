// SPDX-License-Identifier: MIT
/*
 * execveat: a program by a descriptor, of a directory above it or of itself.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <kernel/exec.h>
#include <kernel/syscall.h>

long sys_execveat(long dir, uaddr_t path, uaddr_t argv, uaddr_t envp, unsigned long flags)
{
	struct exec_request request = {
		.dir = dir,
		.flags = (unsigned)flags,
		.argv.user = argv,
		.envp.user = envp,
	};

	if (request.flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return process_exec_user(&request, path);
}
