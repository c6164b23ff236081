// SPDX-License-Identifier: MIT
/*
 * statx: what stat tells, with the time of birth, and a mask that says which of it is known.
 */
#include <abi/errno.h>
#include <abi/stat.h>
#include <kernel/place.h>
#include <kernel/stat.h>
#include <kernel/syscall.h>

#define SYNC_TYPE (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC)

static struct statx_timestamp stamp(fs_time_t ns)
{
	struct timespec ts = timespec_of(ns);

	return (struct statx_timestamp){.tv_sec = ts.tv_sec, .tv_nsec = (uint32_t)ts.tv_nsec};
}

static void fill(struct statx *out, const struct fs_attr *attr)
{
	*out = (struct statx){
		.stx_mask = STATX_BASIC_STATS | (attr->btime ? STATX_BTIME : 0),
		.stx_blksize = attr->block_bytes,
		.stx_nlink = attr->nlink,
		.stx_uid = attr->uid,
		.stx_gid = attr->gid,
		.stx_mode = (uint16_t)attr->mode,
		.stx_ino = attr->ino,
		.stx_size = attr->size_bytes,
		.stx_blocks = attr->blocks,
		.stx_atime = stamp(attr->atime),
		.stx_btime = stamp(attr->btime),
		.stx_ctime = stamp(attr->ctime),
		.stx_mtime = stamp(attr->mtime),
		.stx_rdev_major = ABI_MAJOR(attr->rdev),
		.stx_rdev_minor = ABI_MINOR(attr->rdev),
		.stx_dev_major = ABI_MAJOR(attr->dev),
		.stx_dev_minor = ABI_MINOR(attr->dev),
	};
}

/* There is always more at hand than the mask asks for, and Linux, too, gives all that it has. */
long sys_statx(long dir, uaddr_t path, unsigned long flags_argument, unsigned long mask, uaddr_t to)
{
	unsigned flags = (unsigned)flags_argument;
	struct fs_attr attr;
	struct statx out;

	if ((unsigned)mask & STATX__RESERVED || (flags & SYNC_TYPE) == SYNC_TYPE)
		return -EINVAL;
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC_TYPE))
		return -EINVAL;
	int err = attributes_at(dir, path, flags, &attr);
	if (err)
		return err;
	fill(&out, &attr);
	return put_user(to, &out);
}
