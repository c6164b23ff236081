// SPDX-License-Identifier: MIT
/*
 * The words that all of fs shares: attributes, credentials, names, flags.
 *
 * The numbers are Linux's, so that a host with that ABI passes them on unchanged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FS_NAME_MAX     255  /* bytes of one name */
#define FS_PATH_MAX     4096 /* bytes of a path, its NUL included */
#define FS_LINK_MAX     65000
#define FS_SYMLINKS_MAX 40 /* symbolic links in one walk */

/*
 * Words that change under a lock and are looked at without it: a snapshot, which may be old at
 * once, and a change that snapshots may be taken of.  On the machine they are a load and a store.
 */
#define fs_read(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define fs_write(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

/* Nanoseconds since 1970. */
typedef int64_t fs_time_t;

/* --- Modes --------------------------------------------------------------------------------- */

enum {
	FS_IFMT = 0170000,
	FS_IFSOCK = 0140000,
	FS_IFLNK = 0120000,
	FS_IFREG = 0100000,
	FS_IFBLK = 0060000,
	FS_IFDIR = 0040000,
	FS_IFCHR = 0020000,
	FS_IFIFO = 0010000,

	FS_ISUID = 04000,
	FS_ISGID = 02000,
	FS_ISVTX = 01000,
	FS_PERM = 07777, /* all that chmod sets */
};

/* What a caller wants to do with a file: the bits of access(2) and of each triple of a mode. */
enum { FS_EXECUTE = 1, FS_WRITE = 2, FS_READ = 4 };

/* The d_type of a directory entry. */
#define FS_DTYPE(mode) (((mode)&FS_IFMT) >> 12)

/* Device numbers: 12 bits of major, 20 of minor, spread as Linux does. */
#define FS_DEV(major, minor)                                           \
	((((uint64_t)(major)&0xfff) << 8) | ((uint64_t)(minor)&0xff) | \
		(((uint64_t)(minor)&0xfff00) << 12))
#define FS_MAJOR(dev) ((uint32_t)((dev) >> 8) & 0xfff)

/* --- Attributes ---------------------------------------------------------------------------- */

struct fs_attr {
	uint64_t dev, ino, rdev;
	uint32_t mode; /* type and permissions */
	uint32_t nlink, uid, gid;
	uint64_t size_bytes;
	uint64_t blocks; /* of 512 bytes, taken on the medium or in memory */
	uint32_t block_bytes;
	fs_time_t atime, mtime, ctime;
	fs_time_t btime; /* 0: not known */
};

/* Which attributes to set. */
enum fs_attr_mask {
	FS_SET_MODE = 1 << 0, /* permissions; the type stays */
	FS_SET_UID = 1 << 1,
	FS_SET_GID = 1 << 2,
	FS_SET_SIZE = 1 << 3,
	FS_SET_ATIME = 1 << 4,
	FS_SET_MTIME = 1 << 5,
	FS_SET_ATIME_NOW = 1 << 6, /* this and the following are resolved by the vfs */
	FS_SET_MTIME_NOW = 1 << 7,
	FS_DROP_SETID = 1 << 8, /* set-id bits that lend rights go */
};

/* What statfs tells. */
struct fs_stat {
	uint64_t magic; /* names the type of file system */
	uint64_t block_bytes;
	uint64_t blocks, free_blocks;
	uint64_t data_blocks; /* of the free ones, those that data may take */
	uint64_t inodes, free_inodes;
	uint64_t dev;   /* this and the following by the vfs: st_dev of its files */
	unsigned flags; /* MOUNT_ASKED */
};

/* How room is made for a part of a file. */
enum fs_allocate {
	FS_ALLOCATE_KEEP_SIZE = 1,
	FS_ALLOCATE_ZERO = 2, /* what is there becomes zero */
};

/* What shall never be done again to the data of a file: the numbers of F_ADD_SEALS. */
enum fs_seals {
	FS_SEAL_SEAL = 1, /* add seals */
	FS_SEAL_SHRINK = 2,
	FS_SEAL_GROW = 4,
	FS_SEAL_WRITE = 8,
	FS_SEAL_FUTURE_WRITE = 16, /* as WRITE, but for mappings that are there already */
	FS_SEALS = 31,
};

/* --- Who asks ------------------------------------------------------------------------------ */

/* uid 0 may do everything, except execute what nobody may. */
struct fs_cred {
	uint32_t uid, gid;
	const uint32_t *groups; /* supplementary ones */
	unsigned n_groups;
};

/* --- Names --------------------------------------------------------------------------------- */

/* One component of a path: no slash, no NUL, not empty, at most FS_NAME_MAX bytes. */
struct fs_name {
	const char *text; /* not terminated */
	uint32_t bytes;
	uint32_t hash;
	uint64_t head; /* its first eight bytes as one number; most names differ in it */
};

struct fs_name fs_name_of(const char *string);

/* --- Flags of open ------------------------------------------------------------------------- */

enum fs_open_flags {
	FS_O_RDONLY = 0,
	FS_O_WRONLY = 01,
	FS_O_RDWR = 02,
	FS_O_ACCMODE = 03,
	FS_O_CREAT = 0100,
	FS_O_EXCL = 0200,
	FS_O_NOCTTY = 0400,
	FS_O_TRUNC = 01000,
	FS_O_APPEND = 02000,
	FS_O_NONBLOCK = 04000,
	FS_O_DSYNC = 010000,
	FS_O_DIRECT = 040000,
	FS_O_LARGEFILE = 0100000,
	FS_O_DIRECTORY = 0200000,
	FS_O_NOFOLLOW = 0400000,
	FS_O_NOATIME = 01000000,
	FS_O_CLOEXEC = 02000000, /* of the descriptor, not of the file: ignored here */
	FS_O_SYNC = 04010000,
	FS_O_PATH = 010000000,
};

enum fs_rename_flags { FS_RENAME_NOREPLACE = 1, FS_RENAME_EXCHANGE = 2 };
