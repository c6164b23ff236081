// SPDX-License-Identifier: MIT
/*
 * What statfs says about a mounted file system.
 */
#pragma once

#include <stdint.h>

typedef struct {
	int32_t val[2];
} fsid_t;

struct statfs {
	int64_t f_type;
	int64_t f_bsize;
	uint64_t f_blocks;
	uint64_t f_bfree;
	uint64_t f_bavail;
	uint64_t f_files;
	uint64_t f_ffree;
	fsid_t f_fsid;
	int64_t f_namelen;
	int64_t f_frsize;
	int64_t f_flags;
	int64_t f_spare[4];
};

/* f_flags, mount */
#define MS_RDONLY      1
#define MS_NOSUID      2
#define MS_NODEV       4
#define MS_NOEXEC      8
#define MS_SYNCHRONOUS 16
#define MS_REMOUNT     32
#define MS_NOATIME     1024

/* f_type */
#define DEVPTS_SUPER_MAGIC 0x1cd1
#define TMPFS_MAGIC        0x01021994
#define PROC_SUPER_MAGIC   0x9fa0
