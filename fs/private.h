// SPDX-License-Identifier: MIT
/*
 * What the files of the vfs share among themselves.
 */
#pragma once

#include <fs/file.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <fs/vfs.h>
#include <fs/vnode.h>

/* --- vnode.c: the vnode cache ---------------------------------------------------------------- */

void vnode_cache_init(size_t max_idle);

/* Does anybody but the file system itself and `own_refs` of the caller on the root use a vnode? */
bool vnode_mount_busy(struct mount *mount, struct vnode *root, uint32_t own_refs);

bool vnode_is_pinned(const struct vnode *v);

size_t vnode_count(size_t *idle);
void vnode_cache_check(void);

/* vnode_setattr() without its checks, by somebody who has the lock. */
int vnode_setattr_locked(struct vnode *v, const struct fs_attr *attr, unsigned mask);

/* --- rights.c -------------------------------------------------------------------------------- */

bool cred_in_group(const struct fs_cred *cred, uint32_t gid);

/* In a sticky directory (/tmp) a name belongs to the file's owner. */
bool rights_sticky_forbid(
	const struct vnode *dir, const struct vnode *v, const struct fs_cred *cred);

/* Owner and group of a file that cred makes in dir; may change the set-group-id bit of the mode. */
void rights_of_new(struct vnode_new *what, const struct vnode *dir, const struct fs_cred *cred);

/* A mode without the set-id bits that lend rights. */
uint32_t rights_without_setid(uint32_t mode);

/* May cred set these, 0, -EPERM or -EACCES; *attr and *mask get what follows from it.  v locked. */
int rights_setattr(
	const struct vnode *v, const struct fs_cred *cred, struct fs_attr *attr, unsigned *mask);

/* --- name.c: the name cache ------------------------------------------------------------------ */

/* The entry of a file that never had a name: nobody finds it.  Takes over the vnode's reference,
 * also on failure (-ENOMEM). */
int dentry_new_nameless(
	struct mount *mount, const struct fs_name *shown, struct vnode *v, struct dentry **out);

void dentry_cache_init(size_t max_idle);

/* A root: one reference, its own parent, never hashed.  Takes over the caller's vnode reference,
 * also on failure (-ENOMEM). */
int dentry_new_root(struct mount *mount, struct vnode *root, struct dentry **out);

/*
 * The entry of a name, referenced; out->vnode is NULL when the name is free.  The second form is
 * for those who hold the directory's inode lock already.
 */
int dentry_lookup(struct dentry *dir, const struct fs_name *name, struct dentry **out);
int dentry_lookup_locked(struct dentry *dir, const struct fs_name *name, struct dentry **out);

/*
 * In the following the inode locks of the directories concerned are held.
 *
 * A free name is about to be taken: *fresh, which nobody finds yet, will stand for it.  When the
 * file system has made the file, dentry_created() gives the entry its vnode (whose reference is
 * taken over) and its place; else dentry_unref() throws it away.  -ENOMEM.
 */
int dentry_prepare(struct dentry *free_name, struct dentry **fresh);
void dentry_created(struct dentry *free_name, struct dentry *fresh, struct vnode *v);

/* The name is gone: nobody finds d any more. */
void dentry_removed(struct dentry *d);

/* Who may search a directory has changed. */
void dentry_search_changed(void);

/*
 * For mount.c, under its lock of marks: d.covered_by, which walks look at under
 * a lock of the cache.
 */
void dentry_cover(struct dentry *d, struct mount *m);

/*
 * d was renamed: it takes the place of `to`, which nobody finds any more; with `exchange` the two
 * change places.  `room` is from dentry_names_prepare(), called before there was anything to undo;
 * dentry_names_free() comes after.
 */
struct dentry_names {
	char *text[2];
};
int dentry_names_prepare(struct dentry *from, struct dentry *to, struct dentry_names *room);
void dentry_names_free(struct dentry_names *room);
void dentry_renamed(
	struct dentry *from, struct dentry *to, bool exchange, struct dentry_names *room);

/* The directory that d is in; referenced.  A root is in itself. */
struct dentry *dentry_parent(struct dentry *d);

