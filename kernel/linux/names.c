// SPDX-License-Identifier: MIT
/*
 * Calls on names beyond the core: access checks with flags, nodes of every kind, another root.
 */
#include <abi/errno.h>
#include <abi/stat.h>
#include <kernel/place.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

long sys_faccessat2(long dir, uaddr_t path, long mode, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;

	if (flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return access_at(dir, path, (unsigned)mode, flags);
}

/* Device numbers have come in 32 bits since there was this call. */
long sys_mknodat(long dir, uaddr_t path, unsigned long mode, unsigned long device)
{
	struct place p;
	int err = place_get(&p, dir, path);

	if (err)
		return err;
	err = vfs_mknod(
		CTX(p), BASE(p), TEXT(p), (uint32_t)mode & (S_IFMT | FS_PERM), (uint32_t)device);
	place_put(&p);
	return err;
}

long sys_chroot(uaddr_t path)
{
	struct dentry *root;
	struct place p;
	int err = place_get(&p, AT_FDCWD, path);

	if (err)
		return err;
	err = vfs_chdir(CTX(p), NULL, TEXT(p), &root);
	place_put(&p);
	if (!err && !process_is_privileged(process_current())) {
		dentry_unref(root);
		err = -EPERM;
	}
	if (!err)
		fs_state_chroot(process_current()->fs, root);
	return err;
}
