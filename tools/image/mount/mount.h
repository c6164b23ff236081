// SPDX-License-Identifier: MIT
/*
 * What the parts of tools/mount share.  The theory is at the head of mount.c.
 */
#pragma once

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 12)

#include "lib/image.h"

#include <fs/path.h>
#include <fs/vnode.h>

#include <fuse_lowlevel.h>

#include <stdbool.h>
#include <stdint.h>

/* The mounted image: works as root at its top, as the host's kernel has checked who may what. */
extern struct fs_context mounted;

/* --- nodes.c: the files that the host's kernel knows --------------------------------------- */

/* The top, which is never forgotten. */
void nodes_begin(struct dentry *root);

/* Forget all; when no request is under way any more. */
void nodes_end(void);

/* The file of this number, by some name of it that it has or had; referenced. */
struct dentry *node_entry(uint64_t ino);

/*
 * The kernel is going to be told of d's file: counts one lookup, and the file stays in memory until
 * as many are forgotten.  -ENOMEM.
 */
int node_remember(struct dentry *d);
void node_forget(uint64_t ino, uint64_t lookups);

/* --- handles.c: the files that it has open --------------------------------------------------- */

/* -ENOMEM; takes over the reference, also then. */
int handle_new(struct file *file, struct fuse_file_info *info);
struct file *handle_file(const struct fuse_file_info *info);
void handle_close(const struct fuse_file_info *info);

/* Close what the kernel has no chance to close any more. */
void handles_end(void);

/* --- reply.c: what requests have in common ------------------------------------------------- */

#define NAMES_LAST_S      3600.0 /* nobody else changes them */
#define ATTRIBUTES_LAST_S 1.0    /* but write-back changes how many blocks there are */

void stat_of(const struct fs_attr *attr, struct stat *st);

/* Tell of d's file, whose reference is taken over; or of the error. */
void reply_entry(fuse_req_t req, struct dentry *d, int err);

/* The same for what an open has found or made; the reference of file is taken over. */
void reply_created(fuse_req_t req, struct file *file, struct fuse_file_info *info);

/* What reply_entry() tells; remembers the file. */
int fill_entry(struct dentry *d, struct fuse_entry_param *entry);

void reply_error(fuse_req_t req, int err);

/* --- names.c, files.c, directories.c: the operations --------------------------------------- */

unsigned open_flags(const struct fuse_file_info *info);
void reply_open(fuse_req_t req, fuse_ino_t ino, unsigned flags, struct fuse_file_info *info);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info);

void names_operations(struct fuse_lowlevel_ops *ops);
void files_operations(struct fuse_lowlevel_ops *ops);
void directories_operations(struct fuse_lowlevel_ops *ops);

/* --- background.c ---------------------------------------------------------------------------- */

/*
 * Go on in a child; the caller's process ends when the child calls background_ready(), with status
 * 0, or ends, with its status.  Until then messages go to the terminal, from then on to syslog.
 */
void background_begin(void);
void background_ready(void);

/* --- writeback.c ----------------------------------------------------------------------------- */

/* A thread that writes back what is dirty and commits, as the kernel does in the background. */
void writeback_begin(void);
void writeback_end(void);

/* --- unmount.c ------------------------------------------------------------------------------- */

/* Unmount and wait until the image is closed; the exit status. */
int unmount_folder(const char *folder);
