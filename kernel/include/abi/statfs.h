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
#define MS_NODIRATIME  2048
#define MS_BIND        4096
#define MS_MOVE        8192
#define MS_REC         16384
#define MS_SILENT      32768
#define MS_UNBINDABLE  (1 << 17)
#define MS_PRIVATE     (1 << 18)
#define MS_SLAVE       (1 << 19)
#define MS_SHARED      (1 << 20)
#define MS_RELATIME    (1 << 21)
#define MS_MGC_VAL     0xc0ed0000U /* in the upper half, from very old programs */
#define MS_MGC_MSK     0xffff0000U

/* f_flags only: the others above are to be believed */
#define ST_VALID 32

/* umount2 */
#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8

/* f_type */
#define DEVPTS_SUPER_MAGIC 0x1cd1
#define TMPFS_MAGIC        0x01021994
#define PROC_SUPER_MAGIC   0x9fa0
