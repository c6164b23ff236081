// SPDX-License-Identifier: MIT
/*
 * Open files: room on the medium is given back, or given before it is used.
 */
#include "private.h"

#include <errno.h>

/* What both have in common; inode lock held. */
static int may_change(struct file *f)
{
	if (f->vnode->seals & (FS_SEAL_WRITE | FS_SEAL_FUTURE_WRITE))
		return -EPERM;
	return file_drop_setid(f);
}

int file_punch(struct file *f, uint64_t start, uint64_t end)
{
	struct vnode *v = f->vnode;
	int err;

	if (!(f->state & FILE_WRITABLE))
		return -EBADF;
	if (!f->object || !v->ops->punch)
		return -EOPNOTSUPP;
	fsh_mutex_lock(&v->lock);
	err = may_change(f);
	if (!err)
		err = v->ops->punch(v, start, end);
	fsh_mutex_unlock(&v->lock);
	return err;
}

/* Inode lock held. */
static int may_cover(struct file *f, uint64_t end, unsigned how)
{
	bool grows = !(how & FS_ALLOCATE_KEEP_SIZE) && end > mvm_object_size(f->object);
	int err = grows ? seals_allow_size(f->vnode, end) : 0;

	if (err)
		return err;
	if (end > f->vnode->mount->max_file_bytes || (grows && end > fsh_file_size_limit()))
		return -EFBIG;
	return may_change(f);
}

int file_allocate(struct file *f, uint64_t start, uint64_t end, unsigned how)
{
	struct vnode *v = f->vnode;
	int err;

	if (!(f->state & FILE_WRITABLE))
		return -EBADF;
	if (!f->object || !v->ops->allocate)
		return -EOPNOTSUPP;
	fsh_mutex_lock(&v->lock);
	err = may_cover(f, end, how);
	if (!err)
		err = v->ops->allocate(v, start, end, how);
	fsh_mutex_unlock(&v->lock);
	return err;
}
