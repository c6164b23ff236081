// SPDX-License-Identifier: MIT
/*
 * A mapfs on a test disk, mounted as the only file system: what the tests of mapfs share.
 */
#pragma once

#include <fs/file.h>
#include <fs/mapfs.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/vfs.h>

#include <lib/image.h>
#include <testdisk.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct world {
	struct testdisk *disk;
	struct fs_context ctx; /* root is NULL while nothing is mounted */
};

/* The seed of this run: MAPFS_SEED, or one from the clock; printed. */
uint64_t world_seed(void);
uint64_t world_random(uint64_t *state);

/* A new file system of so many bytes (n_inodes 0: as many as mkfs thinks), not mounted. */
void world_make(struct world *w, uint64_t n_bytes, uint64_t n_inodes);
void world_free(struct world *w);

/* For cmocka: the state is a mounted world of 16 MiB with 256 inodes. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* 0 or what mounting said; world_mount() asserts success. */
int world_try_mount(struct world *w);
void world_mount(struct world *w);

/* With a clean end.  All files are closed. */
void world_unmount(struct world *w);

/* Unmount, check that fsck -n finds nothing, mount. */
void world_remount(struct world *w);

/* fsck; its findings are shown when the result is not `want`. */
void world_fsck(struct world *w, bool fix, enum image_fsck_result want);
enum image_fsck_result world_try_fsck(struct world *w, bool fix);

/* What fsck and the file system said last. */
const char *world_said(void);

/* Calls without the context; 0 or -errno. */
int world_open(struct world *w, const char *path, unsigned flags, struct file **out);
int world_write(struct file *file, const void *data, size_t n, uint64_t offset);

/* The same; *done is how much was written, also after an error. */
int world_write_some(struct file *file, const void *data, size_t n, uint64_t offset, size_t *done);
int world_read(struct file *file, void *data, size_t n, uint64_t offset, size_t *done);

/* Make a file of n bytes that follow from `tag`; check that it is that. */
int world_put(struct world *w, const char *path, size_t n, unsigned tag);
void world_check(struct world *w, const char *path, size_t n, unsigned tag);

/* Free blocks and inodes, all written back and committed. */
struct fs_stat world_statfs(struct world *w);
