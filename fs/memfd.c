// SPDX-License-Identifier: MIT
/*
 * Files that live in memory and have no name (memfd_create), and seals.
 *
 * Such a file is a node of a tmpfs that is mounted nowhere.  Its entry was never in a directory: it
 * is there so that the file can be opened like any other, and to say what it was called.  What all
 * such files take is limited as in any tmpfs; how many there are, by descriptors.
 *
 * Seals are promises about the data of an inode, which are never taken back.  They are kept where
 * data and size change: under the inode lock; and, as stores through mappings take no lock, by mm,
 * which refuses F_SEAL_WRITE while somebody has a shared mapping that may ever store, and such
 * mappings afterwards (mvm_object_freeze).  The files of a tmpfs have seals, those without leave
 * begin with the promise that there will be no others.
 */
#include "private.h"
#include <errno.h>

static struct mount *nowhere; /* [mount table's lock] made at first use */

int nameless_new(
	struct mount *mount, const char *shown, const struct vnode_new *what, struct dentry **out)
{
	struct fs_name name = fs_name_of(shown);
	struct vnode *v;
	int err = tmpfs_node_new(mount, what, &v);

	if (err)
		return err;
	fsh_mutex_lock(&v->lock);
	vnode_set_nlink(v, 0);
	fsh_mutex_unlock(&v->lock);
	return dentry_new_nameless(mount, &name, v, out);
}

int memfd_new(const char *name, const struct fs_cred *cred, bool sealable, struct file **out)
{
	struct vnode_new what = {.mode = FS_IFREG | 0777, .uid = cred->uid, .gid = cred->gid};
	struct dentry *d;
	int err = mount_nowhere("tmpfs", "memfd", "nr_inodes=0", &nowhere);

	if (!err)
		err = file_prepare(FS_O_RDWR, cred, out);
	if (err)
		return err;
	err = nameless_new(nowhere, name, &what, &d);
	if (!err) {
		d->vnode->seals = sealable ? 0 : FS_SEAL_SEAL;
		err = file_begin(*out, d);
	}
	if (err)
		file_abandon(*out);
	return err;
}

/* --- Seals ----------------------------------------------------------------------------------- */

static bool has_seals(const struct file *f)
{
	return f->object && (fs_read(f->vnode->mount->flags) & MOUNT_SEALS);
}

int file_seals(struct file *f)
{
	return has_seals(f) ? (int)fs_read(f->vnode->seals) : -EINVAL;
}

static int add_locked(struct vnode *v, unsigned seals)
{
	int err = 0;

	if (v->seals & FS_SEAL_SEAL)
		return -EPERM;
	if (seals & ~v->seals & FS_SEAL_WRITE)
		err = mvm_object_freeze(v->object);
	if (!err)
		fs_write(v->seals, v->seals | seals);
	return err;
}

int file_add_seals(struct file *f, unsigned seals)
{
	int err;

	if (!(f->state & FILE_WRITABLE))
		return -EPERM;
	if (seals & ~(unsigned)FS_SEALS || !has_seals(f))
		return -EINVAL;
	fsh_mutex_lock(&f->vnode->lock);
	err = add_locked(f->vnode, seals);
	fsh_mutex_unlock(&f->vnode->lock);
	return err;
}

/* Page by page, as Linux does it: the pages that need no growth are written. */
int seals_clip_write(const struct vnode *v, uint64_t offset, size_t *n)
{
	uint64_t size, whole;

	if (v->seals & (FS_SEAL_WRITE | FS_SEAL_FUTURE_WRITE))
		return -EPERM;
	size = mvm_object_size(v->object);
	if (!(v->seals & FS_SEAL_GROW) || offset + *n <= size)
		return 0;
	whole = size & ~MVM_PAGE_MASK;
	if (offset >= whole)
		return -EPERM;
	*n = whole - offset;
	return 0;
}

int seals_allow_size(const struct vnode *v, uint64_t size_bytes)
{
	uint64_t old;

	if (!v->object)
		return 0; /* a text that is made when it is read: nothing to seal */
	old = mvm_object_size(v->object);
	if (size_bytes < old && (v->seals & FS_SEAL_SHRINK))
		return -EPERM;
	return size_bytes > old && (v->seals & FS_SEAL_GROW) ? -EPERM : 0;
}
