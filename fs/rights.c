// SPDX-License-Identifier: MIT
/*
 * Who may do what: modes, owners and groups.
 *
 * A caller is a user, a group and further groups (struct fs_cred).  Of the three triples of a mode
 * one counts, the first that fits: the owner's, the group's, the others'; so an owner can be
 * forbidden what the world may do.  uid 0 is spared all of it, except that it runs nothing that
 * nobody may run.  What only an owner may do (chmod, set times) only uid 0 may do besides.
 *
 * A set-user-id or set-group-id bit lends its file's owner's rights to whoever runs it, so it must
 * not survive when the file gets other contents or another owner: chown takes it away, and a write
 * or truncation by somebody else than uid 0.  Set-group-id without the group's right to execute
 * means nothing of the kind (mandatory locking, once), and stays.
 */
#include "private.h"
#include <errno.h>

bool cred_in_group(const struct fs_cred *cred, uint32_t gid)
{
	if (cred->gid == gid)
		return true;
	for (unsigned i = 0; i < cred->n_groups; i++)
		if (cred->groups[i] == gid)
			return true;
	return false;
}

bool vnode_is_owned(const struct vnode *v, const struct fs_cred *cred)
{
	return cred->uid == 0 || cred->uid == fs_read(v->uid);
}

static int root_permission(const struct vnode *v, unsigned want)
{
	bool runs = vnode_is(v, FS_IFDIR) || (fs_read(v->mode) & 0111);

	return (want & FS_EXECUTE) && !runs ? -EACCES : 0;
}

int vnode_permission_by_mode(const struct vnode *v, const struct fs_cred *cred, unsigned want)
{
	unsigned granted = fs_read(v->mode);

	if (cred->uid == 0)
		return root_permission(v, want);
	if (cred->uid == fs_read(v->uid))
		granted >>= 6;
	else if (cred_in_group(cred, fs_read(v->gid)))
		granted >>= 3;
	return want & ~granted & 7 ? -EACCES : 0;
}

int vnode_permission(const struct vnode *v, const struct fs_cred *cred, unsigned want)
{
	return v->ops->permission ? v->ops->permission(v, cred, want)
				  : vnode_permission_by_mode(v, cred, want);
}

bool rights_sticky_forbid(
	const struct vnode *dir, const struct vnode *v, const struct fs_cred *cred)
{
	return (dir->mode & FS_ISVTX) && !vnode_is_owned(v, cred) && cred->uid != dir->uid;
}

/* --- New files ------------------------------------------------------------------------------- */

#define SGID_RUNS (FS_ISGID | 0010) /* lends the group's rights */

/*
 * In a set-group-id directory files are its group's, and directories do the same to theirs.  A
 * program that would lend that group's rights is only made by one of the group.
 */
void rights_of_new(struct vnode_new *what, const struct vnode *dir, const struct fs_cred *cred)
{
	what->uid = cred->uid;
	what->gid = cred->gid;
	if (!(dir->mode & FS_ISGID))
		return;
	what->gid = dir->gid;
	if ((what->mode & FS_IFMT) == FS_IFDIR)
		what->mode |= FS_ISGID;
	else if ((what->mode & SGID_RUNS) == SGID_RUNS && cred->uid &&
		 !cred_in_group(cred, dir->gid))
		what->mode &= ~FS_ISGID;
}

/* --- Attributes ------------------------------------------------------------------------------ */

uint32_t rights_without_setid(uint32_t mode)
{
	if ((mode & SGID_RUNS) == SGID_RUNS)
		mode &= ~FS_ISGID;
	return mode & ~FS_ISUID;
}

/* The owner may give the file to a group of his; all else is for uid 0. */
static bool may_chown(const struct vnode *v, const struct fs_cred *cred, const struct fs_attr *attr,
	unsigned mask)
{
	if (cred->uid == 0)
		return true;
	if (cred->uid != v->uid)
		return false;
	if ((mask & FS_SET_UID) && attr->uid != v->uid)
		return false;
	return !(mask & FS_SET_GID) || attr->gid == v->gid || cred_in_group(cred, attr->gid);
}

#define BOTH_NOW (FS_SET_ATIME_NOW | FS_SET_MTIME_NOW)
#define TIMES    (BOTH_NOW | FS_SET_ATIME | FS_SET_MTIME)

/* Who may write a file may say that it was just used; only its owner may say anything else. */
static int may_set_times(const struct vnode *v, const struct fs_cred *cred, unsigned mask)
{
	if (!(mask & TIMES) || vnode_is_owned(v, cred))
		return 0;
	return (mask & TIMES) == BOTH_NOW ? vnode_permission(v, cred, FS_WRITE) : -EPERM;
}

static int may_setattr(const struct vnode *v, const struct fs_cred *cred,
	const struct fs_attr *attr, unsigned mask)
{
	if ((mask & FS_SET_MODE) && !vnode_is_owned(v, cred))
		return -EPERM;
	if ((mask & (FS_SET_UID | FS_SET_GID)) && !may_chown(v, cred, attr, mask))
		return -EPERM;
	if (mask & FS_SET_SIZE)
		return vnode_permission(v, cred, FS_WRITE);
	return may_set_times(v, cred, mask);
}

int rights_setattr(
	const struct vnode *v, const struct fs_cred *cred, struct fs_attr *attr, unsigned *mask)
{
	int err = may_setattr(v, cred, attr, *mask);

	if (err)
		return err;
	if ((*mask & FS_SET_MODE) && cred->uid && !cred_in_group(cred, v->gid))
		attr->mode &= ~FS_ISGID;
	if ((*mask & (FS_SET_UID | FS_SET_GID)) || ((*mask & FS_SET_SIZE) && cred->uid))
		*mask |= FS_DROP_SETID;
	return 0;
}
