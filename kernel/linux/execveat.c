// SPDX-License-Identifier: MIT
/*
 * execveat: a program by a descriptor, of a directory above it or of itself.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <kernel/exec.h>
#include <kernel/syscall.h>

long sys_execveat(long dir, uaddr_t path_argument, uaddr_t argv, uaddr_t envp, unsigned long flags)
{
	struct exec_request request = {
		.dir = dir,
		.flags = (unsigned)flags,
		.argv.user = argv,
		.envp.user = envp,
	};
	struct user_path path;

	if (request.flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	int err = user_path_get(&path, path_argument);
	if (err)
		return err;
	request.path = path.text;
	err = process_exec(&request);
	user_path_free(&path);
	return err;
}