/* Is d, or one of its ancestors on its mount, `ancestor`?  mount->rename_lock is held. */
bool dentry_is_below(struct dentry *d, const struct dentry *ancestor);

/* Forget all unused names of a mount.  True: only the root is left, with that many references. */
bool dentry_mount_prune(struct mount *mount, uint32_t root_refs);

/* All entries; and how often a sweep has looked at one since the beginning. */
size_t dentry_count(uint64_t *looks);
void dentry_cache_check(void);

/*
 * Keep unused entries to the limit given to dentry_cache_init(): in the long run as many go as
 * come, and a call that finds nothing to drop has looked at a few.  No inode lock held.
 */
void dentry_trim(void);

/* --- mount.c --------------------------------------------------------------------------------- */

/* Follow mounts from a covered entry down, or from a root up to what it covers: the reference
 * moves along. */
struct dentry *mount_cross_down(struct dentry *d);
struct dentry *mount_cross_up(struct dentry *root);

void mount_init(void);

/* Around the life of a file that is open for writing.  -EROFS. */
int mount_writer_begin(struct mount *m);
void mount_writer_end(struct mount *m);

/*
 * A file is either open for writing or run as a program, each any number of times: 0, or -ETXTBSY.
 * Shared mappings do not count.
 */
int vnode_writer_begin(struct vnode *v);
void vnode_writer_end(struct vnode *v);
int vnode_program_begin(struct vnode *v);
void vnode_program_end(struct vnode *v);

/* If *mount is NULL: a mount at no place, which is never taken away.  Errors as mount_on(). */
int mount_nowhere(const char *type, const char *source, const char *options, struct mount **mount);

/* --- path.c ---------------------------------------------------------------------------------- */

/* The last component turned out to be the symbolic link `link`: go on with its target. */
int path_follow_last(struct path_parent *parent, struct dentry *link);

/* --- namespace.c ----------------------------------------------------------------------------- */

/*
 * Make a file under a free name of parent->dir, which is locked, if the caller may: *made is its
 * entry, referenced.
 */
int make_file(struct path_parent *parent, struct dentry *free_name, struct vnode_new *what,
	struct dentry **made);

/* --- file.c ---------------------------------------------------------------------------------- */

size_t file_count(void);

/*
 * Opening in two steps, so that a call that changes something has its memory first.  The second
 * step makes *f the open file of d and takes over the reference on it, also when it fails; the
 * caller has checked the permissions.  file_abandon() undoes the first step, also after the second
 * has failed.
 */
int file_prepare(unsigned flags, const struct fs_cred *cred, struct file **out);
int file_begin(struct file *f, struct dentry *d);
void file_abandon(struct file *f);

/* --- lock.c ---------------------------------------------------------------------------------- */

void file_lock_init(void);

/* Its invariants; quadratic in the locks of a file. */
void file_lock_check(void);

/* --- tmpfs.c, devfs.c ------------------------------------------------------------------------ */

extern struct fs_type tmpfs_type, devfs_type;

/* A node in no directory, with one link and one reference, the caller's. */
int tmpfs_node_new(struct mount *mount, const struct vnode_new *what, struct vnode **out);
int chrdev_init(void);

/* --- fifo.c ---------------------------------------------------------------------------------- */

int fifo_open(struct file *f);

/* --- memfd.c --------------------------------------------------------------------------------- */

/* A file that was never in a directory, in a tmpfs: *out is its entry, with the only reference. */
int nameless_new(
	struct mount *mount, const char *shown, const struct vnode_new *what, struct dentry **out);

/* Of somebody who changes the contents, what becomes of set-id bits; inode lock held. */
int file_drop_setid(struct file *f);

/* Clip a write to what the seals allow; v, a regular file, is locked.  -EPERM: nothing. */
int seals_clip_write(const struct vnode *v, uint64_t offset, size_t *n);

/* Do the seals allow this size?  v, a regular file, is locked.  0 or -EPERM. */
int seals_allow_size(const struct vnode *v, uint64_t size_bytes);
