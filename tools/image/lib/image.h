// SPDX-License-Identifier: MIT
/*
 * What the image tools share: an image file as a block device, and a session in which the file
 * system's own code (vfs, mapfs, page cache) runs on it.
 */
#pragma once

#include <fs/blkdev.h>
#include <fs/file.h>
#include <fs/path.h>

#include <stdbool.h>
#include <stdint.h>

/* Set by each main: what messages begin with. */
extern const char *image_tool;

/* Called before a message is printed, if it is set: clears the line that the terminal shows. */
extern void (*image_before_message)(void);

/*
 * The file is being made: should the tool die or be interrupted, it is removed, if it is a regular
 * one. NULL: it is finished.
 */
void image_unfinished(const char *path);

/* Print "tool: ..." to stderr and exit with `status`. */
void image_die(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* The same for a failed operation: "tool: what: message of errno -err". */
void image_die_errno(int status, const char *what, int err) __attribute__((noreturn));

/* "64M", "1G", "8192": bytes, or dies. */
uint64_t image_parse_size(const char *text);

/*
 * The registered device of an image file; dies when it cannot be opened, or somebody else writes to
 * it (writable: has it open at all).
 */
struct blkdev *image_open(const char *path, bool writable);

/* Create or empty the file, sparse, `bytes` long. */
struct blkdev *image_create(const char *path, uint64_t bytes);

/*
 * From now on a flush waits for the medium under the file.  Else that is left to image_close():
 * most tools are either done or have to be run again.
 */
void image_make_durable(struct blkdev *dev);

/* Wait until nobody writes to the image any more. */
void image_wait_unused(const char *path);

/* Push what was written to the medium under the file; dies on failure. */
void image_close(struct blkdev *dev);

/* Set mm, vfs and mapfs up; once, before mounting.  Fixes the clock when now_ns is not 0. */
void image_start(int64_t now_ns);

/* Mount; *ctx works as root at the top.  Dies with the reason. */
void image_mount(struct blkdev *dev, bool writable, struct fs_context *ctx);

/* Sync, leave the image clean; dies when that fails. */
void image_unmount(struct fs_context *ctx);

/* file_pread() and file_pwrite() of plain memory. */
int image_read(struct file *file, void *to, size_t n, uint64_t offset, size_t *done);
int image_write(struct file *file, const void *from, size_t n, uint64_t offset, size_t *done);

/*
 * A time of the host in nanoseconds since 1970, from 1677 to 2262: beyond these
 * the nearest that there is.
 */
int64_t image_time(const struct timespec *t);

/* Copy all of an open host file into a guest file, zero blocks as holes; -errno.  Both copies say
 * to progress_add() how many bytes they have read. */
int image_copy_in(int fd, struct file *file);

/* Copy a guest file to a host descriptor, holes sparse when it is seekable; -errno. */
int image_copy_out(struct file *file, int fd);

/* --- fsck.c ------------------------------------------------------------------------------ */

enum image_fsck_result { IMAGE_CLEAN = 0, IMAGE_FIXED = 1, IMAGE_ERRORS = 4 };

/*
 * Check the whole file system; with `fix` repair what can be.  Each finding goes to say().
 * Exit status as fsck(8).
 */
enum image_fsck_result image_fsck(struct blkdev *dev, bool fix, void (*say)(const char *line));

/* Called now and then by image_fsck(), if it is set: how far it is in which phase. */
extern void (*image_fsck_at)(const char *phase, uint64_t done, uint64_t total);

/* 0: clean; 1: a mount would recover it; 8: cannot tell. */
int image_is_clean(struct blkdev *dev);
