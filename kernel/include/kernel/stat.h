// SPDX-License-Identifier: MIT
/*
 * From attributes as fs has them to the ABI's structures; shared by the calls on paths and on
 * descriptors.
 */
#pragma once

#include <abi/time.h>
#include <fs/file.h>
#include <kernel/uaccess.h>

struct timespec timespec_of(fs_time_t ns);

/* 0 or -EFAULT. */
long put_stat(const struct fs_attr *attr, uaddr_t to);
long put_statfs(const struct fs_stat *stat, uaddr_t to);

/* fstat(), pipes included. */
long stat_file(struct file *file, uaddr_t to);

/* chown's arguments, of which -1 means "leave alone", as attributes; returns the mask. */
unsigned owner_attributes(uint32_t uid, uint32_t gid, struct fs_attr *attr);

/* fchmod, fchown, futimens: of an open file.  -EINVAL: it has no inode. */
long file_set_attributes(long fd, const struct fs_attr *attr, unsigned mask);
