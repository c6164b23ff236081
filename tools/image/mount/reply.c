// SPDX-License-Identifier: MIT
/* Answers to the host's kernel, which knows a file from its first lookup to its last forget. */
#include "mount.h"

#include <fs/file.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NS 1000000000

/* Rounded down, as the kernel has it: the nanoseconds are never below 0. */
static struct timespec timespec_of(fs_time_t t)
{
	struct timespec ts = {.tv_sec = t / NS, .tv_nsec = t % NS};

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += NS;
	}
	return ts;
}

static dev_t device_of(uint64_t rdev)
{
	return makedev(FS_MAJOR(rdev), (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}

void stat_of(const struct fs_attr *attr, struct stat *st)
{
	*st = (struct stat){
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = device_of(attr->rdev),
		.st_size = (off_t)attr->size_bytes,
		.st_blocks = (blkcnt_t)attr->blocks,
		.st_blksize = (blksize_t)attr->block_bytes,
		.st_atim = timespec_of(attr->atime),
		.st_mtim = timespec_of(attr->mtime),
		.st_ctim = timespec_of(attr->ctime),
	};
}

void reply_error(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

int fill_entry(struct dentry *d, struct fuse_entry_param *entry)
{
	struct fs_attr attr;
	int err = vnode_getattr(d->vnode, &attr);

	if (err)
		return err;
	*entry = (struct fuse_entry_param){
		.ino = attr.ino,
		.attr_timeout = ATTRIBUTES_LAST_S,
		.entry_timeout = NAMES_LAST_S,
	};
	stat_of(&attr, &entry->attr);
	return node_remember(d);
}

void reply_entry(fuse_req_t req, struct dentry *d, int err)
{
	struct fuse_entry_param entry;

	if (!err) {
		err = fill_entry(d, &entry);
		dentry_unref(d);
	}
	if (err)
		reply_error(req, err);
	else if (fuse_reply_entry(req, &entry) == -ENOENT)
		node_forget(entry.ino, 1); /* who asked does not wait any more */
}

void reply_created(fuse_req_t req, struct file *file, struct fuse_file_info *info)
{
	struct fuse_entry_param entry;
	int err = fill_entry(file->dentry, &entry);

	if (err) {
		file_unref(file);
		reply_error(req, err);
		return;
	}
	err = handle_new(file, info);
	if (err) {
		node_forget(entry.ino, 1);
		reply_error(req, err);
	} else if (fuse_reply_create(req, &entry, info) == -ENOENT) {
		handle_close(info);
		node_forget(entry.ino, 1);
	}
}
