// SPDX-License-Identifier: MIT
/*
 * The part of fifos that is a file system's; the host has the pipes (fs/fifo.h).
 */
#include "private.h"
#include <fs/fifo.h>
#include <errno.h>

static int (*host_open)(struct file *f);
static struct mount *nowhere; /* [mount table's lock] made at first use */

void fifo_register(int (*open)(struct file *f))
{
	__atomic_store_n(&host_open, open, __ATOMIC_RELEASE);
}

int fifo_open(struct file *f)
{
	int (*open)(struct file *) = __atomic_load_n(&host_open, __ATOMIC_ACQUIRE);

	return open ? open(f) : -ENXIO;
}

int fifo_nameless(void *pipe, const struct fs_cred *cred, struct dentry **out)
{
	struct vnode_new what = {.mode = FS_IFIFO | 0600, .uid = cred->uid, .gid = cred->gid};
	int err = mount_nowhere("tmpfs", "pipe", "nr_inodes=0", &nowhere);

	if (!err)
		err = nameless_new(nowhere, "pipe", &what, out);
	if (!err)
		(*out)->vnode->fifo = pipe;
	return err;
}
